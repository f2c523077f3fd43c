"""Feet for tests: paths with exact truth, and the sights of a player whose shoulders may move."""

from collections.abc import Sequence

import numpy as np
from drummer import MM, noise
from numpy.typing import NDArray

from lalelu.gesture.act import Act, PlayedGesture, Sight
from lalelu.gesture.body import BodyFrame

Floats = NDArray[np.float64]
UNIT = 0.2  # image heights of a body unit
PLACE = (0.6, 0.25)  # between the shoulders, image heights
FLOOR = 0.9  # where the ankle rests, image heights
FALL_POWER = 1.6  # a foot is faster and faster until the floor stops it


def ease(share: Floats) -> Floats:
    """Half a cosine from 0 to 1."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(share, 0.0, 1.0)))


def fall_s(mm: float, period_s: float) -> float:
    """How long a foot falls: 90 ms from 50 mm, 118 ms from 120 mm."""
    return min(0.07 + 0.0004 * mm, 0.4 * period_s)


def stomps(
    t: Floats, *, hz: float, mm: float, begin: float = 1.0, count: int = 8
) -> tuple[Floats, list[float]]:
    """A foot that stomps `count` times: its heights (body units) and when it lands. It rests on the floor."""
    height, truth = np.zeros(len(t)), []
    fall, rise = fall_s(mm, 1.0 / hz), min(0.25, 0.45 / hz)
    for k in range(count):
        land = begin + (k + 1) / hz
        up = ease((t - land + fall + rise) / rise)
        height += mm * MM * np.minimum(up, 1.0 - np.clip((t - land + fall) / fall, 0.0, 1.0) ** FALL_POWER)
        truth.append(land)
    return height, truth


def put_down(t: Floats, *, mm: float, at: float, up_s: float, down_s: float) -> Floats:
    """A foot that is lifted at `at` and put down softly."""
    return np.asarray(mm * MM * (ease((t - at) / up_s) - ease((t - at - up_s) / down_s)))


def sights(
    t: Floats,
    limb: str,
    height: Floats,
    *,
    across: Floats | None = None,
    shoulders: Floats | None = None,
    sd: float = 0.0,
    seed: int = 0,
    start_ns: int = 0,
) -> list[Sight]:
    """Film a foot: `height` and `across` in body units over its place, `shoulders` (image heights) go up."""
    seen = noise((len(t), 2), sd, seed) if sd else np.zeros((len(t), 2))
    x = (np.zeros(len(t)) if across is None else across) + seen[:, 0]
    y = height + seen[:, 1]
    lift = np.zeros(len(t)) if shoulders is None else shoulders
    body, film = BodyFrame(), []
    for k in range(len(t)):
        now_ns = start_ns + round(float(t[k]) * 1e9)
        level = PLACE[1] - float(lift[k])
        body.observe(now_ns, (PLACE[0] + UNIT / 2, level), (PLACE[0] - UNIT / 2, level), None)
        here = BodyFrame()
        here.place_x, here.place_y, here.size, here.side = body.place_x, body.place_y, body.size, body.side
        point = body.locate(PLACE[0] - 0.1 - UNIT * float(x[k]), FLOOR - UNIT * float(y[k]))
        film.append(Sight(now_ns, {limb: point}, here))
    return film


def acts(player: PlayedGesture, film: Sequence[Sight]) -> list[tuple[int, Act]]:
    """Everything that a gesture does, with the frame's stamp."""
    return [(sight.captured_ns, act) for sight in film for act in player.step(sight)]
