"""Which gestures of a kit contradict its pads or each other. Pure."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from lalelu.config.gestures import Chord, ControlGesture, Gesture, HiHat, Kick, Target, ZoneEnter
from lalelu.config.section import Contradiction, Where
from lalelu.registry import did_you_mean

if TYPE_CHECKING:  # the schema asks here
    from lalelu.config.kit import KitConfig


def of_gestures(kit: "KitConfig") -> Iterator[Contradiction]:
    """Yield where in the kit, and which rule is broken there, about what gestures play, set and decide."""
    for name, gesture in kit.gestures.items():
        for option, pad in (*_sounded(gesture), *_struck(gesture)):
            if pad not in kit.pads:
                path: Where = ("gestures", name, *option)
                yield (
                    path,
                    f"no pad is called so; allowed are {', '.join(kit.pads)}{did_you_mean(pad, kit.pads)}",
                )
        for option, rule in _of_gesture(gesture, kit):
            yield ("gestures", name, *option), rule
    yield from _of_pads(kit)
    for (first, one), (second, other) in combinations(kit.gestures.items(), 2):
        if one.players is None or other.players is None or set(one.players) & set(other.players):
            for option, rule in _of_two(first, one, other):
                yield ("gestures", second, *option), rule


def _sounded(gesture: Gesture) -> Iterator[tuple[Where, str]]:
    """Yield the pads that a gesture itself sounds, each with the option that names it."""
    if isinstance(gesture, Kick):
        yield ("pad",), gesture.pad
    elif isinstance(gesture, HiHat):
        yield ("open_pad",), gesture.open_pad
        if gesture.chick_pad is not None:
            yield ("chick_pad",), gesture.chick_pad
    elif isinstance(gesture, Chord | ZoneEnter):
        yield from ((("pads", index), pad) for index, pad in enumerate(gesture.pads))


def _struck(gesture: Gesture) -> Iterator[tuple[Where, str]]:
    """Yield the pad that hands strike and for which a gesture chooses what it plays, with the option that names it."""
    if isinstance(gesture, HiHat):
        yield ("pad",), gesture.pad
    elif isinstance(gesture, Chord) and gesture.struck is not None:
        yield ("struck",), gesture.struck


def _of_gesture(gesture: Gesture, kit: "KitConfig") -> Iterator[tuple[Where, str]]:
    for option, pad in _struck(gesture):
        if pad in kit.pads and kit.pads[pad].zone is None:
            yield option, f"hands cannot strike a pad without a zone; add pads.{pad}.zone"
        if pad in (sounded for _, sounded in _sounded(gesture)):
            yield option, "what is struck cannot be what sounds instead of it; add a pad of its own for that"


def _of_pads(kit: "KitConfig") -> Iterator[Contradiction]:
    sounded: set[str] = set()
    ended = set(kit.pads)  # pads that nothing but chords sounds, and only while they are chosen
    for gesture in kit.gestures.values():
        pads = {pad for _, pad in _sounded(gesture)}
        sounded |= pads
        if not isinstance(gesture, Chord) or gesture.struck is not None:
            ended -= pads
    for name, pad in kit.pads.items():
        if pad.zone is None and name not in sounded:
            yield ("pads", name), "nothing plays it; add a zone, or name the pad in a gesture"
        elif pad.note_ms == "hold" and (pad.zone is not None or name not in ended):
            yield (
                ("pads", name, "note_ms"),
                (
                    "strokes, and gestures other than a chord without struck, never end a note; write a time 5..10000, "
                    "or let only such a chord play the pad"
                ),
            )


def _of_two(first: str, one: Gesture, other: Gesture) -> Iterator[tuple[Where, str]]:
    """Yield what two gestures of one player do to the same thing, as options of the second."""
    decided = [pad for _, pad in _struck(one)]
    for option, pad in _struck(other):
        if pad in decided:
            yield option, f"gestures.{first} decides already what {pad} plays; strike another pad"
    if _target(one) is not None and _target(one) == _target(other):
        yield ("to",), f"gestures.{first} sets the same; use another controller, channel or address"


def _target(gesture: Gesture) -> Target | None:
    return gesture.to if isinstance(gesture, ControlGesture | HiHat) else None
