"""Run the detector over recorded takes and print how well it agrees with their truth. Reads files.

python tools/score_takes.py [FOLDER of *.take.gz with *.truth.jsonl; default ../shared/takes] [--kit rock]
"""

import argparse
from pathlib import Path

from lalelu.analysis.scoring import Score, score
from lalelu.config.loader import load_kit
from lalelu.config.schema import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.hits import HitRecord, read_hits
from lalelu.take import read_take
from lalelu.types import Hit

PROJECT = Path(__file__).resolve().parent.parent
LOOSE_MS = 100.0  # hand_* takes: hits were tagged by the player to about 3 frames at 30 fps
TIGHT_MS = 50.0


def detect(take_path: Path, kit: KitConfig) -> list[HitRecord]:
    """Return the hits that the detector finds in a take, times from its first frame."""
    take = read_take(take_path)
    detector = Detector(kit, skeleton=take.header.keypoints)
    start_ns = take.frames[0].captured_ns
    hits = [
        event
        for frame in take.frames
        for pose in frame.poses
        for event in detector.step(pose)
        if isinstance(event, Hit)
    ]
    return [
        HitRecord(
            time_s=(hit.struck_ns - start_ns) * 1e-9,
            limb=hit.limb,
            pad=hit.pad,
            decided_s=(hit.captured_ns - start_ns) * 1e-9,
        )
        for hit in hits
    ]


def line(name: str, result: Score) -> str:
    """Return one row of the table."""
    error, decision = result.error_ms, result.decision_ms
    times = "" if error is None else f"  error {error.mean:+6.1f} SD {error.sd:4.1f} ms"
    lag = "" if decision is None else f"  decided after p50 {decision.p50:3.0f} p95 {decision.p95:3.0f} ms"
    return (
        f"{name:30s} F1 {result.f1:.3f}  P {result.precision:.3f}  R {result.recall:.3f}  "
        f"{result.matched}/{result.true}{times}{lag}"
    )


def main() -> None:
    """Print one row a take."""
    parser = argparse.ArgumentParser(description="Score the detector on recorded takes.")
    parser.add_argument("folder", type=Path, nargs="?", default=PROJECT.parent / "shared" / "takes")
    parser.add_argument("--kit", default="rock", help="a kit's name or file (default rock)")
    args = parser.parse_args()
    kit = load_kit(args.kit, None)
    for path in sorted(args.folder.glob("*.take.gz")):
        name = path.name.removesuffix(".take.gz")
        truth = read_hits(path.with_name(f"{name}.truth.jsonl"))
        window_ms = LOOSE_MS if name.startswith("hand") else TIGHT_MS
        print(line(name, score(detect(path, kit), truth, window_ms=window_ms)))


if __name__ == "__main__":
    main()
