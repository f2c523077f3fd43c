"""Which limbs of a kit nobody has, and which of its own keypoints cannot be computed. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from lalelu.config.section import Contradiction, Section, Where
from lalelu.gesture.keypoints import cancelling
from lalelu.registry import did_you_mean
from lalelu.skeleton import COCO17, EVERY_KEYPOINT, VIRTUAL

if TYPE_CHECKING:  # the schema asks here
    from lalelu.config.kit import KitConfig

KNOWN: Final = (*EVERY_KEYPOINT, *VIRTUAL)  # whichever model shows them
_TAKEN: Final = frozenset({*COCO17, *VIRTUAL})  # names that a kit's own keypoint cannot have

_OPTIONS: Final = frozenset({"limb", "limbs", "x", "y", "angle", "distance"})  # whose values are limbs
_LEGS: Final = frozenset(
    f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "heel", "foot_index")
)


def of_limbs(kit: "KitConfig") -> Iterator[Contradiction]:
    """Yield where a limb is named that there is not, and what is wrong with the kit's own keypoints."""
    known = (*KNOWN, *kit.keypoints)
    named: list[tuple[Where, str]] = [
        (("keypoints", name, limb), limb) for name, parts in kit.keypoints.items() for limb in parts
    ]
    for part, sections in (("pads", kit.pads), ("gestures", kit.gestures)):
        named += [found for name, section in sections.items() for found in _limbs(section, (part, name))]
    for path, limb in named:
        if limb not in known:
            yield path, f"no keypoint is called so; allowed are {', '.join(known)}{did_you_mean(limb, known)}"
    for name, parts in kit.keypoints.items():
        if name in _TAKEN:
            yield ("keypoints", name), "a keypoint is called so already; give yours another name"
        elif name in _made_of(parts, kit.keypoints):
            yield ("keypoints", name), "it is made of itself; make it of keypoints that do not need it"
        elif wrong := cancelling(parts.values()):
            yield ("keypoints", name), f"its weights {wrong}"


def _limbs(value: object, path: Where) -> Iterator[tuple[Where, str]]:
    """Yield every limb that stands in a pad or a gesture, with its place."""
    if isinstance(value, Section):
        for option, below in value:
            if option not in _OPTIONS:
                yield from _limbs(below, (*path, option))
            elif isinstance(below, str):
                yield (*path, option), below
            elif isinstance(below, tuple):
                yield from (((*path, option, index), limb) for index, limb in enumerate(below))
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from _limbs(entry, (*path, index))


def needed(kit: "KitConfig") -> frozenset[str]:
    """Return the keypoints of a network that the pads and gestures go by, directly or by what is made of them."""
    sections = (*kit.pads.values(), *kit.gestures.values())
    named = [limb for section in sections for _, limb in _limbs(section, ())]
    made = {**VIRTUAL, **kit.keypoints}
    return frozenset(_made_of(named, made) - made.keys())


def needs_legs(kit: "KitConfig") -> bool:
    """Whether a pad or a gesture goes by a knee or what is below it, or by a keypoint that is made of one."""
    return not needed(kit).isdisjoint(_LEGS)


def _made_of(names: Iterable[str], made: Mapping[str, Mapping[str, float]]) -> set[str]:
    """Return these names and all that they are made of, directly or not; `made` tells what of."""
    found: set[str] = set()
    rest = list(names)
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += made.get(name, ())
    return found
