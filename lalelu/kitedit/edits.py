"""What can be done to the player's files: values set, and keys put in, taken out and renamed. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lalelu.config.edit import edited
from lalelu.config.keys import added, removed, renamed
from lalelu.config.positions import Path, Value, dotted
from lalelu.errors import UsageError

MAX_PATH: Final = 200  # characters
MOST_EDITS: Final = 200  # at once: a kit has up to 64 pads
_PART: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Set:
    """New values of options, which are added where they do not stand yet."""

    values: Mapping[Path, Value]


@dataclass(frozen=True, slots=True)
class Add:
    """A new key, behind the others of its mapping."""

    path: Path
    value: Value


@dataclass(frozen=True, slots=True)
class Remove:
    """A key is taken out, with its value."""

    path: Path


@dataclass(frozen=True, slots=True)
class Rename:
    """A key gets another name, at the same place."""

    path: Path
    name: str


Edit: TypeAlias = Set | Add | Remove | Rename


def joined(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Return the same edits with values that are set one after the other set at once."""
    result: list[Edit] = []
    for edit in edits:
        last = result[-1] if result else None
        if isinstance(edit, Set) and isinstance(last, Set):
            kept = {path: value for path, value in last.values.items() if path not in edit.values}
            result[-1] = Set({**kept, **edit.values})
        else:
            result.append(edit)
    return tuple(result)


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return a file's text with these edits. Raises UsageError where one of them cannot be made."""
    for edit in joined(edits):
        if isinstance(edit, Set):
            text = edited(text, edit.values)
        elif isinstance(edit, Add):
            text = added(text, edit.path, edit.value)
        elif isinstance(edit, Remove):
            text = removed(text, edit.path)
        else:
            text = renamed(text, edit.path, edit.name)
    return text


def plain(edits: Iterable[Edit]) -> list[dict[str, Any]]:
    """Return edits ready for JSON."""
    return [_plain(edit) for edit in edits]


def _plain(edit: Edit) -> dict[str, Any]:
    if isinstance(edit, Set):
        return {"set": {dotted(path): value for path, value in edit.values.items()}}
    if isinstance(edit, Add):
        return {"add": dotted(edit.path), "value": edit.value}
    if isinstance(edit, Remove):
        return {"remove": dotted(edit.path)}
    return {"rename": dotted(edit.path), "to": edit.name}


def from_plain(data: object) -> tuple[Edit, ...]:
    """Return the edits that `plain` gave. Raises UsageError for anything else."""
    if not isinstance(data, list) or len(data) > MOST_EDITS:
        raise UsageError(f"edits is to be a list of up to {MOST_EDITS}")
    return tuple(_edit(each) for each in data)


def _edit(data: object) -> Edit:
    match data:
        case {"set": dict(values)}:
            return Set({parse_path(str(path)): value for path, value in values.items()})
        case {"add": str(path), "value": value}:
            return Add(parse_path(path), value)
        case {"remove": str(path)}:
            return Remove(parse_path(path))
        case {"rename": str(path), "to": str(name)}:
            return Rename(parse_path(path), name)
    raise UsageError(
        "an edit is {set: {path: value}}, {add: path, value}, {remove: path} or {rename: path, to}"
    )


def parse_path(text: str) -> Path:
    """Return an option's path, as in `pads.snare.zone.box[0]`. Raises UsageError where it is none."""
    parts: list[str | int] = []
    at = 0
    while at < len(text) <= MAX_PATH and (found := _PART.match(text, at)):
        parts.append(found[1] if found[2] is None else int(found[2]))
        at = found.end()
    if not parts or at < len(text):
        raise UsageError(f"{text[:MAX_PATH]!r} is no option; write it as in pads.snare.threshold")
    return tuple(parts)
