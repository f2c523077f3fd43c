"""The path of one wrist of the simulated drummer: knots with half cosines between them. Pure.

World: X to the picture's right (the player's left), Y up from the floor, Z towards the camera; metres.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# m/s, hands sinking to the thighs: below the 0.5 m/s that make a stroke in the mocap's truth
_LOWER_SPEED: Final = 0.42
_FOLLOW_UP: Final = 0.25, 0.08  # s and m: how the hand comes up after a phrase's last stroke


@dataclass(frozen=True, slots=True)
class Track:
    """A path through knots, with a half cosine from each to the next; it stands still at every knot."""

    times: Floats  # (N,) s, rising
    values: Floats  # (N, D) m

    def at(self, times: Floats) -> Floats:
        """Return the path's points (T, D) at `times` (T,); before and after it, its ends."""
        right = np.clip(np.searchsorted(self.times, times), 1, len(self.times) - 1)
        begin, end = self.times[right - 1], self.times[right]
        u = np.clip((times - begin) / (end - begin), 0.0, 1.0)
        share = (0.5 - 0.5 * np.cos(np.pi * u))[:, None]
        start: Floats = self.values[right - 1]
        return start + share * (self.values[right] - start)


class WristPath:
    """Knots of one wrist while they are being laid: the plane (x, z) and the height apart."""

    def __init__(self, rest: Floats) -> None:
        self.rest = rest
        self.plane = [(0.0, rest[0], rest[2])]
        self.height = [(0.0, rest[1])]

    @property
    def time(self) -> float:
        """Return when the last knot is, s."""
        return max(self.plane[-1][0], self.height[-1][0])

    @property
    def y(self) -> float:
        """Return the last knot's height, m."""
        return float(self.height[-1][1])

    def plane_to(self, time: float, x: float, z: float) -> None:
        """Be at (x, z) at `time`, unless a knot is there already."""
        if time - self.plane[-1][0] > 1e-6:
            self.plane.append((time, x, z))

    def height_to(self, time: float, y: float) -> None:
        """Be at height `y` at `time`, unless a knot is there already."""
        if time - self.height[-1][0] > 1e-6:
            self.height.append((time, y))

    def go(self, time: float, point: Floats) -> None:
        """Be at `point` (3,) at `time`."""
        self.plane_to(time, point[0], point[2])
        self.height_to(time, point[1])

    def stay(self, time: float) -> None:
        """Keep still until `time`."""
        self.plane_to(time, *self.plane[-1][1:])
        self.height_to(time, self.y)

    def lowering_s(self) -> float:
        """Return how long `lower` takes, s."""
        fall = self.y + _FOLLOW_UP[1] - float(self.rest[1])
        return _FOLLOW_UP[0] + max(0.6, 0.5 * np.pi * fall / _LOWER_SPEED)

    def lower(self) -> None:
        """Come up a little, as after any stroke, and sink to the thigh, too slowly for one."""
        end = self.time + self.lowering_s()
        seconds, height = _FOLLOW_UP
        self.go(self.time + seconds, np.array([self.plane[-1][1], self.y + height, self.plane[-1][2]]))
        self.go(end, self.rest)

    def tracks(self, end: float) -> tuple[Track, Track]:
        """Return the plane (x, z) and the height over time, until `end` at least."""
        self.stay(max(end, self.time + 0.01))
        plane, height = np.array(self.plane), np.array(self.height)
        return Track(plane[:, 0], plane[:, 1:]), Track(height[:, 0], height[:, 1:])
