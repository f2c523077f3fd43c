#!/usr/bin/env python3
"""Write the manual page lalelu(1) from the commands' own help, as roff. Prints.

tools/make_man.py >packaging/lalelu.1
"""

import argparse
import re
import sys
from collections.abc import Iterator
from typing import Final

from lalelu import __version__
from lalelu.cli import COMMANDS, build_parser

EXIT_STATUS: Final = (
    ("0", "done"),
    ("1", "a stated budget or check failed"),
    ("2", "wrong usage or configuration; systemd does not start it again"),
    ("3", "a device, model or extra is missing"),
    ("4", "a device was lost (with --once)"),
)
FILES: Final = (
    ("~/.config/lalelu/lalelu.yaml", "the configuration of one user ($XDG_CONFIG_HOME)"),
    ("/etc/lalelu/lalelu.yaml", "the configuration of the service, and of users without one"),
    ("~/.cache/lalelu", "models, as they came and converted ($LALELU_CACHE, $XDG_CACHE_HOME)"),
    ("$XDG_RUNTIME_DIR/lalelu", "through which the processes of a running instrument talk"),
)
ENVIRONMENT: Final = (
    ("LALELU_CONFIG", "the configuration's file, where no --config names one"),
    ("LALELU_CACHE", "the folder for models"),
    ("NO_COLOR", "when set, nothing is printed in colour"),
)
EXAMPLES: Final = (
    ("lalelu demo", "the simulated drummer plays; nothing else is needed"),
    ("lalelu devices", "which cameras and MIDI ports there are"),
    ("lalelu run --config my.yaml", "play"),
    ("lalelu latency demo/demo.ledger", "where the time went"),
)


def page() -> str:
    """Return the whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    parser = build_parser(COMMANDS)
    yield '.\\" made by tools/make_man.py'
    yield f'.TH LALELU 1 "" "lalelu {_text(__version__)}" "User Commands"'
    yield from (".nh", ".ad l")
    yield from (".SH NAME", "lalelu \\- play percussion in front of a camera")
    yield from (".SH SYNOPSIS", ".B lalelu", ".I COMMAND", "[\\fIARGUMENTS\\fR]")
    yield from (
        ".SH DESCRIPTION",
        _text("Films a player, finds the hands with a pose network, recognises the strokes"),
    )
    yield _text(
        "and sends MIDI notes. Every frame and every note leaves a row, so that a late one can be explained."
    )
    yield ".SH COMMANDS"
    for name, command in _below(parser):
        yield from _command(name, command)
    for title, rows in (
        ("EXIT STATUS", EXIT_STATUS),
        ("FILES", FILES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("EXAMPLES", EXAMPLES),
    ):
        yield f".SH {title}"
        for term, what in rows:
            yield from (".TP", f"\\fB{_text(term)}\\fR", _text(what))


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f'.SS "{_text(name)}"'
    yield _text(_sentence(parser.description or ""))
    yield from (".PP", _synopsis(name, parser), ".PP")
    for action in parser._actions:  # noqa: SLF001 - argparse tells them nowhere else
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):  # noqa: SLF001
            continue
        yield from (".TP", _term(action), _text(_help(parser, action)))
    if parser.epilog:
        yield from (".PP", ".nf", *(_text(line) for line in parser.epilog.splitlines()), ".fi")
    for below, command in _below(parser):
        yield from _command(f"{name} {below}", command)


def _synopsis(name: str, parser: argparse.ArgumentParser) -> str:
    words = [f"\\fBlalelu {_text(name)}\\fR"]
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001
            continue
        if action.option_strings:
            if "[OPTION]..." not in words:
                words.append("[OPTION]...")
        else:
            many = "..." if action.nargs in {"+", "*"} else ""
            value = f"{_value(action)}{many}"
            words.append(f"[{value}]" if action.nargs in {"?", "*"} else value)
    return " ".join(words)


def _value(action: argparse.Action) -> str:
    """Return what stands for an argument's value, in italics; its choices may be broken at their commas."""
    if action.metavar is None and action.choices:
        return "|\\:".join(f"\\fI{_text(str(choice))}\\fR" for choice in action.choices)
    wanted = action.metavar or action.dest
    return f"\\fI{_text(' '.join(wanted) if isinstance(wanted, tuple) else wanted)}\\fR"


def _below(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.items()


def _term(action: argparse.Action) -> str:
    """Return how an argument is written, its own words bold and what stands for a value in italics."""
    value = "" if action.nargs == 0 else _value(action)
    if not action.option_strings:
        return value
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in action.option_strings)
    return f"{names} {value}".rstrip()


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    known = {**vars(action), "prog": parser.prog}
    return " ".join(((action.help or "") % known).split())


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _text(text: str) -> str:
    """Return plain text as roff takes it."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    for sign, named in (("→", "\\(->"), ("…", "...")):
        text = text.replace(sign, named)
    return re.sub(r"^([.'])", r"\\&\1", text)


if __name__ == "__main__":
    sys.stdout.write(page())
