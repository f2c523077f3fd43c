#!/usr/bin/env python3
"""Damage ledgers at random, and see that the analysis never crashes nor tells wrong figures in silence. Writes files.

    tools/fuzz_ledgers.py [--cases 10000] [--seed 1]

A closed ledger is made, then cut, overwritten, emptied or robbed of a file. Its reader must refuse it (UsageError),
say a problem, or find every row as it was written; and of a cut file the figures must be those of the rows left.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from lalelu.analysis.diagnosis import diagnose
from lalelu.analysis.plain import plain
from lalelu.desk.segments import ending
from lalelu.errors import UsageError
from lalelu.ledger.files import create_ledger, write_header
from lalelu.ledger.reader import Ledger, read_ledger
from lalelu.ledger.schema import LEDGER_VERSION, RECORDS, STAMPS, VERSION_KEY

MOST_ROWS = 300
FIRST_NS = 3 * 10**15
PERIOD_NS = 10_000_000


def make(directory: Path, random: np.random.Generator) -> None:
    """Write a closed ledger of some frames, notes, samples and events."""
    create_ledger(directory, {VERSION_KEY: LEDGER_VERSION})
    count = int(random.integers(0, MOST_ROWS))
    rows = {name: np.zeros(0, dtype) for name, dtype in RECORDS.items()}
    frames = rows["frames"] = np.zeros(count, RECORDS["frames"])
    frames["seq"] = np.arange(count)
    frames["captured_ns"] = FIRST_NS + PERIOD_NS * frames["seq"]
    for before, name in pairwise(STAMPS):
        frames[name] = frames[before] + random.integers(0, 2_000_000, count)
    frames["hits"] = random.random(count) < 0.1
    for name in ("woken_late_ns", "queued_ns", "running_ns"):
        frames[name] = random.integers(0, 3_000_000, count)
    hit = frames[frames["hits"] > 0]
    notes = rows["notes"] = np.zeros(len(hit), RECORDS["notes"])
    for name in ("seq", "captured_ns"):
        notes[name] = hit[name]
    notes["struck_ns"] = notes["due_ns"] = hit["captured_ns"] - 30_000_000
    notes["woken_ns"] = hit["sent_ns"] + 50_000
    notes["sent_ns"] = notes["woken_ns"] + random.integers(10_000, 400_000, len(hit))
    samples = rows["samples"] = np.zeros(count // 10, RECORDS["samples"])
    samples["at_ns"] = FIRST_NS + 10 * PERIOD_NS * np.arange(len(samples))
    for name, array in rows.items():
        (directory / name).write_bytes(array.tobytes())
    counts = {name: len(array) for name, array in rows.items()}
    write_header(directory, {VERSION_KEY: LEDGER_VERSION} | ending(directory, counts, {}))


def damage(directory: Path, random: np.random.Generator) -> str:
    """Do one kind of harm to one file; return which."""
    name = str(random.choice([*RECORDS, "header.json"]))
    path = directory / name
    data = bytearray(path.read_bytes())
    kind = str(random.choice(["none", "cut", "bytes", "noise", "remove", "longer"]))
    if kind == "cut":
        del data[int(random.integers(0, len(data) + 1)) :]
    elif kind == "bytes" and data:
        for at in random.integers(0, len(data), random.integers(1, 9)):
            data[at] = int(random.integers(0, 256))
    elif kind == "noise":
        data = bytearray(random.bytes(int(random.integers(0, 4000))))
    elif kind == "longer":
        data += random.bytes(int(random.integers(1, 500)))
    if kind == "remove":
        path.unlink()
    else:
        path.write_bytes(data)
    return f"{name}: {kind}"


def as_written(ledger: Ledger, whole: Ledger) -> bool:
    """Whether nothing differs from the ledger before the harm."""
    same = [
        getattr(ledger, name).tobytes() == getattr(whole, name).tobytes()
        for name in ("frames", "notes", "samples")
    ]
    return all(same) and ledger.events == whole.events


def case(folder: Path, seed: int) -> tuple[str, str]:
    """Return what was done and what came of it; raises AssertionError for wrong figures told in silence."""
    random = np.random.default_rng(seed)
    directory = folder / "run.ledger"
    make(directory, random)
    whole = read_ledger(directory)
    assert whole.problems == (), whole.problems
    # mapped or read, the arrays are the file's: keep copies
    whole = replace(whole, frames=whole.frames.copy(), notes=whole.notes.copy(), samples=whole.samples.copy())
    done = damage(directory, random)
    try:
        ledger = read_ledger(directory)
    except UsageError:
        return done, "refused"
    told = json.dumps(plain(diagnose(ledger)), allow_nan=False)
    if not ledger.problems:
        assert as_written(ledger, whole), f"seed {seed}: {done}, and no problem is told"
        assert ledger.header.get("counts") == whole.header["counts"] or done.startswith("header.json")
        return done, "as it was"
    if done == "frames: cut":
        rest = replace(whole, frames=whole.frames[: len(ledger.frames)])
        assert told == json.dumps(plain(diagnose(rest)), allow_nan=False), (
            f"seed {seed}: figures of a cut ledger"
        )
    return done, "told"


def main() -> int:
    """Run the cases and print how many came out in which way; 1 at the first wrong figure or crash."""
    parser = argparse.ArgumentParser(
        description="Damage ledgers at random and analyse them.", allow_abbrev=False
    )
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    outcomes: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:  # noqa: S108
        for seed in range(args.seed, args.seed + args.cases):
            folder = Path(name) / str(seed)
            folder.mkdir()
            outcomes[case(folder, seed)] += 1
            shutil.rmtree(folder)
    for (done, outcome), count in sorted(outcomes.items()):
        print(f"{done:<24} {outcome:<10} {count:6}")
    print(f"{args.cases} damaged ledgers: none crashed, no wrong figure in silence")
    return 0


if __name__ == "__main__":
    sys.exit(main())
