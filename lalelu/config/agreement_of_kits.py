"""Which kits of one configuration do not go together. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from lalelu.config.gestures import Hold
from lalelu.config.kit import KitConfig
from lalelu.config.section import Contradiction
from lalelu.registry import did_you_mean
from lalelu.skeleton import COCO17, virtual_of

MAX_LIMBS: Final = 255  # a limb's number takes one byte of a row, and 0 is none
# What every kit has with COCO's keypoints. With a larger skeleton the last of so many have no name in the rows.
SHARED_LIMBS: Final = len(COCO17) + len(virtual_of(COCO17))


def contradictions_between(kits: Sequence[KitConfig]) -> Iterator[tuple[int, Contradiction]]:
    """Yield the number of a kit, and where in it which rule is broken; an empty path = the whole kit."""
    names: list[str] = []
    limbs = SHARED_LIMBS
    for number, kit in enumerate(kits):
        if kit.name in names:
            yield (
                number,
                ((), f"two kits are called {kit.name}; give each a name of its own (name: in its file)"),
            )
        names.append(kit.name)
        limbs += len(kit.keypoints)
        if limbs > MAX_LIMBS:
            rule = f"with it the kits have {limbs} keypoints; allowed {MAX_LIMBS}, {SHARED_LIMBS} of them in every kit"
            yield number, ((), f"{rule}; leave some out")
    for number, kit in enumerate(kits):
        for name, gesture in kit.gestures.items():
            if isinstance(gesture, Hold) and gesture.kit is not None and gesture.kit not in names:
                rule = f"the configuration has the kits {', '.join(names)}; add it to more_kits"
                yield number, (("gestures", name, "kit"), rule + did_you_mean(gesture.kit, names))
