"""What gestures are shown, for tests: limbs on given paths, as a noisy network sees them in a camera's frames."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from drummer import Path, noise

from lalelu.gesture.act import Act, PlayedGesture, Point, Sight
from lalelu.gesture.body import BodyFrame

START_NS = 5_000_000_000_000
NOISE = 0.02  # body units, of a wrist


def body(*, middle: tuple[float, float] = (0.6, 0.35), size: float = 0.2, facing: bool = True) -> BodyFrame:
    """A player between whose shoulders is `middle` and whose shoulder width is `size`, image heights."""
    frame = BodyFrame()
    half = 0.5 * size if facing else -0.5 * size
    frame.observe(0, (middle[0] + half, middle[1]), (middle[0] - half, middle[1]), None)
    return frame


def sights(
    t: np.ndarray,
    paths: Mapping[str, Path],
    *,
    sd: float = 0.0,
    seed: int = 0,
    hidden: Mapping[str, Iterable[int]] | None = None,
    handed: float = 1.0,
) -> list[Sight]:
    """Frames at `t` (seconds) of limbs on `paths` (n, 2), body units; in frames `hidden` a limb is not known."""
    frame = body()
    seen = {
        limb: path + noise(path.shape, sd, seed * 100 + number)
        for number, (limb, path) in enumerate(paths.items())
    }
    gone = {limb: set(frames) for limb, frames in (hidden or {}).items()}
    film = []
    for i, time in enumerate(t):
        points: dict[str, Point | None] = {
            limb: None if i in gone.get(limb, ()) else (float(path[i, 0]), float(path[i, 1]))
            for limb, path in seen.items()
        }
        film.append(Sight(START_NS + round(float(time) * 1e9), points, frame, handed))
    return film


def dropped(film: Sequence[Sight], share: float, seed: int = 0) -> list[Sight]:
    """The film without a share of its frames, by chance."""
    keep = np.random.default_rng(seed).random(len(film)) >= share
    return [sight for sight, kept in zip(film, keep, strict=True) if kept]


def acts(gesture: PlayedGesture, film: Iterable[Sight]) -> list[tuple[float, Act]]:
    """What the gesture does, each with its frame's time in seconds."""
    return [((sight.captured_ns - START_NS) * 1e-9, act) for sight in film for act in gesture.step(sight)]


def glide(t: np.ndarray, places: Sequence[tuple[float, float, float]], *, seconds: float = 0.3) -> Path:
    """A limb that stays at places (begin s, x, y) and takes `seconds` from one to the next, with soft ends."""
    path = np.tile(np.array(places[0][1:], dtype=np.float64), (len(t), 1))
    for (_, *here), (begin, *there) in pairwise(places):
        share = 0.5 - 0.5 * np.cos(np.pi * np.clip((t - begin) / seconds, 0.0, 1.0))
        path += share[:, None] * (np.array(there) - np.array(here))
    return path
