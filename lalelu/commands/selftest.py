"""`lalelu selftest`: from the true hit to the note that another program receives, measured here. Plays."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu import app
from lalelu.analysis.latency import (
    STATISTICS,
    Budget,
    Distribution,
    aligned,
    broken,
    distribution,
    histogram_text,
    parse_budget,
)
from lalelu.camera import port as camera_port
from lalelu.camera.simulated.camera import SimulatedCamera
from lalelu.camera.simulated.truth import hit_record
from lalelu.commands import selftest_flash
from lalelu.commands.run import add_config_option, positive
from lalelu.config.loader import Loaded, load_config, with_overrides
from lalelu.console import say
from lalelu.doctor import probe
from lalelu.doctor.probe import Probe, Sleep
from lalelu.errors import CheckFailedError, UsageError
from lalelu.ledger.reader import Ledger, read_ledger
from lalelu.realtime import choose_core
from lalelu.registry import from_uri, parse_uri
from lalelu.selftest.chain import DURATIONS, WINDOW_MS, Chain, as_json, measure, note_ons, received_ns
from lalelu.selftest.listening import Heard, listening
from lalelu.session import Recording

CLIENT: Final = "lalelu-selftest"  # the voice's own port, to which nobody else connects
SOUND: Final = "sound"  # the name of its duration
PERIOD_MS: Final = 10.0  # of the sleeper: the camera's
ABOVE: Final = 90  # the sleeper's priority: above engine and voice, so that neither makes it late


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.description = (
        "Play a simulated drummer, whose hits are known, and measure when another program receives the notes; "
        "beside it, how late a bare thread is woken on the same core meanwhile."
    )
    add_config_option(parser)
    parser.add_argument(
        "--camera",
        metavar="URI",
        help="the drummer, as in sim:?groove=fast; with --flash the camera that watches",
    )
    parser.add_argument(
        "--flash",
        metavar="LIGHT",
        help="instead, flash a light and measure until your camera delivers it: terminal, or led:NAME",
    )
    parser.add_argument("--seconds", type=positive, default=30.0, metavar="S", help="how long to play (30)")
    parser.add_argument(
        "--log", type=Path, metavar="DIR", help="keep the latency ledger in this new directory"
    )
    parser.add_argument(
        "--sound",
        nargs=2,
        default=(),
        metavar=("SYNTH", "PORT"),
        help="JACK's names of a synthesiser's MIDI input, which is played, and of the audio output on which it is "
        "heard: system:capture_1 for a microphone",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--budget",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help=f"a limit, else exit 1; may be repeated: {', '.join(DURATIONS)} with a statistic, as in chain.p99=60ms",
    )


def run(args: argparse.Namespace) -> int:
    """Play, print the distributions; 0 when notes arrived.

    Raises CheckFailedError when none did or a budget breaks, MissingError where no other program could hear any.
    """
    if args.flash is not None:
        return selftest_flash.run(args)
    names = (*DURATIONS, *([SOUND] if args.sound else []))
    budgets = [parse_budget(text, names) for text in args.budget]
    if args.log is not None and args.log.exists():
        raise UsageError(f"{args.log} is there already, and a recording replaces nothing; name a new one")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ledger" if args.log is None else args.log
        chain, heard, sleep, api = play(args, folder)
    if args.json:
        print(json.dumps(plain(chain, heard, sleep, api), allow_nan=False))
    else:
        print(text(chain, heard, sleep, api))
    check(chain, budgets)
    return 0


def play(args: argparse.Namespace, folder: Path) -> tuple[Chain, Heard, Sleep, str]:
    """Play into the ledger `folder`; return what came of it, what was heard, the sleeper, and the MIDI system."""
    uri = args.camera or "sim:"
    loaded, camera = wired(args.config, f"{uri}{'&' if '?' in uri else '?'}seconds={args.seconds:g}")
    with listening(f"{CLIENT}:out", say, *args.sound) as (api, listener):
        loaded = with_overrides(loaded, midi=[f"virtual:{CLIENT}?api={api}"])
        sleeper = probe.start(
            Probe(
                choose_core(loaded.config.realtime.core),
                period_ms=PERIOD_MS,
                priority=ABOVE,
                until_stdin_closes=True,
            )
        )
        try:
            say(f"playing for {args.seconds:g} s")
            began = app.play(loaded, Recording(folder), say, once=True)
        finally:
            sleep = probe.finish(sleeper)
        heard = listener.heard()
    ledger = read_ledger(folder) if began else None
    if ledger is None or not len(ledger.frames):
        raise CheckFailedError("stopped before the first frame; nothing was measured")
    chain = measured(ledger, heard, loaded, camera)
    if args.sound:
        chain = replace(chain, durations={**chain.durations, SOUND: sounded(heard)})
    return chain, heard, sleep, api


def wired(config: Path | None, uri: str) -> tuple[Loaded, SimulatedCamera]:
    """Return the configuration with the simulated drummer, and a camera that knows what he plays."""
    if parse_uri(uri)[0] != "sim":
        raise UsageError(
            f"{uri!r} is no simulated drummer, whose true hits are known; write sim: and its options"
        )
    loaded = with_overrides(load_config(config, builtin=config is None), camera=uri)
    section = loaded.config.camera
    if section.rotate or section.mirror:
        raise UsageError(
            "camera.rotate and camera.mirror would turn the simulated drummer; test with a configuration without them"
        )
    camera: SimulatedCamera = from_uri("camera", camera_port.ADAPTERS, uri)
    return loaded, camera


def measured(ledger: Ledger, heard: Heard, loaded: Loaded, camera: SimulatedCamera) -> Chain:
    """Match what was heard with what the drummer has played, on the ledger's clock."""
    first, last = ledger.frames[0], ledger.frames[-1]
    origin_ns = int(first["captured_ns"]) - round(int(first["seq"]) * camera.period_ns)
    truth = [hit_record(hit) for hit in camera.truth(int(last["captured_ns"]) - origin_ns)]
    heard_ns = received_ns(ledger.notes, note_ons(heard.messages))
    return measure(
        ledger.frames, ledger.notes, heard_ns, truth, loaded.kits, origin_ns=origin_ns, lag_ns=camera.lag_ns
    )


def sounded(heard: Heard) -> Distribution:
    """Return how long after its arrival each note was heard."""
    delays_ms = [
        (began_ns - at_ns) * 1e-6
        for (at_ns, _), began_ns in zip(heard.messages, heard.sounded_ns, strict=True)
        if began_ns is not None
    ]
    return distribution(SOUND, "received → sound heard (of all notes)", np.array(delays_ms))


def check(chain: Chain, budgets: Sequence[Budget]) -> None:
    """Raise CheckFailedError when nothing arrived or a budget breaks."""
    if not chain.found:
        raise CheckFailedError(
            f"of {chain.played} true hits not one came back as a note; `lalelu demo` shows what the network sees"
        )
    failures = broken(chain, budgets)
    if failures:
        raise CheckFailedError("; ".join(failures))


def text(chain: Chain, heard: Heard, sleep: Sleep, api: str) -> str:
    """Return what was found, for people."""
    late = sleep.lateness
    rows = [["name", "what", "count", *STATISTICS]]
    rows += [
        [
            d.name,
            d.label,
            str(d.count),
            *("-" if not d.count else f"{d.statistic(s):.3f}" for s in STATISTICS),
        ]
        for d in chain.durations.values()
    ]
    known = {
        "p50": late.p50_ms, "p99": late.p99_ms, "p99.9": late.p999_ms,
        "max": late.max_ms, "mean": late.mean_ms, "sd": late.sd_ms,
    }  # fmt: skip
    core = "anywhere" if sleep.core is None else f"on core {sleep.core}"
    rows.append(
        [
            "sleeper",
            f"bare sleep {core}, due → woken",
            str(late.wakings),
            *(f"{known[s]:.3f}" if s in known else "-" for s in STATISTICS),
        ]
    )
    table = "\n".join(aligned(rows, 2))
    counts = (
        f"hits: {chain.played} played, {chain.found} found, {chain.missed} missed, {chain.extra} extra "
        f"(found = same hand, within {WINDOW_MS:g} ms)"
    )
    return "\n".join(
        [
            counts,
            *remarks(chain, heard, api),
            f"\n{table}\n(ms; sleeper: {sleep.scheduling}, every {sleep.period_ms:g} ms, meanwhile)\n",
            histogram_text(chain.durations["chain"], min(40, shutil.get_terminal_size().columns // 2)),
        ]
    )


def remarks(chain: Chain, heard: Heard, api: str) -> list[str]:
    """Return what must be known of the figures."""
    lines = []
    if heard.period_ms is not None:
        lines.append(
            f"JACK: period {heard.period_ms:.2f} ms, which alone makes an SD of {heard.period_ms / 12**0.5:.2f} ms "
            f"of arrival; periods missed: {heard.xruns}"
        )
    else:
        lines.append(f"heard through {api.upper()}")
    if SOUND in chain.durations:
        lines.append(
            "sound holds the way into the machine (a microphone's is a period or two; jack_iodelay measures it)"
        )
    if chain.unheard:
        lines.append(f"{chain.unheard} notes were sent and never received")
    if chain.late_film:
        lines.append(
            f"{chain.late_film} hits are not in the table: the simulated camera itself was late with their frames; "
            "this machine films slowly (--camera 'sim:?size=320x240' is less work)"
        )
    return lines


def plain(chain: Chain, heard: Heard, sleep: Sleep, api: str) -> dict[str, Any]:
    """Return what was found as plain JSON values."""
    return {
        "api": api,
        "period_ms": heard.period_ms,
        "xruns": heard.xruns,
        **as_json(chain),
        "sleeper": asdict(sleep),
    }
