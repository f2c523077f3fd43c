"""`lalelu run`: the daemon. Plays until stopped."""

import argparse
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from lalelu import app
from lalelu.config.loader import Loaded, load_config, with_overrides
from lalelu.console import say
from lalelu.errors import UsageError
from lalelu.ledger.files import claim
from lalelu.ledger.schema import HEADER
from lalelu.session import Recording
from lalelu.takes.recording import recorded_at

MAX_SECONDS = 1e8  # three years; the timer that ends a run takes no more than a clock can hold


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Add `--config F`."""
    parser.add_argument(
        "--config", type=Path, metavar="F", help="configuration file (default: the installed one)"
    )


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lalelu run`."""
    add_config_option(parser)
    parser.add_argument(
        "--camera", metavar="URI", help="camera instead of the configured one, as in sim:?bpm=100"
    )
    parser.add_argument(
        "--midi",
        metavar="URI",
        action="append",
        help="MIDI output instead of the configured ones; may be repeated",
    )
    parser.add_argument(
        "--log", type=Path, metavar="DIR", help="keep the latency ledger in this new directory"
    )
    parser.add_argument("--take", type=Path, metavar="F", help="record the keypoints (.take or .take.gz)")
    parser.add_argument("--seconds", type=positive, metavar="S", help="stop after so many seconds")
    parser.add_argument("--once", action="store_true", help="a lost device ends the run (exit 4)")


def positive(text: str, most: float = MAX_SECONDS) -> float:
    """Parse a number of seconds above 0, `most` at the most."""
    value = float(text)
    if not 0 < value <= most:
        raise argparse.ArgumentTypeError(f"{text} is out of range; allowed are values above 0 up to {most:g}")
    return value


def check_target(path: Path) -> None:
    """Say before the playing that a file could not be written after it; touches nothing. Raises UsageError."""
    try:
        if path.is_dir():
            why = "it is a folder"
        elif not path.parent.is_dir():
            why = f"there is no folder {path.parent}"
        elif not os.access(path if path.exists() else path.parent, os.W_OK):
            why = "you may not write there"
        else:
            return
    except OSError as exc:  # a folder on the way that may not be entered
        why = exc.strerror or str(exc)
    raise UsageError(f"{path} cannot be written: {why}; name another place")


def check_new(take: Path) -> None:
    """Refuse to replace an earlier take. Raises UsageError."""
    for there in (take, recorded_at(take)):
        if there.exists():
            raise UsageError(f"{there} is there already, and a recording replaces nothing; name a new one")


def ledger_dir(asked: Path | None, loaded: Loaded) -> Path | None:
    """Return where this run's ledger goes: as asked, else a new folder in the configured one, else nowhere.

    Raises UsageError.
    """
    if asked is not None or loaded.config.ledger.dir is None:
        return asked
    return claim(Path(loaded.config.ledger.dir), datetime.now().astimezone())


def run(args: argparse.Namespace) -> int:
    """Play. Exit 0 when stopped, 4 when a device was lost and `--once` is given."""
    loaded = with_overrides(load_config(args.config), camera=args.camera, midi=args.midi)
    say(f"configuration: {loaded.origin}; kit: {', '.join(kit.name for kit in loaded.kits)}")
    if args.take is not None:
        check_target(args.take)
        check_new(args.take)
    if args.log is not None and (args.log / HEADER).is_file():
        raise UsageError(
            f"{args.log} holds a ledger already, and a recording replaces nothing; name a new one"
        )
    recording = Recording(ledger_dir(args.log, loaded), args.take, rotates=args.log is None)
    try:
        app.play(loaded, recording, say, seconds=args.seconds, once=args.once)
    finally:
        if recording.rotates and recording.ledger is not None:
            with suppress(OSError):  # it holds a ledger, unless the start has failed
                recording.ledger.rmdir()
    return 0
