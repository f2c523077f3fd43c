#!/usr/bin/env python3
"""Make a ledger of any length with known phases, spikes, drift and lost frames. Writes files.

    tools/generate_ledger.py DIR [--seconds S] [--seed N] [--spikes PER_S] [--slow MS]

Every spike has a known cause; DIR with the ending .truth.json tells how many there are of each, which is what
`lalelu latency` should find.
The machine of every second five minutes is slower: its core's frequency falls from 3.6 to 2.9 GHz.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lalelu.ledger.files import create_ledger, new_header
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, SAMPLE_DTYPE, UNTOLD

MS = 1_000_000
START_NS = 3 * 10**15  # 35 days of uptime: nothing may be lost in a float
TRANSFER_MS, DECODE_MS, WORK_MS = 8.0, 0.1, 5.4
INFERENCE = 0.9  # of the work
PHASE_S = 300
FAST_KHZ, SLOW_KHZ = 3_600_000, 2_900_000
FAULT_NS = 4000.0
PIECE_S = 2000
KINDS = ("camera", "woken_late", "queued", "collector", "minor_faults", "hypervisor", "slept", "computing")


def frames(
    begin: int, end: int, fps: float, ppm: float, spikes: float, excess_ms: float, seed: int, told: list
) -> NDArray[np.void]:
    """Return the rows of the camera's frames `begin` to `end`, and append (kind, seq) to `told`."""
    random = np.random.default_rng((seed, begin))
    count = end - begin
    period_ns = 1e9 / fps * (1 + ppm * 1e-6)
    seq = np.arange(begin, end)
    captured = START_NS + np.rint(seq * period_ns + random.normal(0, 0.02 * MS, count)).astype(np.int64)
    slow = (seq / fps) // PHASE_S % 2 == 1
    kind = np.full(count, -1)
    struck = np.flatnonzero(random.random(count) < spikes / fps)
    struck = struck[np.diff(struck, prepend=-100) > 10]
    struck = struck[(struck > 10) & (struck < count - 10)]
    kind[struck] = random.integers(0, len(KINDS), len(struck))
    told += [(KINDS[k], int(seq[i])) for i, k in zip(struck.tolist(), kind[struck].tolist(), strict=True)]
    more = np.where(kind >= 0, excess_ms * random.uniform(0.8, 1.2, count), 0.0) * MS

    def of(*names: str) -> NDArray[np.float64]:
        return np.where(np.isin(kind, [KINDS.index(name) for name in names]), more, 0.0)

    row = np.zeros(count, FRAME_DTYPE)
    running = WORK_MS * MS * random.normal(1, 0.02, count) * np.where(slow, FAST_KHZ / SLOW_KHZ, 1.0)
    running += of("collector", "minor_faults", "computing")
    off = of("hypervisor", "slept") + random.uniform(0, 0.02, count) * MS
    arrived = captured + np.rint(TRANSFER_MS * MS + of("camera")).astype(np.int64)
    decoded = arrived + np.rint(DECODE_MS * MS + of("woken_late")).astype(np.int64)
    work = running + off + of("queued")
    # a frame that comes while the loop is busy waits; of several the newest is taken
    sent = decoded + np.rint(work).astype(np.int64)
    taken = np.ones(count, bool)
    skipped = np.zeros(count, np.int64)
    for i in np.flatnonzero(sent - arrived > period_ns).tolist():
        # those that have arrived by then and are not the newest
        waiting = np.searchsorted(arrived[i + 1 : i + 10], sent[i])
        taken[i + 1 : i + waiting] = False
        if waiting and i + waiting < count:
            skipped[i + waiting] = waiting - 1
            late = max(int(sent[i] + 50_000 - decoded[i + waiting]), 0)
            decoded[i + waiting] += late
            sent[i + waiting] += late
    row["seq"], row["captured_ns"], row["arrived_ns"], row["decoded_ns"] = seq, captured, arrived, decoded
    row["prepared_ns"] = decoded + 200_000
    row["inferred_ns"] = decoded + np.rint(work * INFERENCE).astype(np.int64)
    row["posed_ns"] = row["inferred_ns"] + np.rint((sent - row["inferred_ns"]) * 0.5).astype(np.int64)
    row["detected_ns"], row["sent_ns"], row["skipped"] = sent - 10_000, sent, skipped
    row["players"] = 1
    row["hits"] = seq % round(fps / 4) == 3
    row["woken_late_ns"], row["queued_ns"] = of("woken_late"), of("queued")
    row["running_ns"], row["gc_ns"] = running, of("collector")
    row["minor_faults"] = of("minor_faults") / FAULT_NS
    row["voluntary"] = kind == KINDS.index("slept")
    row["involuntary"] = kind == KINDS.index("queued")
    return row[taken]


def notes(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return a note for each hit, without a delay."""
    hits = rows[rows["hits"] > 0]
    made = np.zeros(len(hits), NOTE_DTYPE)
    made["seq"], made["captured_ns"] = hits["seq"], hits["captured_ns"]
    made["struck_ns"] = made["due_ns"] = hits["captured_ns"] - 12 * MS
    made["woken_ns"], made["sent_ns"] = hits["sent_ns"] + 80_000, hits["sent_ns"] + 200_000
    made["channel"], made["note"], made["velocity"], made["late"] = 10, 38, 96, 1
    return made


def samples(begin_s: int, end_s: int, rows: NDArray[np.void], before: int) -> NDArray[np.void]:
    """Return ten looks a second; `before` = ms stolen until then."""
    at = np.arange(begin_s * 10, end_s * 10)
    made = np.zeros(len(at), SAMPLE_DTYPE)
    for name in made.dtype.names or ():
        if name != "competitor":
            made[name] = -1
    made["at_ns"] = START_NS + at * 100 * MS + 30 * MS
    work = (rows["sent_ns"] - rows["decoded_ns"]).astype(np.int64)
    off = work - rows["running_ns"] - rows["queued_ns"]
    stolen = (off > MS) & (rows["voluntary"] == 0)
    place = np.searchsorted(rows["sent_ns"][stolen], made["at_ns"])
    made["stolen_ms"] = before + np.append(0, np.cumsum(np.rint(off[stolen] / MS).astype(np.int64)))[place]
    made["interrupts"], made["softirqs"] = at * 25, at * 10
    made["frequency_khz"] = np.where(at / 10 // PHASE_S % 2 == 1, SLOW_KHZ, FAST_KHZ)
    made["temperature_mc"] = 60_000
    made["competitor_ms"], made["competitor"] = 40, b"stress-ng"
    return made


def generate(directory: Path, args: argparse.Namespace) -> None:
    """Write the ledger."""
    header = new_header({}, camera={"source": "generated", "fps": args.fps}, model="none", runtime={})
    create_ledger(directory, {**header, "closed": True})
    told: list[tuple[str, int]] = []
    stolen = 0
    with (
        (directory / "frames").open("wb") as of_frames,
        (directory / "notes").open("wb") as of_notes,
        (directory / "samples").open("wb") as of_samples,
    ):
        for begin in range(0, args.seconds, PIECE_S):
            end = min(begin + PIECE_S, args.seconds)
            rows = frames(
                round(begin * args.fps), round(end * args.fps), args.fps, args.ppm, args.spikes, args.slow,
                args.seed, told,
            )  # fmt: skip
            looks = samples(begin, end, rows, stolen)
            stolen = int(looks["stolen_ms"][-1])
            of_frames.write(rows.tobytes())
            of_notes.write(notes(rows).tobytes())
            of_samples.write(looks.tobytes())
    counts = {kind: sum(k == kind for k, _ in told) for kind in KINDS}
    truth = {"ppm": args.ppm, "spikes": counts, "first": told[:1000], "phase_s": PHASE_S}
    directory.with_suffix(".truth.json").write_text(json.dumps(truth) + "\n", encoding="utf-8")
    assert max(int(rows["running_ns"].max()), 0) < UNTOLD, "a row's field holds what is put into it"


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(
        description="Make a ledger with known phases, spikes, drift and lost frames."
    )
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.add_argument("--seconds", type=int, default=86_400, help="how long a run (86400: a day)")
    parser.add_argument("--fps", type=float, default=100.0)
    parser.add_argument(
        "--ppm", type=float, default=50.0, help="how much too long the camera's period is (50)"
    )
    parser.add_argument("--spikes", type=float, default=0.2, help="a second (0.2)")
    parser.add_argument("--slow", type=float, default=12.0, help="ms that a spike adds (12)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generate(args.directory, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
