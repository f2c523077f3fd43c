"""`lalelu kit`: list the kits, draw one, begin one of your own. Reads and writes kit files."""

import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from lalelu.config.edit import edited
from lalelu.config.kit import KitConfig
from lalelu.config.loader import KIT_ENDINGS, kit_file, load_kit, shipped_dir, shipped_kits
from lalelu.config.section import Where
from lalelu.errors import UsageError
from lalelu.kitpicture.svg import svg_of
from lalelu.kitpicture.terminal import WIDTH, drawn

BEGINNING: Final = "rock"  # what a new kit is a copy of

_MOST: Final = 64  # characters of a kit's name
# where editors find the schema: the copy lies elsewhere than what is copied
_SCHEMA_LINE: Final = re.compile(r"\A# yaml-language-server:.*\n")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser(
        "list",
        help="the kits that came with lalelu",
        description="List the kits that came with lalelu.",
        allow_abbrev=False,
    )
    listing.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    showing = actions.add_parser(
        "show",
        help="draw a kit",
        description="Draw a kit's pads around you, as in a mirror, and say what they play. NO_COLOR is honoured.",
        allow_abbrev=False,
    )
    showing.add_argument("kit", metavar="KIT", help="a kit's name, or the path of a file ending in .yaml")
    showing.add_argument(
        "--svg", metavar="FILE", type=Path, help="write the picture into an SVG file instead"
    )
    beginning = actions.add_parser(
        "new",
        help="begin a kit of your own as a copy of another",
        description="Copy a kit, comments and all, as the beginning of your own, named as its file.",
        allow_abbrev=False,
    )
    beginning.add_argument("file", metavar="FILE", type=Path, help="the new file, ending in .yaml")
    beginning.add_argument(
        "--from",
        dest="kit",
        metavar="KIT",
        default=BEGINNING,
        help=f"a kit's name or file (default: {BEGINNING})",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out one sub-command; returns 0."""
    if args.action == "list":
        _list(as_json=args.json)
    elif args.action == "show":
        _show(args.kit, args.svg)
    else:
        _new(args.file, args.kit)
    return 0


def _list(*, as_json: bool) -> None:
    rows = []
    for name in shipped_kits():
        kit = load_kit(name, None)
        row = {"name": name, "description": kit.description, "pads": len(kit.pads)}
        rows.append(
            {**row, "legs": kit.needs_legs, "gestures": len(kit.gestures), "file": str(kit_file(name, None))}
        )
    if as_json:
        print(json.dumps({"kits": rows}))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['description']}")
    print("\n`lalelu kit show NAME` draws one, `lalelu kit new mine.yaml --from NAME` copies it")


def _show(ref: str, svg: Path | None) -> None:
    kit = load_kit(ref, None)
    if svg is not None:
        _write(svg, svg_of(kit), new=False)
        return
    is_screen = sys.stdout.isatty()
    width = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH) if is_screen else WIDTH
    colour = is_screen and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    braille = (sys.stdout.encoding or "ascii").lower().replace("-", "").startswith("utf")
    print(drawn(kit, width=width, colour=colour, braille=braille))


def _new(path: Path, ref: str) -> None:
    if not path.name.endswith(KIT_ENDINGS):
        raise UsageError(
            f"the new kit's file is {path}; its name must end in .yaml, so that `kit:` can tell it"
        )
    kit, file = load_kit(ref, None), kit_file(ref, None)  # only what is valid is worth a copy
    text = _SCHEMA_LINE.sub("", file.read_text(encoding="utf-8-sig"))
    schema = (shipped_dir() / "schema" / "kit.json").absolute().as_uri()
    text = f"# yaml-language-server: $schema={schema}\n{text}"
    _write(path, edited(text, {("name",): path.stem[:_MOST], **where_learned(kit, file, path)}), new=True)
    print(f"{path} is a copy of {ref}. Say `kit: {path.name}` in a lalelu.yaml beside it;")
    print(
        f"`lalelu kit show {path}` draws it, `lalelu check {path}` checks it, saving it while you play is heard."
    )


def where_learned(kit: KitConfig, file: Path, copy: Path) -> dict[Where, Any]:
    """Return what a copy of a kit's file says otherwise, so that it finds the kit's learned detector."""
    if kit.learned is None or copy.resolve().parent == file.resolve().parent:
        return {}
    return {("learned", "file"): str((file.parent / kit.learned.file).resolve())}


def _write(path: Path, text: str, *, new: bool) -> None:
    try:
        with path.open("x" if new else "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise UsageError(
            f"{path} is there already, and a new kit replaces none; choose another name"
        ) from exc
    except (OSError, ValueError) as exc:  # ValueError: a path with a zero byte
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(
            f"{path} cannot be written ({reason}); check the folder and its permissions"
        ) from exc
