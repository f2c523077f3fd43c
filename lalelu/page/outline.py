"""The pads of a kit as outlines to draw, and its feet. Pure; body units, of zones in the picture image heights."""

from typing import Any

from lalelu.config.gestures import Kick
from lalelu.config.kit import KitConfig
from lalelu.kitpicture.rim import rim
from lalelu.skeleton import mirrored


def drawn_pads(kit: KitConfig, *, left_handed: bool, aspect: float) -> list[dict[str, Any]]:
    """Return name, frame, outline, limbs, players (None: all) and threshold of every pad that lies somewhere."""
    found = []
    for name, pad in kit.pads.items():
        if pad.zone is None:
            continue
        corners = rim(pad.zone)
        limbs = pad.limbs
        if left_handed:
            turn = aspect if pad.zone.frame == "image" else 0.0
            corners = tuple((turn - x, y) for x, y in corners)
            limbs = tuple(map(mirrored, limbs))
        found.append(
            {
                "name": name,
                "frame": pad.zone.frame,
                "outline": [(round(x, 3), round(y, 3)) for x, y in corners],
                "limbs": limbs,
                "players": pad.players,
                "threshold": pad.threshold or kit.strike.min_speed,
            }
        )
    return found


def stomps(kit: KitConfig, *, left_handed: bool) -> list[dict[str, Any]]:
    """Return name, limbs, players (None: all) and threshold of every pad that a foot kicks."""
    return [
        {
            "name": kick.pad,
            "limbs": [mirrored(kick.limb) if left_handed else kick.limb],
            "players": kick.players,
            "threshold": kick.min_speed,
        }
        for kick in kit.gestures.values()
        if isinstance(kick, Kick)
    ]
