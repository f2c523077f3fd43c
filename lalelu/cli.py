"""The command line: one parser, one module per command, errors as one sentence and an exit status."""

import argparse
import io
import os
import sys
from collections.abc import Collection
from importlib import import_module
from typing import Final

from lalelu import __version__
from lalelu.errors import LaleluError

# name -> (module with configure(parser) and run(args) -> exit status, what it does)
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("lalelu.commands.run", "play: camera to MIDI, in real time, until stopped"),
    "demo": ("lalelu.commands.demo", "play with a simulated drummer; leaves MIDI, sound, ledger and report"),
    "replay": ("lalelu.commands.replay", "run a film or a take through the instrument, offline"),
    "score": ("lalelu.commands.score", "compare hits with the truth"),
    "tune": ("lalelu.commands.tune", "fit a kit to takes of which it is known what was meant"),
    "take": ("lalelu.commands.take", "record, list and compare takes"),
    "model": ("lalelu.commands.model", "list, fetch, import, quantise and compare pose networks"),
    "bench": ("lalelu.commands.bench", "measure inference and the gesture step on this machine"),
    "latency": ("lalelu.commands.latency", "say where the time of every frame and note went"),
    "ledger": ("lalelu.commands.ledger", "recorded runs as Parquet, and many of them in one table"),
    "status": ("lalelu.commands.status", "say what the instruments that run here are doing"),
    "desk": ("lalelu.commands.desk", "say where a browser finds the page for setting up"),
    "devices": ("lalelu.commands.devices", "list cameras, MIDI ports and sound cards"),
    "doctor": ("lalelu.commands.doctor", "look at this machine as a real-time instrument"),
    "selftest": (
        "lalelu.commands.selftest",
        "measure the whole chain: true hit to the note that others receive",
    ),
    "check": ("lalelu.commands.check", "validate configuration files and kits"),
    "kit": ("lalelu.commands.kit", "list kits, draw one, and begin one of your own"),
    "schema": ("lalelu.commands.schema", "print the JSON schema of the configuration or of a kit"),
    "completion": ("lalelu.commands.completion", "print what lets a shell complete lalelu's commands"),
}


def build_parser(wanted: Collection[str]) -> argparse.ArgumentParser:
    """Return the parser with all commands, those of `wanted` with their options: only their modules are imported."""
    parser = argparse.ArgumentParser(
        prog="lalelu", description="Play percussion in front of a camera.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"lalelu {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, what) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=what, description=what, allow_abbrev=False)
        if name in wanted:
            module = import_module(module_name)
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status (0 done, 1 check failed, 2 usage, 3 missing, 4 lost)."""
    arguments = sys.argv[1:] if argv is None else argv
    os.umask(os.umask(0o777) | 0o022)  # whatever the user's, nobody else may write to what is made
    parser = build_parser([word for word in arguments if not word.startswith("-")][:1])
    args = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without our bars and arrows shows ? for them
    try:
        return int(args.run(args))
    except LaleluError as exc:
        print(f"lalelu {args.command}: {exc}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `lalelu latency ... | head`
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
