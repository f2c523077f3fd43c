"""From a kit's gesture sections to the gestures of one player. Pure."""

from collections.abc import Callable, Mapping

from lalelu.config.gestures import Chord, ControlGesture, Gesture, HiHat, Hold, InZone, Kick, ZoneEnter
from lalelu.config.kit import KitConfig
from lalelu.config.zones import Zone
from lalelu.gesture.act import PlayedGesture
from lalelu.gesture.chord import ChordPlayer
from lalelu.gesture.control import ControlPlayer
from lalelu.gesture.hihat import HiHatPlayer
from lalelu.gesture.hold import HoldPlayer
from lalelu.gesture.kick import KickPlayer
from lalelu.gesture.zone_enter import ZoneEnterPlayer
from lalelu.gesture.zones import middle


def build_gestures(
    kit: KitConfig, *, left_handed: bool = False, aspect: float | None = None
) -> Callable[[], Mapping[str, PlayedGesture]]:
    """Return what makes one player's gestures, by name. `left_handed` and `aspect` as Zones has them.

    Raises UsageError where the aspect is needed and not known: to mirror a zone that lies in the picture.
    """
    for name, section in kit.gestures.items():
        if left_handed and any(zone.frame == "image" for zone in _zones(section)):
            middle(f"a zone of gestures.{name}", aspect)
    mirror_at = 0.5 * aspect if left_handed and aspect is not None else None
    return lambda: {name: _build(section, mirror_at) for name, section in kit.gestures.items()}


def _build(section: Gesture, mirror_at: float | None) -> PlayedGesture:
    if isinstance(section, Kick):
        return KickPlayer(section)
    if isinstance(section, HiHat):
        return HiHatPlayer(section)
    if isinstance(section, Chord):
        return ChordPlayer(section)
    if isinstance(section, ControlGesture):
        return ControlPlayer(section)
    if isinstance(section, ZoneEnter):
        return ZoneEnterPlayer(section, mirror_at)
    assert isinstance(section, Hold)
    return HoldPlayer(section, mirror_at)


def _zones(section: Gesture) -> list[Zone]:
    if isinstance(section, ZoneEnter):
        return [section.zone]
    if isinstance(section, Hold):
        return [condition.zone for condition in section.where if isinstance(condition, InZone)]
    return []
