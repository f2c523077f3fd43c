"""What it costs to decide strokes before they end: made-up performances, a score for each lead. Reads a kit.

Nothing is rendered: the simulated drummer's exact keypoints are seen with a network's noise, which is white here. A
real network's errors last for some frames, and it loses wrists: `tools/score_takes.py --lead` tells on recordings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lalelu.analysis.scoring import Score, score, table
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.camera.simulated.truth import hit_record
from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit
from lalelu.gesture.detector import Detector
from lalelu.hits import HitRecord
from lalelu.performance import Delays, hit_records
from lalelu.skeleton import COCO17
from lalelu.types import Hit, Pose

LEADS_MS: Final = (0.0, 10.0, 20.0, 30.0, 40.0)
KIT: Final = "rock"  # its pads are where the simulated drummer strikes
# A drummer each, at the same time before a camera each: who idles must not sound.
GROOVES: Final = ("rock", "fast", "simple", "idle")
SECONDS: Final = 30.0
TAIL_S: Final = 0.2  # what is struck last is known a little later
FPS: Final = 100
NOISE: Final = 0.0023  # image heights, a coordinate's standard deviation: a rendered player's keypoints
SEEN: Final = 0.7  # score of every keypoint
# From a frame's capture to its notes: transfer 8 ms (the simulated camera), Lightning in bf16 5.5 ms, and the rest.
PIPELINE_MS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Price:
    """How well strokes are found with one lead; notes without a delay of their own, PIPELINE_MS after the frame."""

    lead_ms: float
    score: Score


@dataclass(frozen=True, slots=True)
class Performance:
    """What is seen, by frames and players, and what is played; times count from the first frame."""

    poses: tuple[Pose, ...]
    truth: tuple[HitRecord, ...]
    seconds: float


def perform(seconds: float) -> Performance:
    """Return what a player of each groove plays; the same every time."""
    films = [Film(FilmSettings(groove, fps=FPS, seed=seed)) for seed, groove in enumerate(GROOVES)]
    random = np.random.default_rng(1)
    seen = np.full(len(COCO17), SEEN, np.float32)
    poses = []
    for seq in range(round((seconds + TAIL_S) * FPS)):
        for player, film in enumerate(films):
            xy = film.keypoints(seq) + random.normal(0.0, NOISE, (len(COCO17), 2))
            poses.append(Pose(seq, round(seq * 1e9 / FPS), player, xy.astype(np.float32), seen))
    truth = [
        replace(hit_record(hit), player=player)
        for player, film in enumerate(films)
        for hit in film.truth(0.0, seconds)
    ]
    return Performance(tuple(poses), tuple(truth), seconds)


def price(performance: Performance, lead_ms: float, kit: KitConfig) -> Price:
    """Return the score of a performance that is decided so long before the strokes' ends."""
    detector = Detector(kit, skeleton=COCO17, lead_ms=lead_ms)
    hits = [event for pose in performance.poses for event in detector.step(pose) if isinstance(event, Hit)]
    delays = Delays(pipeline_ns=round(PIPELINE_MS * 1e6))
    found = [
        hit
        for hit in hit_records(hits, [kit], origin_ns=0, delays=delays)
        if hit.time_s <= performance.seconds
    ]
    return Price(lead_ms, score(found, performance.truth))


def prices(leads_ms: Sequence[float], progress: Callable[[str], None]) -> tuple[Price, ...]:
    """Return the price of each lead on one performance."""
    if not leads_ms:
        return ()
    progress("gesture: making a performance up")
    performance = perform(SECONDS)
    kit = load_kit(KIT, None)
    found = []
    for lead_ms in leads_ms:
        progress(f"gesture: lead {lead_ms:g} ms")
        found.append(price(performance, lead_ms, kit))
    return tuple(found)


def lead_table(rows: Sequence[Price]) -> str:
    """Return the prices as text for people."""
    title = (
        f"deciding ahead: {len(GROOVES)} made-up players ({', '.join(GROOVES)}) at {FPS} frames a second, "
        f"notes {PIPELINE_MS:g} ms after the deciding frame; hits and notes: ms after the true hit"
    )
    return f"{title}\n{table([(f'lead {each.lead_ms:g} ms', each.score) for each in rows])}"
