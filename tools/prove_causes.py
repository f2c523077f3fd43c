"""Disturb the instrument in known ways, one run each, and show what its rows say of it, beside a clean run's.

    tools/prove_causes.py [KIND...] [--seconds 20] [--keep DIR]

Of each disturbance the worst frame (or note) is taken, and the medians of these stand beside the undisturbed ones'.
At the end stands what `lalelu latency` says of each run: the main cause of its late frames (or notes), and the share of
the lost time that is charged to what was really done. The camera is the simulated drummer, all else is real; the
disturbances are those of tools/disturb.py.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from disturb import KINDS, STAMPS, Target
from prove_realtime import Run

from lalelu.ledger.reader import read_ledger
from lalelu.ledger.schema import UNTOLD

WARM_UP_S = 4.0
FILM_PRIORITY = 1  # SCHED_FIFO: others on this machine must not make the film late, a disturbance of its own
CLEAN = "clean"
TOOLS = Path(__file__).parent
UNEXPLAINED: Final = frozenset({"computing", "unexplained", "not_told"})  # nothing is blamed by these
CAUSES = {  # what the analyser is to say: of frames or notes, and which causes are the right ones
    "hog": ("frames", {"queued", "woken_late"}),
    "stop": ("frames", {"slept", "reading"}),  # in the work, or while it waited for the frame
    "camera": ("frames", {"camera"}),
    "voice": ("notes", {"voice"}),
    "frequency": ("frames", {"frequency"}),
    "gc": ("frames", {"collector"}),
    "faults": ("frames", {"minor_faults"}),
}
Rows: TypeAlias = np.ndarray[Any, Any]

# what is shown of a frame and of a note, ms or counts
FRAME = {
    "captured→arrived": lambda r: (r["arrived_ns"] - r["captured_ns"]) * 1e-6,
    "arrived→decoded": lambda r: (r["decoded_ns"] - r["arrived_ns"]) * 1e-6,
    "decoded→sent": lambda r: (r["sent_ns"] - r["decoded_ns"]) * 1e-6,
    "woken_late": lambda r: told_ms(r["woken_late_ns"]),
    "queued": lambda r: told_ms(r["queued_ns"]),
    "running": lambda r: told_ms(r["running_ns"]),
    "neither": lambda r: (r["sent_ns"] - r["decoded_ns"] - r["running_ns"]) * 1e-6 - told_ms(r["queued_ns"]),
    "gc": lambda r: told_ms(r["gc_ns"]),
    "skipped": lambda r: r["skipped"],
    "voluntary": lambda r: r["voluntary"],
    "involuntary": lambda r: r["involuntary"],
    "minor_faults": lambda r: r["minor_faults"],
    "major_faults": lambda r: r["major_faults"],
}
NOTE = {
    "due→woken": lambda r: (r["woken_ns"] - r["due_ns"]) * 1e-6,
    "woken→sent": lambda r: (r["sent_ns"] - r["woken_ns"]) * 1e-6,
}


def told_ms(values: Rows) -> Rows:
    """Return ms, NaN where the machine does not tell it."""
    return np.where(values == UNTOLD, np.nan, values * 1e-6)


def perform(kind: str, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """Play with one kind of disturbance into `folder`; return the disturbances."""
    stamps = folder / "stamps"
    slots = 8 if kind == "camera" else 64
    run = Run(
        folder,
        *("--camera", f"sim:?size=320x240&slots={slots}", "--midi", f"file:{folder / 'out.mid'}"),
        *("--log", str(folder / "ledger")),
        environment={"PYTHONPATH": f"{TOOLS / 'disturbed'}:{TOOLS.parent}", STAMPS: str(stamps)},
    )
    try:
        os.sched_setscheduler(Target(run.session).film, os.SCHED_FIFO, os.sched_param(FILM_PRIORITY))
        time.sleep(WARM_UP_S)
        if kind == CLEAN:
            time.sleep(seconds)
            return []
        command = [sys.executable, str(TOOLS / "disturb.py"), kind, "--seconds", str(seconds)]
        told = subprocess.run(
            [*command, "--leader", str(run.process.pid)], capture_output=True, text=True, check=False
        )
        if told.returncode:
            print(f"{kind}: {told.stderr.strip()}")
        time.sleep(1.0)
        return [json.loads(line) for line in told.stdout.splitlines()]
    finally:
        run.end()


def worst(rows: Rows, begin: str, bursts: list[dict[str, Any]]) -> tuple[Rows, Rows]:
    """Return the row that took longest of each burst's, and which rows no burst has touched."""
    untouched = np.ones(len(rows), bool)
    chosen = []
    took_ns = rows["sent_ns"] - rows[begin]
    for burst in bursts:
        touched = np.flatnonzero((rows["sent_ns"] >= burst["begin_ns"]) & (rows[begin] <= burst["end_ns"]))
        untouched[touched] = False
        if len(touched):
            chosen.append(touched[np.argmax(took_ns[touched])])
    untouched &= rows["sent_ns"] > rows["sent_ns"][0] + round(WARM_UP_S / 2 * 1e9)
    return rows[chosen], rows[untouched]


def medians(rows: Rows, shown: dict[str, Any]) -> dict[str, str]:
    """Return each quantity's median, with its 10th and 90th percentile."""
    if not len(rows):
        return dict.fromkeys(shown, "-")
    told = {}
    for name, of in shown.items():
        low, middle, high = np.nanpercentile(of(rows).astype(float), (10, 50, 90))
        told[name] = f"{middle:.2f} ({low:.2f}..{high:.2f})"
    return told


def show(kind: str, folder: Path, bursts: list[dict[str, Any]]) -> None:
    """Print what the rows of one run say."""
    ledger = read_ledger(folder / "ledger")
    lasted = np.array([b["end_ns"] - b["begin_ns"] for b in bursts]) * 1e-6
    print(f"\n{kind}: {len(bursts)} disturbances", end="")
    print(f", {np.median(lasted):.1f} ms each (median; at most {lasted.max():.1f})" if len(bursts) else "")
    for what, rows, begin, shown in (
        ("frame", ledger.frames, "captured_ns", FRAME),
        ("note", ledger.notes, "due_ns", NOTE),
    ):
        if not len(rows):
            continue
        touched, untouched = worst(rows, begin, bursts)
        first, second = medians(touched, shown), medians(untouched, shown)
        print(f"  {what:<18}{f'worst of each ({len(touched)})':>28}{f'undisturbed ({len(untouched)})':>28}")
        for name in shown:
            print(f"  {name:<18}{first[name]:>28}{second[name]:>28}")


def judge(kind: str, folder: Path, count: int) -> str:
    """Return a line about what the analyser says of one run with `count` disturbances."""
    told = subprocess.run(
        [sys.executable, "-m", "lalelu", "latency", str(folder / "ledger"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return verdict(kind, json.loads(told.stdout)["ledgers"][0]["causes"], count)


def verdict(kind: str, causes: dict[str, Any], count: int) -> str:
    """Return the line: the outliers, the main cause named, the share of the right causes, and whether it is one."""
    what, right = CAUSES.get(kind, ("frames", set()))
    ranking = causes[what]["ranking"]
    named = "none"
    if ranking:
        blamed = "none, unexplained" if ranking[0]["cause"] in UNEXPLAINED else ranking[0]["cause"]
        named = f"{blamed} {ranking[0]['share']:.0%}"
    share, is_right = "-", "-"
    if right and count:
        share = f"{sum(each['share'] for each in ranking if each['cause'] in right):.0%}"
        is_right = "right" if ranking and ranking[0]["cause"] in right else "WRONG"
    outliers = f"{causes[what]['count']} of {causes[what]['of']} {what}"
    return f"{kind:<11}{count:>6}  {outliers:<23}{named:<22}{share:>7}  {is_right}"


def main() -> int:
    """Perform, and show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=[CLEAN, *KINDS])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the ledgers stay, a folder each")
    args = parser.parse_args()
    lines = []
    for kind in args.kinds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) if args.keep is None else args.keep / kind
            if (folder / "ledger").exists():
                raise SystemExit(f"{folder / 'ledger'} is there already; name another folder with --keep")
            folder.mkdir(parents=True, exist_ok=True)
            bursts = perform(kind, folder, args.seconds)
            (folder / "disturbances.jsonl").write_text("".join(json.dumps(b) + "\n" for b in bursts))
            show(kind, folder, bursts)
            lines.append(judge(kind, folder, len(bursts)))
    print(f"\n{'':<11}{'times':>6}  {'outliers':<23}{'main cause named':<22}{'right':>7}")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
