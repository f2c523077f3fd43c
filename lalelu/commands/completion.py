"""`lalelu completion SHELL`: print the script that lets a shell complete commands, options, files and kits. Prints."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lalelu.config.loader import shipped_kits
from lalelu.errors import MissingError

SHELLS: Final = ("bash", "fish", "tcsh", "zsh")

# where each shell looks for such a script; an ordinary user's place first
_INSTALLED: Final = """\
bash:  lalelu completion bash >~/.local/share/bash-completion/completions/lalelu
fish:  lalelu completion fish >~/.config/fish/completions/lalelu.fish
zsh:   lalelu completion zsh >DIR/_lalelu, where DIR stands in $fpath
tcsh:  lalelu completion tcsh >~/.lalelu.tcsh, and `source ~/.lalelu.tcsh` in ~/.tcshrc"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _INSTALLED
    parser.add_argument("shell", choices=SHELLS, help="for which shell")


def run(args: argparse.Namespace) -> int:
    """Print the script; 0. Raises MissingError without the extra `completion`."""
    print(script(args.shell))
    return 0


def script(shell: str) -> str:
    """Return the script for one of SHELLS. Raises MissingError without the extra `completion`."""
    try:
        import shtab
    except ModuleNotFoundError as exc:
        raise MissingError(
            "lalelu completion needs the module 'shtab', which is not installed; "
            "`pip install 'lalelu[completion]'` brings it"
        ) from exc
    from lalelu.cli import COMMANDS, build_parser

    kits = " ".join(shipped_kits())
    of_kits = {
        "bash": "_lalelu_kits",
        "zsh": "_lalelu_kits",
        "tcsh": "f",
        "fish": f"{kits} {shtab.FILE['fish']}",
    }
    preamble = {
        "bash": f'_lalelu_kits() {{ compgen -W "{kits}" -- "$1"; compgen -f -- "$1"; }}',
        "zsh": f"_lalelu_kits() {{ compadd -- {kits}; _files }}",
    }
    parser = build_parser(COMMANDS)
    for action in _actions(parser):
        if action.metavar == "KIT" or action.metavar == "TAKE" or action.type is Path:
            of_files = shtab.DIR if action.metavar == "DIR" else shtab.FILE
            action.complete = (  # type: ignore[attr-defined] # where shtab looks
                of_kits if action.metavar == "KIT" else of_files
            )
    return shtab.complete(parser, shell, preamble=preamble.get(shell, ""))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield every argument of every command."""
    for action in parser._actions:  # noqa: SLF001 - argparse tells them nowhere else
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - nor does it tell which these are
            for below in action.choices.values():
                yield from _actions(below)
