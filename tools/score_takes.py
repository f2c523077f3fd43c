"""Run the detector over recorded takes and print how well it agrees with their truth. Reads files.

python tools/score_takes.py [FOLDER of *.take.gz with *.truth.jsonl; default ../shared/takes] [--kit rock]
    [--lead 0 20 40 --pipeline-ms 15] [--misses]
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lalelu.analysis.scoring import Score, match, score
from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit
from lalelu.gesture.detector import Detector
from lalelu.gesture.verdict import Verdict
from lalelu.hits import HitRecord, read_hits
from lalelu.performance import Delays, hit_records
from lalelu.take import Take, read_take
from lalelu.types import Hit

PROJECT: Final = Path(__file__).resolve().parent.parent
TAKES: Final = PROJECT.parent / "shared" / "takes"
LOOSE_MS: Final = 100.0  # hand_* takes: hits were tagged by the player to about 3 frames at 30 fps
TIGHT_MS: Final = 50.0
# A movement that ended farther from a missed hit than this was another one: hands play up to 5 Hz in the takes.
NEAR_S: Final = 0.2
AT_ONCE: Final = Delays()
NO_FALL: Final = "no_fall"  # not a rule: no downward movement near the hit was worth a verdict
ELSEWHEN: Final = "elsewhen"  # not a rule: a hit, but outside the window
MOST_NAMED: Final = 4  # takes in a line of the misses


def takes_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and the path of every take in a folder."""
    for path in sorted(folder.glob("*.take.gz")):
        yield path.name.removesuffix(".take.gz"), path


def truth_of(path: Path) -> tuple[HitRecord, ...]:
    """Return the true hits of the take at `path`."""
    return read_hits(path.with_name(path.name.replace(".take.gz", ".truth.jsonl")))


def window_ms(name: str) -> float:
    """Return how far hits of this take may lie from their true ones."""
    return LOOSE_MS if name.startswith("hand") else TIGHT_MS


def detect(
    take: Take,
    kit: KitConfig,
    *,
    lead_ms: float = 0.0,
    delays: Delays = AT_ONCE,
    explain: Callable[[Verdict], None] | None = None,
) -> list[HitRecord]:
    """Return the hits that the detector finds in a take, times from its first frame."""
    detector = Detector(kit, skeleton=take.header.keypoints, lead_ms=lead_ms, explain=explain)
    hits = [
        event
        for frame in take.frames
        for pose in frame.poses
        for event in detector.step(pose)
        if isinstance(event, Hit)
    ]
    detector.finish()
    return hit_records(hits, [kit], origin_ns=take.frames[0].captured_ns, delays=delays)


def line(name: str, result: Score) -> str:
    """Return one row of the table."""
    error, decision, note = result.error_ms, result.decision_ms, result.note_delay_ms
    times = "" if error is None else f"  error {error.mean:+6.1f} SD {error.sd:4.1f} ms"
    lag = "" if decision is None else f"  decided after p50 {decision.p50:3.0f} p95 {decision.p95:3.0f} ms"
    sounds = "" if note is None else f"  note {note.mean:+6.1f} SD {note.sd:4.1f} ms"
    ahead = f"  foreseen {100.0 * result.foreseen:.0f} %" if result.foreseen else ""
    return (
        f"{name} F1 {result.f1:.3f}  P {result.precision:.3f}  R {result.recall:.3f}  "
        f"{result.matched}/{result.true}  false {result.false}{times}{lag}{sounds}{ahead}"
    )


@dataclass(frozen=True, slots=True)
class Miss:
    """A true hit that was not found, and what the detector says of the movement nearest to it."""

    take: str
    time_s: float
    cause: str  # a verdict's rule, NO_FALL or ELSEWHEN
    after_s: float = 0.0  # the movement's end after the true hit
    why: str = "no downward movement ended near it"


def misses(name: str, path: Path, kit: KitConfig, lead_ms: float) -> tuple[list[Miss], int]:
    """Return the misses of a take, and how many hits are true."""
    take, truth, verdicts = read_take(path), truth_of(path), list[Verdict]()
    found = detect(take, kit, lead_ms=lead_ms, explain=verdicts.append)
    pairs = match(found, truth, window_s=window_ms(name) * 1e-3, by="limb")
    matched = {(found[i].player, found[i].limb, found[i].time_s) for i, _ in pairs}
    origin_ns = take.frames[0].captured_ns
    ended = [((verdict.lowest_ns - origin_ns) * 1e-9, verdict) for verdict in verdicts]
    free = [
        (time_s, verdict)
        for time_s, verdict in ended
        if verdict.rule is not None or (verdict.player, verdict.limb, time_s) not in matched
    ]
    known = {j for _, j in pairs}
    return [_miss(name, hit, free) for j, hit in enumerate(truth) if j not in known], len(truth)


def _miss(name: str, hit: HitRecord, free: Sequence[tuple[float, Verdict]]) -> Miss:
    near = [
        (abs(time_s - hit.time_s), time_s, verdict)
        for time_s, verdict in free
        if (verdict.player, verdict.limb) == (hit.player, hit.limb) and abs(time_s - hit.time_s) <= NEAR_S
    ]
    if not near:
        return Miss(name, hit.time_s, NO_FALL)
    _, time_s, verdict = min(near, key=lambda one: one[0])
    return Miss(name, hit.time_s, verdict.rule or ELSEWHEN, time_s - hit.time_s, verdict.why)


def miss_table(found: Sequence[Miss], true: int) -> str:
    """Return the misses by cause: how many, in which takes, and the one nearest to its true hit in words."""
    lines = [f"{len(found)} of {true} true hits missed, by what the movement within {NEAR_S * 1e3:g} ms was:"]
    for cause, count in Counter(miss.cause for miss in found).most_common():
        these = [miss for miss in found if miss.cause == cause]
        by_take = Counter(miss.take for miss in these).most_common()
        takes = ", ".join(f"{name} {many}" for name, many in by_take[:MOST_NAMED])
        takes += f" and {len(by_take) - MOST_NAMED} more" if len(by_take) > MOST_NAMED else ""
        lines.append(f"{count:4d} {100.0 * count / len(found):3.0f} %  {cause:20s} {takes}")
        one = min(these, key=lambda miss: abs(miss.after_s))
        lines.append(f"{'':33s}e.g. {one.take} {one.time_s:.2f} s: {one.why}")
    return "\n".join(lines)


def main() -> None:
    """Print one row a take and lead, or the misses."""
    parser = argparse.ArgumentParser(description="Score the detector on recorded takes.")
    parser.add_argument("folder", type=Path, nargs="?", default=TAKES)
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
    parser.add_argument("--misses", action="store_true", help="why true hits were not found, with each lead")
    args = parser.parse_args()
    kit = load_kit(args.kit, None)
    delays = Delays(round(args.delay_ms * 1e6), round(args.pipeline_ms * 1e6))
    if args.misses:
        for lead_ms in args.lead:
            print_misses(args.folder, kit, lead_ms)
        return
    for name, path in takes_of(args.folder):
        truth = truth_of(path)
        take = read_take(path)
        for lead_ms in args.lead:
            title = f"{name:30s}" + (f" lead {lead_ms:2g}" if any(args.lead) else "")
            found = detect(take, kit, lead_ms=lead_ms, delays=delays)
            print(line(title, score(found, truth, window_ms=window_ms(name))))


def print_misses(folder: Path, kit: KitConfig, lead_ms: float) -> None:
    """Print the misses of all takes in a folder, those tagged by a player apart from the others."""
    of = [(misses(name, path, kit, lead_ms), name) for name, path in takes_of(folder)]
    for loose in (False, True):
        chosen = [result for result, name in of if (window_ms(name) == LOOSE_MS) is loose]
        if chosen:
            every = [miss for found, _ in chosen for miss in found]
            title = "hits tagged by hand" if loose else "hits measured"
            print(f"{title}, lead {lead_ms:g} ms: {miss_table(every, sum(true for _, true in chosen))}\n")


if __name__ == "__main__":
    main()
