"""Compare flow between inferences with a network on every frame: keypoints, hits and time, on the simulated drummer.

python tools/bench_flow.py [--seconds 20] [--model thunder] ['sim:?...' ...]
Films are rendered to memory first (90 MB a second). Reference: the model on every frame, offline.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.scoring import score
from lalelu.camera.port import ADAPTERS
from lalelu.camera.simulated.camera import SimulatedCamera
from lalelu.camera.simulated.truth import hit_record
from lalelu.config.loader import load_kit
from lalelu.config.schema import Config, PoseSection
from lalelu.gesture.detector import Detector
from lalelu.hits import HitRecord
from lalelu.performance import Delays, hit_records
from lalelu.pose.build import build_estimator
from lalelu.pose.port import PoseEstimator
from lalelu.registry import from_uri
from lalelu.skeleton import COCO17
from lalelu.types import Frame, Hit, Pose

FILMS = (  # flow's numbers were chosen on the first four, with a look at the others
    "sim:?groove=rock&bpm=120&seed=1",
    "sim:?groove=rock&bpm=160&seed=2&look=stage&angle=20",
    "sim:?groove=fast&seed=3&distance=3&look=studio",
    "sim:?groove=rock&bpm=130&seed=4&exposure_ms=9&look=stripes&angle=-15",
    "sim:?groove=rock&bpm=110&seed=11&look=studio&angle=-20",
    "sim:?groove=fast&seed=12&look=stage&distance=2.6",
    "sim:?groove=rock&bpm=140&seed=14&look=stripes&distance=3",
    "sim:?groove=fast&bpm=130&seed=16&angle=25&light=0.4",
)
LINES = 480  # the unit of the errors: px of a picture so high
WRISTS = [COCO17.index("left_wrist"), COCO17.index("right_wrist")]
SETTLED = 20  # frames at the start that do not count


@dataclass
class Seen:
    """What one variant made of all films."""

    poses: list[list[Pose | None]] = field(default_factory=list)
    step_ms: list[float] = field(default_factory=list)
    hits: list[list[HitRecord]] = field(default_factory=list)


def variants(model: str) -> dict[str, PoseSection]:
    """Return the options to compare; the first one is the reference."""
    return {
        model: PoseSection(model=model),
        "lightning": PoseSection(model="lightning"),
        **{
            f"interleaved {every}": PoseSection(model=model, flow="interleaved", every=every)
            for every in (2, 3)
        },
        **{f"carried, lag {lag}": PoseSection(model=model, flow="carried", lag=lag) for lag in (2, 3, 4)},
    }


def watch(estimator: PoseEstimator, frames: Sequence[Frame], steps: list[float]) -> Iterator[Pose | None]:
    """Yield the pose in each frame, and note what it took (ms of this thread)."""
    for frame in frames:
        began_ns = time.thread_time_ns()
        estimator.prepare(frame)
        estimator.infer()
        poses = estimator.poses()
        steps.append((time.thread_time_ns() - began_ns) * 1e-6)
        yield poses[0] if poses else None


def held(poses: Sequence[Pose | None], lag: int) -> list[Pose | None]:
    """Return what holding the last result would give: one inference at a time, each `lag` frames late."""
    shown: Pose | None = None
    result: list[Pose | None] = []
    under_way = 0
    for seq in range(len(poses)):
        if seq >= under_way + lag:
            shown, under_way = poses[under_way], seq
        result.append(shown)
    return result


def hits_of(poses: Sequence[Pose | None], frames: Sequence[Frame]) -> list[HitRecord]:
    """Return the hits of the kit rock."""
    kit = load_kit("rock", None)
    detector = Detector(kit, skeleton=COCO17)
    hits = []
    for pose, frame in zip(poses, frames, strict=True):
        if pose is not None:
            now = Pose(frame.seq, frame.captured_ns, 0, pose.xy, pose.score)
            hits += [event for event in detector.step(now) if isinstance(event, Hit)]
    return hit_records(hits, [kit], origin_ns=0, delays=Delays())


def wrists(films: Sequence[Sequence[Pose | None]]) -> NDArray[np.float64]:
    """Return both wrists in every frame (N, 2, 2), px; not a number where the player is not seen."""
    unseen = np.full((2, 2), np.nan)
    return np.array(
        [unseen if pose is None else pose.xy[WRISTS] * LINES for poses in films for pose in poses[SETTLED:]]
    )


def row(name: str, seen: Seen, reference: Seen, truth: Sequence[Sequence[HitRecord]]) -> str:
    """Return one line of the table."""
    away = np.linalg.norm(wrists(seen.poses) - wrists(reference.poses), axis=2)
    p50, p95, p99 = np.nanpercentile(away, [50, 95, 99])
    texts = []
    for wanted in (truth, reference.hits):
        found, true, shift = [], [], 0.0
        for mine, theirs in zip(seen.hits, wanted, strict=True):  # films one after the other
            found += [_later(hit, shift) for hit in mine]
            true += [_later(hit, shift) for hit in theirs]
            shift += 1000.0
        result = score(found, true)
        sd = result.error_ms.sd if result.error_ms is not None else float("nan")
        texts.append(f"{100 * result.f1:5.1f} {sd:5.1f}")
    step = np.percentile(seen.step_ms, [50, 95]) if seen.step_ms else [np.nan, np.nan]
    unseen = 100 * float(np.isnan(away).mean())
    return (
        f"{name:18} {p50:5.2f} {p95:6.2f} {p99:6.1f} {unseen:5.1f}   {texts[0]}   {texts[1]}"
        f"   {step[0]:6.2f} {step[1]:6.2f}"
    )


def _later(hit: HitRecord, shift: float) -> HitRecord:
    return HitRecord(hit.time_s + shift, hit.limb, hit.pad, hit.player, hit.velocity)


def film(uri: str, seconds: float) -> tuple[list[Frame], list[HitRecord]]:
    """Render a film to memory."""
    camera = from_uri("camera", ADAPTERS, uri)
    assert isinstance(camera, SimulatedCamera), "the addresses say sim:"
    count = round(seconds * camera.options.fps)
    stamps = [round(seq * camera.period_ns) for seq in range(count)]
    frames = [Frame(seq, at_ns, at_ns, 0, camera.render(seq)) for seq, at_ns in enumerate(stamps)]
    return frames, [hit_record(hit) for hit in camera.truth(stamps[-1])]


def main(uris: Sequence[str], seconds: float, model: str, say: Callable[[str], None]) -> None:
    """Watch every film with every variant and print the table."""
    wanted = variants(model)
    seen = {name: Seen() for name in wanted}
    holding = {f"held, lag {lag}": Seen() for lag in (2, 3, 4)}
    truths = []
    for uri in uris:
        frames, truth = film(uri, seconds)
        truths.append(truth)
        for name, section in wanted.items():
            estimator = build_estimator(Config(pose=section))
            estimator.open()
            poses = list(watch(estimator, frames, seen[name].step_ms))
            estimator.close()
            seen[name].poses.append(poses)
            seen[name].hits.append(hits_of(poses, frames))
        for lag, one in zip((2, 3, 4), holding.values(), strict=True):
            poses = held(seen[model].poses[-1], lag)
            one.poses.append(poses)
            one.hits.append(hits_of(poses, frames))
        say(f"{uri}: {len(frames)} frames, {len(truth)} strokes")
    say(
        "                   wrists against every frame    against truth  against every frame   thread ms a frame"
    )
    say("                     p50    p95    p99 unseen%     F1     SD       F1     SD         p50    p95")
    for name, one in {**seen, **holding}.items():
        say(row(name, one, seen[model], truths))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("films", nargs="*", default=FILMS)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--model", default="thunder")
    asked = parser.parse_args()
    main(asked.films, asked.seconds, asked.model, lambda line: print(line, flush=True))
