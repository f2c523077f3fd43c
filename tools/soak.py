"""Play the simulated drummer for long, break something every 20 s, and count what became of the notes.

    tools/soak.py [--seconds 1800] [--every 20] [--seed 1] [--flow carried] [--only KIND,KIND] [--out DIR] [--json]

`lalelu run` plays through a JACK server of our own into two listeners that know nothing of it, with a ledger on a
small disk; a supervisor starts it again as the service manager would. docs/soak.md says what is counted and which
rules there are; exit 1 when one is broken. Needs jackd and JACK-Client, and root for the disk that is filled.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from soaking.counting import count, films
from soaking.faults import FAULTS, SNARES, Fault, UnavailableError, in_turn, well
from soaking.log import GRAPH, SPOILT, SYNTH, Done, Log, spoilt
from soaking.report import as_json, text
from soaking.rig import DELAY_MS, PERIOD, RATE, SHARED_MEMORY, Rig
from soaking.rules import broken

from lalelu.camera import port as camera_port
from lalelu.camera.simulated.camera import SimulatedCamera
from lalelu.camera.simulated.groove import TruthHit
from lalelu.clock import now_ns
from lalelu.errors import LaleluError
from lalelu.ledger.reader import Ledger, read_ledger
from lalelu.registry import from_uri

START_NS = 120_000_000_000  # for an instrument to start, on a busy machine
PATIENCE_S = 20.0  # with an instrument that is not well, or silent: the drummer rests for up to 12 s
QUIET_S = 2.0  # after the last fault's recovery


class StandstillError(Exception):
    """The instrument cannot be brought to play."""


def say(line: str) -> None:
    """Tell people."""
    print(line, file=sys.stderr, flush=True)


def chosen(args: argparse.Namespace) -> list[Fault]:
    """Return the faults of this run."""
    here = [fault for fault in FAULTS if fault.flow in (None, args.flow)]
    if args.only is None:
        return here
    asked = {name.strip() for name in args.only.split(",")} - {""}
    unknown = asked - {fault.kind.name for fault in here}
    if unknown:
        raise SystemExit(
            f"--only: no fault {', '.join(sorted(unknown))}; there are {', '.join(f.kind.name for f in here)}"
        )
    return [fault for fault in here if fault.kind.name in asked]


def make(rig: Rig, fault: Fault, seconds: float) -> Done:
    """Have one fault, and wait until all is well again; where it does not become so, start again."""
    begin_ns, ended = now_ns(), len(rig.ended)
    check, remark = None, ""
    try:
        check = fault.make(rig, seconds)
    except (LookupError, OSError, LaleluError) as exc:  # what was to be broken is not there
        remark = f"could not be made: {exc!r}"
    end_ns, back_ns = now_ns(), None
    while not remark:
        rig.wait(0.05)
        if back_ns is None and check is not None and well(rig) and check():
            back_ns = now_ns()
        if back_ns is not None and rig.sounded_since(end_ns):
            break
        if now_ns() > end_ns + round((fault.kind.within_s + PATIENCE_S) * 1e9):
            remark = "not well again" if back_ns is None else "no notes any more at every listener"
    statuses = [status for _, status in rig.ended[ended:]]
    if not remark and statuses not in ([], [fault.kind.ends_with]):
        remark = f"lalelu ended with status {', '.join(map(str, statuses))}"
    if remark:
        start_again(rig)
    return Done(fault.kind, begin_ns, end_ns, back_ns, now_ns(), remark=remark)


def with_conditions(rig: Rig, faults: list[Done], end_ns: int) -> Iterator[Done]:
    """Yield the faults with what the leader has told of each until the next one."""
    borders = [*(done.begin_ns for done in faults), end_ns][1:]
    for done, until_ns in zip(faults, borders, strict=True):
        told = (
            (at_ns, is_raised)
            for at_ns, name, is_raised in rig.told
            if name == done.kind.condition and done.begin_ns < at_ns < until_ns
        )
        yield replace(done, told=tuple(told))


def start_again(rig: Rig) -> None:
    """End what does not play, and wait until another instrument does."""
    rig.restart()
    wait_for_notes(rig)


def wait_for_notes(rig: Rig) -> None:
    """Wait until it plays and both listeners hear it."""
    began_ns = now_ns()
    while not (well(rig) and rig.sounded_since(began_ns)):
        rig.wait(0.2)
        if now_ns() > began_ns + START_NS:
            raise StandstillError(f"lalelu does not play, whatever is done; it said last:\n{rig.said()}")


def soak(rig: Rig, args: argparse.Namespace) -> Log:
    """Play and break; return all that is to be counted. Raises StandstillError where it never plays."""
    wait_for_notes(rig)
    random, faults = Random(args.seed), chosen(args)  # noqa: S311 - the same faults again for the same seed
    begin_ns = now_ns()
    end_ns = begin_ns + round(args.seconds * 1e9)
    done: list[Done] = []
    not_done: dict[str, str] = {}
    problems: list[str] = []
    next_ns = begin_ns + round(args.every * 1e9)
    for fault in in_turn(random, faults) if faults else ():
        seconds = random.uniform(*fault.seconds)
        if fault.kind.name in not_done and len(not_done) < len(faults):
            continue
        if next_ns + round((seconds + fault.kind.within_s) * 1e9) > end_ns or len(not_done) == len(faults):
            break
        rig.wait((next_ns - now_ns()) * 1e-9)
        try:
            done.append(make(rig, fault, seconds))
        except UnavailableError as exc:
            not_done[fault.kind.name] = str(exc)
            say(f"{fault.kind.name}: {exc}")
            continue
        except StandstillError as exc:
            problems.append(f"after {fault.kind.name}: {exc}")
            break
        last = done[-1]
        say(f"{(last.begin_ns - begin_ns) * 1e-9:7.1f} s  {fault.kind.name}: {last.remark or 'well again'}")
        next_ns = max(next_ns + round(args.every * 1e9), now_ns() + round(QUIET_S * 1e9))
    if not problems:
        rig.wait((end_ns - now_ns()) * 1e-9)
    end_ns = now_ns()
    problems += rig.stop()
    rig.wait(1.0)  # of the last notes
    ledgers = list(ledgers_of(rig, problems))
    camera = from_uri("camera", camera_port.ADAPTERS, rig.camera)
    assert isinstance(camera, SimulatedCamera)
    frames = tuple(ledger.frames.copy() for ledger in ledgers)  # the disk goes
    pads = {note: name for name, pad in rig.played.pads.items() for note in pad.notes}
    return Log(
        begin_ns,
        end_ns,
        DELAY_MS * 1_000_000,
        camera.lag_ns,
        pads | dict.fromkeys(SNARES, "snare"),
        faults=tuple(with_conditions(rig, done, end_ns)),
        truth=tuple(sorted(truth(camera, frames, begin_ns, end_ns), key=lambda hit: hit.time_ns)),
        heard={name: rig.heard(name) for name in (GRAPH, SYNTH)},
        frames=frames,
        problems=(*problems, *(each for ledger in ledgers for each in ledger.problems)),
        uses=tuple(rig.uses),
        ended=tuple(rig.ended),
        period_ns=round(PERIOD / RATE * 1e9),
        not_done=not_done,
    )


def ledgers_of(rig: Rig, problems: list[str]) -> Iterator[Ledger]:
    """Yield the ledgers that can be read; what cannot is added to `problems`."""
    for path in rig.ledgers:
        try:
            yield read_ledger(path)
        except LaleluError as exc:
            problems.append(str(exc))


def truth(
    camera: SimulatedCamera, frames: Iterable[NDArray[np.void]], begin_ns: int, end_ns: int
) -> Iterator[TruthHit]:
    """Yield the strokes of all films between two moments, in the clock's time."""
    for first_ns, last_ns in films(frames, camera.period_ns):
        for hit in camera.truth(last_ns - first_ns):
            at_ns = first_ns + hit.time_ns
            if begin_ns <= at_ns <= end_ns - DELAY_MS * 2_000_000:
                yield TruthHit(at_ns, hit.limb, hit.pad, hit.player, hit.velocity)


def main() -> int:
    """Run, count, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1800.0, help="how long to play (1800)")
    parser.add_argument("--every", type=float, default=20.0, help="s from one fault to the next (20)")
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed, other faults and another drummer (1)"
    )
    parser.add_argument("--flow", choices=("off", "carried"), default="off", help="as pose.flow (off)")
    parser.add_argument("--only", metavar="KINDS", help="these kinds of faults, apart by commas; '' for none")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the ledgers and what was said and heard"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--break", dest="spoil", choices=SPOILT, help="count with one thing made wrong")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(
            number, lambda *_: sys.exit(143)
        )  # through `finally`: nothing of the stage stays behind
    folder = Path(tempfile.mkdtemp(prefix="lalelu-soak-", dir=SHARED_MEMORY))
    try:
        with Rig(folder, seed=args.seed, flow=args.flow, seconds=args.seconds) as rig:
            try:
                log = soak(rig, args)
            except StandstillError as exc:
                raise SystemExit(str(exc)) from exc
            finally:
                if args.out is not None:
                    rig.keep(args.out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.spoil is not None:
        log = spoilt(log, args.spoil)
    figures = count(log)
    print(json.dumps(as_json(log, figures)) if args.json else text(log, figures))
    return 1 if broken(log, figures) else 0


if __name__ == "__main__":
    sys.exit(main())
