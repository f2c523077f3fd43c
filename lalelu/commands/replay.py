"""`lalelu replay`: a film or a take through the instrument, offline, every frame in order."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from lalelu.camera.film import Film
from lalelu.commands.run import add_config_option, check_target
from lalelu.config.loader import Loaded, load_config, with_overrides
from lalelu.config.schema import MAX_LEAD_MS
from lalelu.console import say
from lalelu.errors import UsageError
from lalelu.gesture.verdict import Verdict
from lalelu.hits import write_hits
from lalelu.models import catalogue
from lalelu.numbering import Numbers
from lalelu.performance import Delays, hit_records
from lalelu.pose.build import build_estimator
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import PoseEstimator
from lalelu.skeleton import name_of
from lalelu.take import TakeFrame, TakeHeader, TakeWriter, read_take
from lalelu.takes.replaying import band_of
from lalelu.types import Control, Event, Frame, Hit, Release
from lalelu.voice.outputs.file import FileOutput, FileOutputOptions
from lalelu.voice.voice import Strike, Voice

Source: TypeAlias = tuple[TakeHeader, Iterator[TakeFrame]]  # recorded, or recorded while we watch

ENOUGH = 0.98  # of the frames that a container promises: some count by their duration
MAX_PIPELINE_MS = 10_000.0  # a delay beyond is no instrument's


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lalelu replay`."""
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a video file, or a take (.take, .take.gz)"
    )
    add_config_option(parser)
    parser.add_argument("--model", choices=catalogue.playable(), help="network instead of the configured one")
    parser.add_argument("--hits", type=Path, metavar="F.jsonl", help="write the hits")
    parser.add_argument("--midi", type=Path, metavar="F.mid", help="write the notes as a MIDI file")
    parser.add_argument("--take", type=Path, metavar="F.take", help="write the keypoints")
    parser.add_argument(
        "--explain", type=Path, metavar="F.jsonl", help="write why each stroke did or did not sound"
    )
    parser.add_argument(
        "--lead",
        type=lead,
        metavar="MS",
        help="decide so long before a stroke's predicted end, 0..40, instead of the configured timing.lead_ms",
    )
    parser.add_argument(
        "--pipeline-ms",
        type=milliseconds,
        default=0.0,
        metavar="MS",
        help="assume that a note goes out this long after its deciding frame's capture (default 0)",
    )


def milliseconds(text: str, most: float = MAX_PIPELINE_MS) -> float:
    """Parse a machine's share of the delay, or another time up to `most`."""
    value = float(text)
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is out of range; allowed are 0 to {most:g} ms")
    return value


def lead(text: str) -> float:
    """Parse how long before a stroke's end it is decided."""
    return milliseconds(text, MAX_LEAD_MS)


def run(args: argparse.Namespace) -> int:
    """Replay one source and write what was asked for; the summary goes to stderr."""
    if args.model is not None and is_take(args.source):
        raise UsageError(
            f"--model is {args.model}, but {args.source} is a take, which holds keypoints and no pictures; "
            "leave --model out, or replay the film"
        )
    loaded = with_overrides(load_config(args.config), model=args.model)
    for target in (args.hits, args.midi, args.take, args.explain):
        if target is not None:
            check_target(target)
    began = time.monotonic()
    with ExitStack() as stack:
        header, frames = open_source(args.source, loaded, stack)
        take = stack.enter_context(TakeWriter(args.take, header)) if args.take is not None else None
        verdicts: list[Verdict] = []
        config = loaded.config
        band = band_of(
            config,
            loaded.kits,
            header,
            explain=verdicts.append if args.explain is not None else None,
            lead_ms=args.lead,
        )
        events: list[Event] = []
        first_ns = last_ns = None
        problem: UsageError | None = None
        count = 0
        try:
            for frame in frames:
                first_ns = frame.captured_ns if first_ns is None else first_ns
                last_ns = frame.captured_ns
                count += 1
                if take is not None:
                    take.write(frame)
                events += band.frame(frame.seq, frame.captured_ns, frame.poses)
        except UsageError as exc:  # damaged from here on: what was found before is kept, then it is told
            problem = exc
        band.finish()
    hits = [event for event in events if isinstance(event, Hit)]
    timing = loaded.config.timing
    delays = Delays.asked(timing.delay_ms, hits, pipeline_ms=args.pipeline_ms)
    if timing.delay_ms == "auto":
        say(f"timing: delay_ms is auto, so {delays.delay_ns / 1e6:g}: 99 % of {len(hits)} hits keep it")
    channels = config.player.channels or ()
    records = hit_records(hits, loaded.kits, origin_ns=first_ns or 0, channels=channels, delays=delays)
    if args.hits is not None:
        write_hits(args.hits, records)
    if args.explain is not None:
        write_verdicts(args.explain, verdicts, origin_ns=first_ns or 0)
    if args.midi is not None:
        write_midi(args.midi, events, loaded, origin_ns=first_ns or 0, delays=delays)
    seconds = ((last_ns or 0) - (first_ns or 0)) * 1e-9
    took = time.monotonic() - began
    say(f"{args.source.name}: {count} frames, {seconds:.1f} s, {len(records)} hits; took {took:.1f} s")
    if problem is not None:
        raise problem
    return 0


def write_verdicts(path: Path, verdicts: list[Verdict], *, origin_ns: int) -> None:
    """Write one JSON line per candidate stroke, by time. Raises UsageError for a bad path.

    Times are seconds from `origin_ns`, lengths shoulder widths, speeds downward in shoulder widths a second.
    """
    ordered = sorted(verdicts, key=lambda verdict: (verdict.lowest_ns, verdict.player, verdict.limb))
    text = "".join(json.dumps(_verdict_line(verdict, origin_ns)) + "\n" for verdict in ordered)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write verdicts to {path}: {exc.strerror}; choose another place") from exc


def _verdict_line(verdict: Verdict, origin_ns: int) -> dict[str, Any]:
    measured = {} if verdict.measured is None else asdict(verdict.measured)
    return {
        "time_s": round((verdict.lowest_ns - origin_ns) * 1e-9, 6),
        "player": verdict.player,
        "limb": verdict.limb,
        "outcome": "hit" if verdict.rule is None else "rejected",
        "rule": verdict.rule,
        "why": verdict.why,
        "pad": verdict.pad,
        **{name: round(value, 4) for name, value in measured.items()},
        "score": round(verdict.score, 4),
        "x": round(verdict.x, 4),
        "y": round(verdict.y, 4),
        "seq": verdict.seq,
        "decided_s": round((verdict.captured_ns - origin_ns) * 1e-9, 6),
    }


def write_midi(
    path: Path, events: Sequence[Event], loaded: Loaded, *, origin_ns: int, delays: Delays
) -> None:
    """Write what the voice would send: everything reaches it `delays.pipeline_ns` after its frame."""
    path.unlink(missing_ok=True)  # where nothing sounds, the output would leave an earlier replay's notes
    output = FileOutput(FileOutputOptions(target=str(path), origin_ns=origin_ns))
    now_ns = origin_ns
    voice = Voice(
        [output],
        loaded.kits,
        now_ns=lambda: now_ns,
        channels=loaded.config.player.channels or (),
        delay_ns=delays.delay_ns,
        needs_osc=False,  # a file of notes takes none of those values
    )
    voice.open()
    numbers = Numbers(loaded.kits)
    for event in events:
        handed_ns = event.captured_ns + delays.pipeline_ns
        while (due_ns := voice.next_due_ns) is not None and due_ns <= handed_ns:
            now_ns = due_ns
            voice.advance(now_ns)
        now_ns = handed_ns
        hand(voice, event, numbers)
        voice.advance(now_ns)
    while voice.busy and (due_ns := voice.next_due_ns) is not None:
        now_ns = due_ns
        voice.advance(now_ns)
    voice.close()


def hand(voice: Voice, event: Event, numbers: Numbers) -> None:
    """Have the voice take in what a band has found; `numbers` are those of both one's kits."""
    if isinstance(event, Hit):
        pad = numbers.pads[event.kit, event.pad]
        voice.add(Strike(event.seq, event.captured_ns, event.struck_ns, event.strength, event.player, 0, pad))
    elif isinstance(event, Release):
        voice.release(event.player, numbers.pads[event.kit, event.pad], event.at_ns)
    elif isinstance(event, Control):
        number = numbers.controls[event.kit, event.target]
        voice.control(number, event.player, event.value, event.captured_ns)
    elif event.name == "tap":
        voice.tap(event.at_ns)
    elif event.name == "standby":
        voice.silence()


def is_take(path: Path) -> bool:
    """Tell whether a source is a take, by its name."""
    return path.name.endswith((".take", ".take.gz"))


def open_source(path: Path, loaded: Loaded, stack: ExitStack) -> Source:
    """Return the header and the frames, in order, of a take or of a film seen by the configured network.

    Raises UsageError when the file is neither.
    """
    if is_take(path):
        take = read_take(path)
        for problem in take.problems:
            say(problem)
        return take.header, iter(take.frames)
    film = stack.enter_context(Film(path))
    estimator = build_estimator(loaded.config, loaded.kits)
    stack.callback(estimator.close)
    estimator.open()
    width, height = Orientation(loaded.config.camera.rotate).upright_size(film.width, film.height)
    header = TakeHeader(
        source=f"film {path.name}",
        fps=film.fps,
        width=width,
        height=height,
        skeleton=name_of(estimator.skeleton),
        model=loaded.config.pose.model,
        readout_ms=loaded.config.camera.readout_ms or None,
    )
    return header, _watch(film, estimator)


def _watch(film: Film, estimator: PoseEstimator) -> Iterator[TakeFrame]:
    seq = 0
    while (captured_ns := film.grab()) is not None:
        estimator.prepare(Frame(seq, captured_ns, captured_ns, 0, film.retrieve()))
        estimator.infer()
        yield TakeFrame(seq, captured_ns, tuple(estimator.poses()))
        seq += 1
    if seq < ENOUGH * film.promised:
        say(f"{film.path.name}: ends after {seq} of {film.promised} frames; was it cut off?")
