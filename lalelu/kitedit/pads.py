"""Pads put in, taken out, renamed and joined in groups that end each other's sound: what that changes in a kit. Pure.

Lengths in body units, x to the player's right, y up from the shoulders, as in kits.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from typing import Final

from lalelu.config.general_midi import PERCUSSION
from lalelu.config.gestures import ZoneEnter
from lalelu.config.kit import KitConfig
from lalelu.config.positions import Path, Value
from lalelu.config.section import NAME_RULE
from lalelu.config.zones import HalfPlane
from lalelu.errors import UsageError
from lalelu.gesture.zones import Measure, measure_of
from lalelu.kitedit.edits import Add, Edit, Remove, Rename, Set

RADII: Final = (0.3, 0.2)  # of a new pad, about those of the shipped kits
# Where hands play without stretching, and above the thighs, where they rest; the middle of it first.
LEFT, RIGHT, LOW, HIGH, STEP = -1.5, 1.5, -1.0, 0.5, 0.1
MIDDLE: Final = (0.0, -0.6)
GAP: Final = 0.1  # to the next pad, where there is room for that
_RIM: Final = tuple((math.cos(a * math.pi / 4), math.sin(a * math.pi / 4)) for a in range(8))
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_LONGEST: Final = 32  # characters of a name
_NAMES: Final = {note: name for name, note in PERCUSSION.items()}


def add(kit: KitConfig, note: Value, name: str = "") -> tuple[str, tuple[Edit, ...]]:
    """Return the name of a new pad and what adds it where it is free; without `name` the note gives one."""
    name = name or _free(_named_after(note), kit.pads)
    _check_free(kit, name)
    zone: dict[str, Value] = {"ellipse": [*free_place(kit), *RADII]}
    return name, (Add(("pads", name), {"note": note, "zone": zone}),)


def remove(kit: KitConfig, pad: str) -> tuple[Edit, ...]:
    """Return what takes a pad out. Raises UsageError for one that a gesture names."""
    _check_there(kit, pad)
    users = sorted({gesture for gesture, _, _ in _named_by_gestures(kit, pad)})
    if users:
        raise UsageError(
            f"{pad} cannot be removed: gestures.{', gestures.'.join(users)} of the kit's file "
            f"name{'s' if len(users) == 1 else ''} it; take that out there first"
        )
    return *_left_alone(kit, {pad: None}), Remove(("pads", pad))


def rename(kit: KitConfig, pad: str, name: str) -> tuple[Edit, ...]:
    """Return what renames a pad, also where gestures name it."""
    _check_there(kit, pad)
    _check_free(kit, name)
    named: dict[Path, Value] = {
        ("gestures", gesture, option) if index is None else ("gestures", gesture, option, index): name
        for gesture, option, index in _named_by_gestures(kit, pad)
    }
    return (Rename(("pads", pad), name), *([Set(named)] if named else []))


def choke(kit: KitConfig, pad: str, other: str, *, on: bool) -> tuple[Edit, ...]:
    """Return what makes two pads end each other's sound, or takes `other` out of the group of `pad`."""
    _check_there(kit, pad)
    _check_there(kit, other)
    if pad == other:
        raise UsageError(f"{pad} ends its own sound anyway; choose another pad")
    if not on:
        return _left_alone(kit, {other: None})
    groups = {each.choke for each in kit.pads.values() if each.choke is not None}
    group = kit.pads[pad].choke or kit.pads[other].choke or _free(pad, groups)
    return _left_alone(kit, {pad: group, other: group})


def free_place(kit: KitConfig) -> tuple[float, float]:
    """Return the middle of a place for a new pad: as near to the player's middle as there is room, else the freest."""
    zones = [pad.zone for pad in kit.pads.values()]
    zones += [gesture.zone for gesture in kit.gestures.values() if isinstance(gesture, ZoneEnter)]
    # every other pad wins in a half plane, so that there is room in it
    taken = [
        measure_of(zone, None)
        for zone in zones
        if zone is not None and zone.frame == "body" and not isinstance(zone, HalfPlane)
    ]
    across = range(round((RIGHT - LEFT) / STEP) + 1)
    up = range(round((HIGH - LOW) / STEP) + 1)
    places = [(round(LEFT + i * STEP, 2), round(LOW + j * STEP, 2)) for i in across for j in up]
    room = {place: _room(place, taken) for place in places}
    near = [place for place in places if room[place] >= GAP]
    if near:
        return min(near, key=lambda place: (math.dist(place, MIDDLE), place))
    return max(places, key=lambda place: (room[place], -math.dist(place, MIDDLE)))


def _room(place: tuple[float, float], taken: Sequence[Measure]) -> float:
    """Return how far a new pad's rim is from all others; below 0 by how deep its middle lies in one of them."""
    x, y = place
    rim = [(x + RADII[0] * cos, y + RADII[1] * sin) for cos, sin in _RIM]
    nearest = min((measure(*point)[0] for measure in taken for point in (place, *rim)), default=math.inf)
    if nearest > 0.0:
        return nearest
    return min(0.0, *(measure(x, y)[1] - 1.0 for measure in taken))


def _named_by_gestures(kit: KitConfig, pad: str) -> Iterator[tuple[str, str, int | None]]:
    """Yield each gesture that names a pad, the option, and the place in it where that is a list."""
    for gesture, section in kit.gestures.items():
        for option in ("pad", "open_pad", "chick_pad", "struck"):
            if getattr(section, option, None) == pad:
                yield gesture, option, None
        for index, name in enumerate(getattr(section, "pads", ())):
            if name == pad:
                yield gesture, "pads", index


def _left_alone(kit: KitConfig, groups: dict[str, str | None]) -> tuple[Edit, ...]:
    """Return what gives pads these groups (None = none), without groups of a single pad, which are none."""
    after = {name: groups.get(name, section.choke) for name, section in kit.pads.items()}
    members = Counter(group for group in after.values() if group is not None)
    edits: list[Edit] = []
    for name, section in kit.pads.items():
        group = after[name]
        wanted = group if group is not None and members[group] > 1 else None
        if wanted == section.choke:
            continue
        path = ("pads", name, "choke")
        edits.append(Remove(path) if wanted is None else Set({path: wanted}))
    return tuple(edits)


def _named_after(note: Value) -> str:
    if isinstance(note, str) and note in PERCUSSION:
        return note
    if isinstance(note, int) and note in _NAMES:
        return _NAMES[note]
    return "chord" if isinstance(note, list) else "pad"


def _free(name: str, taken: Collection[str]) -> str:
    """Return the name, with a number where it is taken."""
    numbered = (f"{name[: _LONGEST - 4]}_{number}" for number in count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _check_there(kit: KitConfig, pad: str) -> None:
    if pad not in kit.pads:
        raise UsageError(f"the kit has no pad {pad[:40]!r}; it has {', '.join(kit.pads)}")


def _check_free(kit: KitConfig, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:40]!r} is no name for a pad; write {NAME_RULE}")
    if name in kit.pads:
        raise UsageError(f"the kit has a pad {name} already; use another name")
