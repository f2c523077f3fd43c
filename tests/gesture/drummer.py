"""A drummer made of sinusoids, for tests: poses with exact truth."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lalelu.config.kit import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.skeleton import COCO17
from lalelu.types import Event, Hit, Pose

MM = 1 / 380  # body units: a shoulder width of 380 mm
HIHAT, SNARE = (-0.75, -0.75), (-0.25, -1.15)

KIT = KitConfig.model_validate(
    {
        "name": "test",
        "pads": {
            "snare": {"note": 38, "zone": {"ellipse": [-0.25, -1.15, 0.3, 0.3]}},
            "hihat": {"note": 42, "zone": {"ellipse": [-0.85, -0.75, 0.3, 0.3]}},
            "ride": {"note": 51, "zone": {"ellipse": [1.2, -0.6, 0.3, 0.3]}},
        },
    }
)

Path = NDArray[np.float64]  # (n, 2) body units


def stamps(seconds: float, fps: float = 100.0, phase: float = 0.0) -> NDArray[np.float64]:
    """Seconds of n frames; `phase` in frames."""
    return (np.arange(round(seconds * fps)) + phase) / fps


def still(t: NDArray[np.float64], place: tuple[float, float]) -> Path:
    """A hand that rests."""
    return np.tile(np.array(place, dtype=np.float64), (len(t), 1))


def strokes(
    t: NDArray[np.float64],
    place: tuple[float, float],
    *,
    hz: float,
    height: float,
    begin: float = 1.0,
    count: int = 8,
) -> tuple[Path, list[float]]:
    """A hand that goes up at `begin` and strikes `count` times, its lowest points, and stays up half a stroke high."""
    cycles = np.clip((t - begin) * hz, 0.0, count + 0.5)
    path = still(t, place)
    path[:, 1] += height * 0.5 * (1.0 - np.cos(2.0 * np.pi * cycles))
    return path, [begin + k / hz for k in range(1, count + 1)]


def noise(shape: tuple[int, int], sd: float, seed: int) -> Path:
    """Noise of keypoints with some memory from frame to frame (correlation 0.3)."""
    white = np.random.default_rng(seed).normal(0.0, 1.0, shape)
    out = white.copy()
    for before, now in pairwise(range(shape[0])):
        out[now] = 0.3 * out[before] + np.sqrt(1.0 - 0.3**2) * white[now]
    return sd * out


def poses(
    t: NDArray[np.float64],
    left: Path,
    right: Path,
    *,
    size: float = 0.2,
    place: tuple[float, float] = (0.6, 0.35),
    start_ns: int = 0,
    sd: float = 0.0,
    seed: int = 0,
    hips: bool = True,
    score: float = 0.7,
) -> list[Pose]:
    """Film both wrists (body units): `size` = shoulder width and `place` = mid-shoulder in image heights."""
    n = len(t)
    body: dict[str, Path] = {
        "left_shoulder": still(t, (-0.5, 0.0)),
        "right_shoulder": still(t, (0.5, 0.0)),
        "left_wrist": left,
        "right_wrist": right,
    }
    if hips:
        body |= {"left_hip": still(t, (-0.35, -1.35)), "right_hip": still(t, (0.35, -1.35))}
    xy = np.zeros((n, 17, 2))
    scores = np.zeros((n, 17), dtype=np.float32)
    for k, (name, path) in enumerate(body.items()):
        seen = path + (noise((n, 2), sd, 100 * seed + k) if sd else 0.0)
        index = COCO17.index(name)
        xy[:, index, 0] = place[0] - size * seen[:, 0]
        xy[:, index, 1] = place[1] - size * seen[:, 1]
        scores[:, index] = score
    return [
        Pose(i, start_ns + round(float(t[i]) * 1e9), 0, xy[i].astype(np.float32), scores[i]) for i in range(n)
    ]


def changed(film: Sequence[Pose], change: Callable[[Pose], Pose]) -> list[Pose]:
    """The film with every pose changed; arrays are copied first."""
    return [change(replace(pose, xy=pose.xy.copy(), score=pose.score.copy())) for pose in film]


def events(film: Sequence[Pose], kit: KitConfig = KIT, *, left_handed: bool = False) -> list[Event]:
    """Everything that the detector finds."""
    detector = Detector(kit, skeleton=COCO17, left_handed=left_handed)
    return [event for pose in film for event in detector.step(pose)]


def hits(film: Sequence[Pose], kit: KitConfig = KIT, *, left_handed: bool = False) -> list[Hit]:
    """The hits that the detector finds."""
    return [event for event in events(film, kit, left_handed=left_handed) if isinstance(event, Hit)]


def seconds(found: Sequence[Hit], limb: str) -> list[float]:
    """The struck times of one limb."""
    return [hit.struck_ns * 1e-9 for hit in found if hit.limb == limb]
