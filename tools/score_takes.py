"""Run the detector over recorded takes and print how well it agrees with their truth. Reads files.

python tools/score_takes.py [FOLDER of *.take.gz with *.truth.jsonl; default ../shared/takes] [--kit rock]
    [--lead 0 20 40 --pipeline-ms 15]
"""

import argparse
from pathlib import Path

from lalelu.analysis.scoring import Score, score
from lalelu.config.loader import load_kit
from lalelu.config.schema import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.hits import HitRecord, read_hits
from lalelu.performance import Delays, hit_records
from lalelu.take import read_take
from lalelu.types import Hit

PROJECT = Path(__file__).resolve().parent.parent
LOOSE_MS = 100.0  # hand_* takes: hits were tagged by the player to about 3 frames at 30 fps
TIGHT_MS = 50.0


def detect(take_path: Path, kit: KitConfig, lead_ms: float, delays: Delays) -> list[HitRecord]:
    """Return the hits that the detector finds in a take, times from its first frame."""
    take = read_take(take_path)
    detector = Detector(kit, skeleton=take.header.keypoints, lead_ms=lead_ms)
    hits = [
        event
        for frame in take.frames
        for pose in frame.poses
        for event in detector.step(pose)
        if isinstance(event, Hit)
    ]
    return hit_records(hits, kit, origin_ns=take.frames[0].captured_ns, delays=delays)


def line(name: str, result: Score) -> str:
    """Return one row of the table."""
    error, decision, note = result.error_ms, result.decision_ms, result.note_delay_ms
    times = "" if error is None else f"  error {error.mean:+6.1f} SD {error.sd:4.1f} ms"
    lag = "" if decision is None else f"  decided after p50 {decision.p50:3.0f} p95 {decision.p95:3.0f} ms"
    sounds = "" if note is None else f"  note {note.mean:+6.1f} SD {note.sd:4.1f} ms"
    return (
        f"{name} F1 {result.f1:.3f}  P {result.precision:.3f}  R {result.recall:.3f}  "
        f"{result.matched}/{result.true}{times}{lag}{sounds}"
    )


def main() -> None:
    """Print one row a take and lead."""
    parser = argparse.ArgumentParser(description="Score the detector on recorded takes.")
    parser.add_argument("folder", type=Path, nargs="?", default=PROJECT.parent / "shared" / "takes")
    parser.add_argument("--kit", default="rock", help="a kit's name or file (default rock)")
    parser.add_argument(
        "--lead",
        type=float,
        nargs="+",
        default=[0.0],
        metavar="MS",
        help="timing.lead_ms, one or several (0)",
    )
    parser.add_argument("--delay-ms", type=float, default=0.0, metavar="MS", help="timing.delay_ms (0)")
    parser.add_argument(
        "--pipeline-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="the machine's share: a note goes out this long after its deciding frame (0)",
    )
    args = parser.parse_args()
    kit = load_kit(args.kit, None)
    delays = Delays(round(args.delay_ms * 1e6), round(args.pipeline_ms * 1e6))
    for path in sorted(args.folder.glob("*.take.gz")):
        name = path.name.removesuffix(".take.gz")
        truth = read_hits(path.with_name(f"{name}.truth.jsonl"))
        window_ms = LOOSE_MS if name.startswith("hand") else TIGHT_MS
        for lead_ms in args.lead:
            title = f"{name:30s}" + (f" lead {lead_ms:2g}" if any(args.lead) else "")
            print(line(title, score(detect(path, kit, lead_ms, delays), truth, window_ms=window_ms)))


if __name__ == "__main__":
    main()
