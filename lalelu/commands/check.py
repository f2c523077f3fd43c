"""`lalelu check FILE...`: validate configuration files and kits. Reads files, prints."""

import argparse
import json
from pathlib import Path
from typing import Final

from lalelu.config.loader import check_file
from lalelu.config.problem import Problem

INVALID: Final = 2  # the exit status of a wrong configuration


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="lalelu.yaml or a kit")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print every problem of every file, or that a file is ok; 2 when there is any problem."""
    by_file: dict[str, list[Problem]] = {str(path): [] for path in args.files}
    for path in args.files:
        for problem in check_file(path):  # those of a configuration's kits stand under their own names
            known = by_file.setdefault(problem.file, [])
            if problem not in known:
                known.append(problem)
    if args.json:
        files = [
            {"file": file, "problems": [_row(p) for p in problems]} for file, problems in by_file.items()
        ]
        print(json.dumps({"files": files}))
    else:
        for file, problems in by_file.items():
            print("\n".join(map(str, problems)) if problems else f"{file}: ok")
    return INVALID if any(by_file.values()) else 0


def _row(problem: Problem) -> dict[str, int | str]:
    return {
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
    }
