"""Film the drummer: exposure, light, sensor noise. Any frame can be rendered again, byte for byte. Pure."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.camera.simulated.drummer import POINT, SHOULDER_WIDTH, SHOULDER_Y, Drummer
from lalelu.camera.simulated.figure import (
    BODY,
    SEAT,
    SHINS,
    STOOL,
    Painter,
    Picture,
    bounds,
    forearm,
    upper_arms,
    view,
)
from lalelu.camera.simulated.groove import LEFT, RIGHT, TruthHit, hit_position
from lalelu.camera.simulated.scene import LOOKS, LookName, room
from lalelu.skeleton import COCO17

_MAX_MOMENTS: Final = 5  # pictures that are averaged into one exposure
_STEP_PX: Final = 1.2  # the fastest point moves at most about this far from one of them to the next
_TILE_MARGIN: Final = 61  # px by which the noise tiles are larger than the picture, so that they can wander
_COCO: Final = np.array([POINT[name] for name in COCO17])
_ELBOWS: Final = np.array([POINT["left_elbow"], POINT["right_elbow"]])
_WRISTS: Final = np.array([POINT["left_wrist"], POINT["right_wrist"]])
_HANDS: Final = np.array(
    [POINT[f"{side}_{name}"] for side in ("left", "right") for name in ("wrist", "fingertips")]
)
# m towards the camera: how far in front of the shoulders a pad is hit, within the arm's reach
_PAD_Z: Final[dict[tuple[str, int], float]] = {
    ("hihat", LEFT): 0.30,
    ("hihat", RIGHT): 0.25,
    ("snare", LEFT): 0.24,
    ("snare", RIGHT): 0.30,
    ("tom", LEFT): 0.34,
    ("tom", RIGHT): 0.34,
    ("floor_tom", RIGHT): 0.26,
    ("ride", RIGHT): 0.28,
    ("crash", LEFT): 0.28,
}


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """What is filmed and how; two films with equal settings are equal byte for byte."""

    groove: str = "rock"
    bpm: float = 120.0
    fps: float = 100.0  # frames per second of the player's time
    exposure_ms: float = 5.0
    width: int = 640  # px
    height: int = 480  # px
    look: LookName = "day"
    distance: float = 2.2  # m
    angle: float = 0.0  # degrees, towards the player's left
    camera_height: float = 1.3  # m above the floor
    light: float = 1.0  # 1 = a bright room
    noise: float = 2.0  # grey levels, SD at light 1
    seed: int = 0


class Film:
    """A film of one drummer; frame 0's mid-exposure is the player's time 0."""

    def __init__(self, settings: FilmSettings) -> None:
        self.settings = settings
        width, height = settings.width, settings.height
        look = LOOKS[settings.look]
        # The camera's automatic gain makes up for most of the missing light, at the price of noise.
        gain = settings.light**0.4
        noise = settings.noise * settings.light**-0.6
        self._view = view(width, height, settings.distance, settings.angle, settings.camera_height)
        self._drummer = Drummer(settings.groove, settings.bpm, settings.seed, self._pads())
        self._body = Painter(BODY, look.colours, gain)
        self._upper_arms = Painter(upper_arms(long_sleeves=look.long_sleeves), look.colours, gain)
        self._forearms = [
            Painter(forearm(side, long_sleeves=look.long_sleeves), look.colours, gain)
            for side in ("left", "right")
        ]
        self._room = room(look, width, height, gain, settings.seed)
        pixels, depths = self._view.project(self._drummer.points(np.array([0.0])))
        moves_legs = self._drummer.moves_legs
        seat = Painter(STOOL if moves_legs else SEAT, look.colours, gain)
        self._shins = Painter(SHINS if moves_legs else (), look.colours, gain)
        seat.paint(self._room, seat.outlines(pixels, depths, height)[0])
        rng = np.random.default_rng([settings.seed, 0x2015E])
        tile = rng.normal(0.0, noise, (height + _TILE_MARGIN, width + _TILE_MARGIN, 3))
        self._brighter = np.clip(np.rint(tile), 0, 255).astype(np.uint8)
        self._darker = np.clip(np.rint(-tile), 0, 255).astype(np.uint8)
        self._scratch = np.empty((height, width, 3), np.uint8)
        self._sum = np.empty((height, width, 3), np.float32)

    def _pads(self) -> dict[tuple[str, int], NDArray[np.float64]]:
        """Where the wrists hit (m), so that a camera straight in front sees them at their `hit_position`."""
        s = self.settings
        front = view(s.width, s.height, s.distance, 0.0, s.camera_height)
        shoulders = np.array([[-SHOULDER_WIDTH / 2, SHOULDER_Y, 0.0], [SHOULDER_WIDTH / 2, SHOULDER_Y, 0.0]])
        seen, _ = front.project(shoulders)
        unit, middle = seen[1, 0] - seen[0, 0], seen.mean(axis=0)
        return {
            (pad, hand): front.on_plane(middle - unit * np.array(hit_position(pad, hand)), z)
            for (pad, hand), z in _PAD_Z.items()
        }

    def truth(self, begin_s: float, end_s: float) -> tuple[TruthHit, ...]:
        """Return the hits from `begin_s` up to and with `end_s` of the player's time."""
        return self._drummer.truth(begin_s, end_s)

    def keypoints_at(self, time_s: float) -> NDArray[np.float32]:
        """Return the exact COCO keypoints (17, 2) in image heights at the player's `time_s`."""
        points = self._drummer.points(np.array([time_s]))[:, _COCO]
        pixels, _ = self._view.project(points)
        return np.asarray(pixels[0] / self.settings.height, np.float32)

    def keypoints(self, seq: int) -> NDArray[np.float32]:
        """Return the exact COCO keypoints (17, 2) in image heights at frame `seq`'s mid-exposure."""
        return self.keypoints_at(seq / self.settings.fps)

    def render(self, seq: int, out: Picture, *, empty: bool = False) -> None:
        """Render frame `seq` into `out` (height, width, 3) BGR; `empty`: the player has left."""
        out[:] = self._room
        if not empty:
            self._expose(seq, out)
        window = self._noise_window(seq)
        cv2.add(out, self._brighter[window], dst=out)
        cv2.subtract(out, self._darker[window], dst=out)

    def render_dark(self, seq: int, out: Picture) -> None:
        """Render frame `seq` into `out` as it is without any light: the sensor's noise alone."""
        out[:] = self._brighter[self._noise_window(seq)]

    def _noise_window(self, seq: int) -> tuple[slice, slice]:
        s = self.settings
        x, y = ((seq * 40503 + s.seed * 977) >> 3) % _TILE_MARGIN, (seq * 60493 + s.seed * 31) % _TILE_MARGIN
        return slice(y, y + s.height), slice(x, x + s.width)

    def _expose(self, seq: int, out: Picture) -> None:
        s = self.settings
        middle, exposure = seq / s.fps, s.exposure_ms * 1e-3
        # How far the hands move while the shutter is open decides how many moments make up the blur.
        ends = self._drummer.points(middle + exposure * np.array([-0.5, 0.0, 0.5]))
        pixels, depths = self._view.project(ends)
        moved = float(np.abs(pixels[2, _HANDS] - pixels[0, _HANDS]).max())
        self._shins.paint(out, self._shins.outlines(pixels[1:2], depths[1:2], s.height)[0])
        self._body.paint(out, self._body.outlines(pixels[1:2], depths[1:2], s.height)[0])
        count = min(_MAX_MOMENTS, 1 + int(moved / _STEP_PX))
        if count > 1:
            times = middle + exposure * ((np.arange(count) + 0.5) / count - 0.5)
            pixels, depths = self._view.project(self._drummer.points(times))
        else:
            pixels, depths = pixels[1:2], depths[1:2]
        self._expose_arms(out, pixels, depths)

    def _expose_arms(self, out: Picture, pixels: NDArray[np.float64], depths: NDArray[np.float64]) -> None:
        """Paint the arms at every moment (T, P, 2), (T, P), the farther one first; average the pictures."""
        height, width = out.shape[:2]
        near = depths[0, _ELBOWS] + depths[0, _WRISTS]
        painters = (self._upper_arms, *(self._forearms[hand] for hand in np.argsort(-near)))
        outlines = [painter.outlines(pixels, depths, height) for painter in painters]
        if len(pixels) == 1:
            for painter, outline in zip(painters, outlines, strict=True):
                painter.paint(out, outline[0])
            return
        whole = np.concatenate([each.reshape(-1, 2) for each in outlines])
        left, top, right, bottom = bounds(whole, width, height)
        if right <= left or bottom <= top:
            return
        target = out[top:bottom, left:right]
        scratch = self._scratch[: bottom - top, : right - left]
        total = self._sum[: bottom - top, : right - left]
        total[:] = 0.0
        origin = np.array([left, top], np.int32) << 4
        for moment in range(len(pixels)):
            scratch[:] = target
            for painter, outline in zip(painters, outlines, strict=True):
                painter.paint(scratch, outline[moment] - origin)
            cv2.accumulate(scratch, total)
        cv2.convertScaleAbs(total, dst=target, alpha=1.0 / len(pixels))
