"""`lalelu demo`: the whole instrument on a simulated drummer, and what came of it, in files and figures."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from lalelu import app
from lalelu.analysis.latency import histogram_text, summarize, table
from lalelu.analysis.plots import HitMark, Trace
from lalelu.analysis.report import ReportData, render_report
from lalelu.analysis.scoring import match, score
from lalelu.camera import port as camera_port
from lalelu.camera.simulated.camera import SimulatedCamera
from lalelu.camera.simulated.truth import hit_record
from lalelu.commands.run import check_target, positive
from lalelu.config.loader import Loaded, load_config, with_overrides
from lalelu.config.schema import PoseSection
from lalelu.console import say
from lalelu.errors import UsageError
from lalelu.hits import HitRecord
from lalelu.ledger.reader import Ledger, read_ledger
from lalelu.models import catalogue
from lalelu.performance import hit_records_of_epochs, sounding_notes
from lalelu.picture import draw, encode_png
from lalelu.pose.body import torso_of
from lalelu.pose.build import require_installed
from lalelu.realtime import Grant
from lalelu.registry import from_uri
from lalelu.session import Recording
from lalelu.take import Take, read_take
from lalelu.voice.mixer import render
from lalelu.voice.outputs.rtmidi import available_api
from lalelu.voice.wav import write_wav

SAMPLE_RATE = 44_100  # Hz
TAIL_S = 2.0  # a crash rings on
WINDOW_MS = 50.0  # a note further from the stroke is another note
LIMBS = ("left_wrist", "right_wrist")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lalelu demo`."""
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="where the files go (demo)"
    )
    parser.add_argument(
        "--model", choices=catalogue.played(), help="the network that finds the player (lightning)"
    )
    parser.add_argument("--seconds", type=positive, default=20.0, metavar="S", help="how long to play (20)")
    parser.add_argument(
        "--runtime", metavar="NAME", help=f"its library, as pose.runtime ({PoseSection().runtime})"
    )


@dataclass(frozen=True, slots=True)
class Played:
    """A finished demo: what was meant, what was heard, and what it cost."""

    found: Sequence[HitRecord]
    truth: Sequence[HitRecord]
    ledger: Ledger
    take: Take
    first_ns: int  # frame 0's capture: time 0 of hits and truth


def run(args: argparse.Namespace) -> int:
    """Play, print hits played / found / missed / extra and the latency table, and leave the files in `--out`."""
    out: Path = args.out
    make_folder(out)
    api = available_api()
    outputs = [f"file:{quote(str(out / 'demo.mid'))}"]
    if api is None:
        say("MIDI: no ALSA sequencer and no JACK server here, so the notes go to demo.mid only")
    else:
        outputs.insert(0, f"virtual:lalelu?api={api}")
    loaded = with_overrides(
        load_config(None, builtin=True),
        camera=f"sim:?groove=rock&seconds={args.seconds:g}",
        midi=outputs,
        model=args.model,
        runtime=args.runtime,
    )
    require_installed(loaded.config.pose.runtime)
    camera = from_uri("camera", camera_port.ADAPTERS, loaded.config.camera.uri)
    assert isinstance(camera, SimulatedCamera), "the address above says sim:"
    say(f"playing for {args.seconds:g} s")
    began = app.play(loaded, Recording(out / "demo.ledger", out / "demo.take.gz"), say, once=True)
    ledger = read_ledger(out / "demo.ledger") if began else None  # else an earlier demo's may lie there
    if ledger is None or not len(ledger.frames):
        say("stopped before the first frame; nothing to report")
        return 0
    first = ledger.frames[0]
    first_ns = int(first["captured_ns"]) - round(int(first["seq"]) * camera.period_ns)
    last_ns = int(ledger.frames[-1]["captured_ns"])
    take = read_take(out / "demo.take.gz")
    played = Played(
        hit_records_of_epochs(
            ledger.notes, ledger.header["epochs"], skeleton=take.header.keypoints, origin_ns=first_ns
        ),
        [hit_record(hit) for hit in camera.truth(last_ns - first_ns)],
        ledger,
        take,
        first_ns,
    )
    notes = sounding_notes(played.found, loaded.kits)
    seconds = (last_ns - first_ns + camera.period_ns) * 1e-9  # a stop ends it sooner
    write_wav(out / "demo.wav", render(notes, seconds + TAIL_S, SAMPLE_RATE), SAMPLE_RATE)
    (out / "report.html").write_text(report(played, loaded, camera), encoding="utf-8")
    tell(played, out, late_frames=late_frames(ledger, camera))
    return 0


def late_frames(ledger: Ledger, camera: SimulatedCamera) -> int:
    """Count the frames that the simulated camera itself had not ready when they were due."""
    lag_ns = ledger.frames["arrived_ns"] - ledger.frames["captured_ns"]
    return int(np.count_nonzero(lag_ns > camera.lag_ns + 1_000_000))


def make_folder(out: Path) -> None:
    """Make the demo's folder. Raises UsageError when it, or what is written after the playing, cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(
            f"the folder {out} cannot be made ({exc.strerror}); name another with --out"
        ) from exc
    for name in ("demo.mid", "demo.wav", "report.html", "demo.take.gz"):
        check_target(out / name)
    (out / "demo.mid").unlink(missing_ok=True)  # a demo without a note leaves no earlier demo's notes


def tell(played: Played, out: Path, *, late_frames: int) -> None:
    """Print the score, the latency table and where the files are (stdout)."""
    result = score(played.found, played.truth, window_ms=WINDOW_MS)
    summary = summarize(played.ledger.frames, played.ledger.notes)
    print(
        f"\nhits: {result.true} played, {result.matched} found, {result.true - result.matched} missed, "
        f"{result.found - result.matched} extra (found = same hand, within {WINDOW_MS:g} ms)"
    )
    if result.error_ms is not None:
        error = result.error_ms
        print(f"timing: a hit is placed {error.mean:+.1f} ms from the true stroke, SD {error.sd:.1f} ms")
    print(f"\n{table(summary)}\n\n{histogram_text(summary.main)}")
    if late_frames:
        print(f"\nthe simulated camera itself was late with {late_frames} frames: this machine films slowly")
    print(
        f"\nlisten:  {out / 'demo.wav'}\nlook:    {out / 'report.html'}\n"
        f"notes:   {out / 'demo.mid'}\nledger:  {out / 'demo.ledger'}  (lalelu latency {out / 'demo.ledger'})"
    )


def report(played: Played, loaded: Loaded, camera: SimulatedCamera) -> str:
    """Return the page about one demo."""
    pairs = match(played.found, played.truth, window_s=WINDOW_MS * 1e-3, by="limb")
    true_of = dict(pairs)
    reached = set(true_of.values())
    header = played.ledger.header
    facts = [(str(name), str(value)) for name, value in {**header["versions"], **header["host"]}.items()]
    return render_report(
        ReportData(
            title="lalelu: a simulated drummer, played by camera",
            picture_png=encode_png(picture(played, loaded, camera)),
            traces=traces(played),
            found=tuple(
                mark(played.found[i], error_ms=(played.found[i].time_s - played.truth[j].time_s) * 1e3)
                for i, j in pairs
            ),
            missed=tuple(mark(hit) for j, hit in enumerate(played.truth) if j not in reached),
            extra=tuple(mark(hit) for i, hit in enumerate(played.found) if i not in true_of),
            latency=summarize(played.ledger.frames, played.ledger.notes),
            facts=(
                ("camera", str(header["camera"].get("source", ""))),
                *(("real time", granted(request)) for request in header["requests"]),
                *facts,
            ),
            pads=tuple(loaded.kit.pads),
        )
    )


def granted(request: Mapping[str, Any]) -> str:
    """Return a line about one request to the machine, the process that made it first."""
    told = dict(request)
    process = told.pop("process", "")
    return f"{process}: {Grant(**told)}" if process else str(Grant(**told))


def mark(hit: HitRecord, error_ms: float | None = None) -> HitMark:
    """Return what the page draws for one hit."""
    return HitMark(hit.time_s, hit.limb, hit.pad or "", error_ms)


def traces(played: Played) -> tuple[Trace, ...]:
    """Return both wrists' height above the shoulders over time, in shoulder widths."""
    seen = [(frame.captured_ns, frame.poses[0]) for frame in played.take.frames if frame.poses]
    if not seen:
        return ()
    time_s = np.array([(captured_ns - played.first_ns) * 1e-9 for captured_ns, _ in seen])
    names = played.take.header.keypoints
    torsos = [torso_of(pose.xy, pose.score, names) for _, pose in seen]
    size = float(np.median([torso.size for torso in torsos]))
    shoulders = np.array([torso.y for torso in torsos])
    return tuple(
        Trace(
            limb, time_s, (shoulders - np.array([pose.xy[names.index(limb), 1] for _, pose in seen])) / size
        )
        for limb in LIMBS
    )


def picture(
    played: Played, loaded: Loaded, camera: SimulatedCamera
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the frame of the loudest hit, filmed again, with what the network saw in it."""
    loudest = max(played.found, key=lambda hit: hit.velocity or 0, default=None)
    frames = [frame for frame in played.take.frames if frame.poses]
    if not frames:
        return camera.render(0)
    at_ns = played.first_ns + round((loudest.time_s if loudest else 0.0) * 1e9)
    frame = min(frames, key=lambda frame: abs(frame.captured_ns - at_ns))
    pose = frame.poses[0]
    names = played.take.header.keypoints
    torso = torso_of(pose.xy, pose.score, names)
    return draw(camera.render(frame.seq), pose, loaded.kit, (torso.x, torso.y, torso.size), names)
