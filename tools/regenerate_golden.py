#!/usr/bin/env python3
"""Compare the detector's hits on the golden takes with those on file, and write them anew. Reads and writes files.

python tools/regenerate_golden.py [--write] [--film NAME,...]

Without --write it shows what would change and ends with 1 when anything would. --film plays and films takes anew
(with their truth) before the hits are found; those seen by the network are then different on another processor.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.camera.port import ADAPTERS
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.config.loader import load_kit
from lalelu.config.schema import Config
from lalelu.gesture.detector import Detector
from lalelu.hits import HitRecord, write_hits
from lalelu.pose.build import build_estimator
from lalelu.registry import from_uri
from lalelu.skeleton import COCO17
from lalelu.take import Take, TakeFrame, TakeHeader, TakeWriter, read_take
from lalelu.types import Frame, Hit, Pose

PROJECT: Final = Path(__file__).resolve().parent.parent
GOLDEN: Final = PROJECT / "tests" / "golden"
START_NS: Final = 7_000_000_001  # of the first frame; musical time never begins at zero on a real machine
DECIMALS: Final = 4  # of image heights: a twentieth of a pixel of 480; more only makes the files larger
WIDTH, HEIGHT = 640, 480
# The keypoints that drumming with the hands is recognised by; the files hold no others.
KEPT: Final = (
    "left_shoulder", "right_shoulder", "left_wrist", "right_wrist", "left_hip", "right_hip",
)  # fmt: skip
SCORE: Final = 0.7

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """When frames are captured, and what is wrong with them."""

    fps: float
    seconds: float
    jitter: float = 0.0  # frames: each capture is up to this much sooner or later
    dropped: float = 0.0  # share of the frames that are missing
    sd: float = 0.0  # noise of a coordinate, image heights; 0.0023 is what a rendered player's keypoints have
    seed: int = 0

    def frames(self) -> tuple[list[int], Floats]:
        """Return the numbers of the frames that arrive and when they are captured, s."""
        rng = np.random.default_rng([self.seed, 0x601D])
        count = round(self.fps * self.seconds)
        times = (np.arange(count) + rng.uniform(-1.0, 1.0, count) * self.jitter) / self.fps
        seqs = [seq for seq in range(count) if seq == 0 or rng.random() >= self.dropped]
        return seqs, np.maximum(times[seqs], 0.0)


# Takes of the simulated drummer's exact keypoints: what is played, from what second, and how it is seen.
DRUMMER: Final[dict[str, tuple[FilmSettings, float, Grid]]] = {
    "rock_100": (FilmSettings("rock", 120.0, seed=3), 1.0, Grid(100, 7.0)),
    "rock_24_noise": (FilmSettings("rock", 96.0, seed=4, angle=20.0), 0.0, Grid(24, 14.0, sd=0.0015)),
    "simple_30_dropped": (FilmSettings("simple", 110.0, seed=5), 0.0, Grid(30, 12.0, dropped=0.1, sd=0.0015)),
    "rock_60_jitter": (FilmSettings("rock", 140.0, seed=6), 0.5, Grid(60, 7.0, jitter=0.3, sd=0.0023)),
    "fast_200": (FilmSettings("fast", seed=7), 1.0, Grid(200, 3.0)),
    "idle_60_noise": (FilmSettings("idle", seed=8), 0.0, Grid(60, 8.0, dropped=0.02, sd=0.0023)),
}
# Takes of the tests' own drummer, whose hands move as sinusoids.
SINUSOIDS: Final = {
    "crossing_100_noise": Grid(100, 5.0, sd=0.002, seed=1),
    "hidden_100_noise": Grid(100, 4.8, jitter=0.1, sd=0.0023, seed=2),
}
# Takes seen by the real network.
NETWORK: Final = {"network_60": "sim:?groove=rock&bpm=126&fps=60&seed=11&size=320x240&seconds=4"}

Scene = tuple[TakeHeader, list[TakeFrame], list[HitRecord]]


def pose(seq: int, captured_ns: int, xy: Floats, known: Sequence[str] = KEPT) -> Pose:
    """Return what is kept of one frame's keypoints (17, 2)."""
    kept = np.zeros((len(COCO17), 2))
    score = np.zeros(len(COCO17), np.float32)
    for name in known:
        index = COCO17.index(name)
        kept[index], score[index] = np.round(xy[index], DECIMALS), SCORE
    return Pose(seq, captured_ns, 0, kept.astype(np.float32), score)


def film_drummer(name: str) -> Scene:
    """Take the simulated drummer's exact keypoints, with noise where it is asked for."""
    settings, begin_s, grid = DRUMMER[name]
    film = Film(settings)
    seqs, times = grid.frames()
    noise = np.random.default_rng([grid.seed, 0x2015E]).normal(0.0, grid.sd, (len(seqs), len(COCO17), 2))
    frames = []
    for seq, time_s, moved in zip(seqs, times, noise, strict=True):
        captured_ns = START_NS + round(time_s * 1e9)
        xy = film.keypoints_at(begin_s + time_s).astype(np.float64) + moved
        frames.append(TakeFrame(seq, captured_ns, (pose(seq, captured_ns, xy),)))
    truth = [
        HitRecord(hit.time_ns * 1e-9 - begin_s - times[0], hit.limb, hit.pad, hit.player, hit.velocity)
        for hit in film.truth(begin_s, begin_s + times[-1])
    ]
    return TakeHeader(f"simulated drummer, {settings.groove}", grid.fps, WIDTH, HEIGHT), frames, truth


def film_sinusoids(name: str) -> Scene:
    """Film the tests' drummer: arms that cross, or keypoints and a player that are out of sight for a while."""
    sys.path.insert(0, str(PROJECT / "tests" / "gesture"))
    import drummer

    grid = SINUSOIDS[name]
    seqs, times = grid.frames()
    crossing = name.startswith("crossing")

    def unseen(limb: str, time_s: float, until_s: float = 0.0) -> bool:
        """Whether a limb, or all of the player, is hidden at `time_s`, or was less than `until_s` before."""
        return not crossing and (
            (limb == "right_wrist" and 1.55 < time_s < 1.95 + until_s) or 3.1 < time_s < 3.6 + until_s
        )

    left, left_truth = drummer.strokes(times, drummer.SNARE, hz=2.5, height=0.5, begin=0.6, count=10)
    right, right_truth = drummer.strokes(times, (0.9, -0.7), hz=3.0, height=0.45, begin=0.5, count=13)
    if crossing:  # the right hand goes over to the hi-hat, above the left one, and comes back
        right[:, 0] += -1.75 * 0.5 * (1.0 - np.cos(2.0 * np.pi * np.clip((times - 1.0) / 3.5, 0.0, 1.0)))
    shown = drummer.poses(times, left, right, sd=grid.sd / 0.2, seed=grid.seed)
    frames = []
    for seq, time_s, seen in zip(seqs, times, shown, strict=True):
        captured_ns = START_NS + round(time_s * 1e9)
        known = [keypoint for keypoint in KEPT if not unseen(keypoint, time_s)]
        poses = (pose(seq, captured_ns, seen.xy.astype(np.float64), known),) if known else ()
        frames.append(TakeFrame(seq, captured_ns, poses))
    truth = [
        HitRecord(time_s - times[0], limb)
        for limb, struck in (("left_wrist", left_truth), ("right_wrist", right_truth))
        for time_s in struck
        # a stroke is known a few frames after its end, and only when its fall was seen
        if time_s < times[-1] - 0.05 and not unseen(limb, time_s + 0.05, 0.15)
    ]
    return TakeHeader(f"hands that move as sinusoids, {name}", grid.fps, WIDTH, HEIGHT), frames, truth


def film_network(name: str) -> Scene:
    """Render the simulated drummer and have the real network look at him."""
    camera = from_uri("camera", ADAPTERS, NETWORK[name])
    estimator = build_estimator(Config())
    estimator.open()
    width, height = (int(side) for side in camera.options.size.split("x"))
    frames = []
    for seq in range(round(camera.options.seconds * camera.options.fps)):
        captured_ns = START_NS + round(seq * camera.period_ns)
        estimator.prepare(Frame(seq, captured_ns, captured_ns, 0, camera.render(seq)))
        estimator.infer()
        poses = [
            replace(seen, xy=np.round(seen.xy.astype(np.float64), DECIMALS).astype(np.float32))
            for seen in estimator.poses()
        ]
        frames.append(TakeFrame(seq, captured_ns, tuple(poses)))
    estimator.close()
    truth = [
        HitRecord(hit.time_ns * 1e-9, hit.limb, hit.pad, hit.player, hit.velocity)
        for hit in camera.truth(frames[-1].captured_ns - START_NS)
    ]
    header = TakeHeader(NETWORK[name], camera.options.fps, width, height, model=Config().pose.model)
    return header, frames, truth


SCENES: Final[dict[str, Callable[[str], Scene]]] = {
    **dict.fromkeys(DRUMMER, film_drummer),
    **dict.fromkeys(SINUSOIDS, film_sinusoids),
    **dict.fromkeys(NETWORK, film_network),
}


def film(name: str, folder: Path) -> None:
    """Write NAME.take.gz and NAME.truth.jsonl."""
    header, frames, truth = SCENES[name](name)
    with TakeWriter(folder / f"{name}.take.gz", header) as take:
        for frame in frames:
            take.write(frame)
    write_hits(folder / f"{name}.truth.jsonl", truth)


def hits_of(take: Take) -> Iterator[Hit]:
    """Yield every hit of a take on the golden kit, in the order of finding."""
    detector = Detector(load_kit("kit.yaml", GOLDEN), skeleton=take.header.keypoints)
    for frame in take.frames:
        for each in frame.poses:
            yield from (event for event in detector.step(each) if isinstance(event, Hit))


def lines_of(hits: Iterator[Hit]) -> list[str]:
    """Return the golden file's lines: one JSON object a hit; strengths have 6 decimals."""
    return [
        json.dumps(
            {
                "struck_ns": hit.struck_ns,
                "limb": hit.limb,
                "pad": hit.pad,
                "strength": round(hit.strength, 6),
                "seq": hit.seq,
            }
        )
        + "\n"
        for hit in hits
    ]


def main(argv: Sequence[str], folder: Path = GOLDEN) -> int:
    """Show or write the golden hits of the takes in `folder`; 1 when they differ and are not written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--write", action="store_true", help="write what is found now")
    parser.add_argument("--film", default="", metavar="NAME,...", help=f"of {', '.join(SCENES)}; or all")
    args = parser.parse_args(argv)
    films = list(SCENES) if args.film == "all" else [name for name in args.film.split(",") if name]
    if films and not args.write:
        parser.error("--film replaces takes; say --write, too")
    for name in films:
        if name not in SCENES:
            parser.error(f"--film has {name!r}; known are {', '.join(SCENES)}")
        film(name, folder)
    changed = 0
    for path in sorted(folder.glob("*.take.gz")):
        name = path.name.removesuffix(".take.gz")
        golden = path.with_name(f"{name}.hits.jsonl")
        before = golden.read_text(encoding="utf-8").splitlines(keepends=True) if golden.exists() else []
        now = lines_of(hits_of(read_take(path)))
        if before == now and golden.exists():
            continue
        changed += 1
        sys.stdout.writelines(difflib.unified_diff(before, now, f"{name} on file", f"{name} now", n=0))
        if args.write:
            golden.write_text("".join(now), encoding="utf-8")
    done = "written" if args.write else "differ; --write keeps what is found now"
    print(f"{changed} golden files {done}" if changed else "the golden hits are as they were")
    return 0 if args.write else min(changed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
