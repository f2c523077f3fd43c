"""Change values in YAML text, and nothing else of it: comments, order and spelling stay. Pure.

ruamel.yaml keeps what PyYAML drops; the result is read again by PyYAML, whose reading is the one that counts.
"""

import copy
import difflib
import re
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

from lalelu.config.positions import Path, Value, dotted, read_document
from lalelu.errors import UsageError

# a line that ends with a colon, and the next one, which is indented; or begins a list
_STEP: Final = re.compile(r"^( *)[^\s#-][^\n]*:(?: *#[^\n]*)?\n(\1 +)[^\s#-]", re.MULTILINE)
_DASH: Final = re.compile(r"^( *)[^\s#-][^\n]*:(?: *#[^\n]*)?\n(\1 *)- ", re.MULTILINE)
_QUOTED: Final = (DoubleQuotedScalarString, SingleQuotedScalarString)


def edited(text: str, changes: Mapping[Path, Value]) -> str:
    """Return `text` with these values at their paths; mappings and options that are not there are added.

    Raises UsageError where a path leads nowhere, or where this would change something else, too.
    """
    document = read_document(text, "")
    if not isinstance(document.root, dict):
        raise cannot(next(iter(changes), ()), "there are mistakes in it; `lalelu check FILE` names them")
    wanted = copy.deepcopy(document.root)
    for path, value in changes.items():
        _set(wanted, path, value)
    if same(wanted, document.root):
        return text
    unix = text.replace("\r\n", "\n")
    try:
        before, after = _rewritten(unix, changes)
    except (YAMLError, ValueError, AttributeError, TypeError, LookupError) as exc:
        raise cannot(next(iter(changes)), "it is written in a way that is not understood here") from exc
    for result in (_transplanted(unix, before, after), after):
        read = read_document(result, "")
        if same(read.root, wanted) and len(read.problems) <= len(document.problems):
            return result.replace("\n", "\r\n") if "\r\n" in text else result
    raise cannot(next(iter(changes)), "something else would change, too, as by an alias (*name)")


def _rewritten(text: str, changes: Mapping[Path, Value]) -> tuple[str, str]:
    """Return the text as ruamel.yaml writes it without and with the changes."""
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 1 << 20  # long lines stay one
    step, offset = _indentation(text)
    round_trip.indent(mapping=step, sequence=offset + 2, offset=offset)
    round_trip.representer.add_representer(type(None), _null)
    root = round_trip.load(text)
    before = _dumped(round_trip, root)
    if root is None:  # nothing but comments
        added = CommentedMap()
        for path, value in changes.items():
            _put(added, path, value)
        return text, f"{text}{_line_end(text)}{_dumped(round_trip, added)}"
    for path, value in changes.items():
        _put(root, path, value)
    return before, _dumped(round_trip, root)


def _indentation(text: str) -> tuple[int, int]:
    """Return by how much a mapping is indented in the text's first one, and the dash of a list."""
    step, dash = _STEP.search(text), _DASH.search(text)
    return len(step[2]) - len(step[1]) if step else 2, len(dash[2]) - len(dash[1]) if dash else 2


def _null(representer: Any, _: None) -> Any:  # noqa: ANN401 - the library's own types
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


class _Written:
    """What the library writes, in memory."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: bytes) -> None:
        self.parts.append(part)


def _dumped(yaml: YAML, root: object) -> str:
    written = _Written()
    yaml.dump(root, written)
    return b"".join(written.parts).decode()


def _transplanted(text: str, before: str, after: str) -> str:
    """Return `after`, with the lines that were not changed as they stand in `text`, however they are spelt."""
    lines, old, new = (part.splitlines(keepends=True) for part in (text, before, after))
    if len(lines) != len(old):  # lists in several lines have become one: their comments stay all the same
        return after
    result: list[str] = []
    for kind, first, last, new_first, new_last in difflib.SequenceMatcher(
        None, old, new, False
    ).get_opcodes():
        result += lines[first:last] if kind == "equal" else new[new_first:new_last]
        if kind == "insert" and first == len(lines) and text and not text.endswith("\n"):
            result.insert(-(new_last - new_first), "\n")
    return "".join(result)


def _line_end(text: str) -> str:
    return "" if not text or text.endswith("\n") else "\n"


def _set(root: Value, path: Path, value: Value) -> None:
    """Put a value into plain ones."""
    here = root
    for index, part in enumerate(path):
        inner = index < len(path) - 1
        if isinstance(here, dict) and isinstance(part, str):
            if not inner:
                here[part] = value
            elif here.get(part) is None:
                here[part] = {}
            here = here[part]
        elif isinstance(here, list) and isinstance(part, int) and 0 <= part < len(here):
            if not inner:
                here[part] = value
            here = here[part]
        else:
            raise UsageError(
                f"{dotted(path)} leads nowhere; {dotted(path[:index]) or 'the file'} has no {part!r}"
            )


def _put(root: Any, path: Path, value: Value) -> None:  # noqa: ANN401 - the library's own types
    """Put a value into the library's mappings and lists; `_set` has found that the path is there."""
    here = root
    for part in path[:-1]:
        key = _key(here, part)
        if here[key] is None if isinstance(here, list) else here.get(key) is None:
            here[key] = CommentedMap()
        here = here[key]
    key = _key(here, path[-1])
    there = key in here if isinstance(here, dict) else True
    here[key] = _merged(here[key] if there else None, value)


def _key(container: Any, part: str | int) -> Any:  # noqa: ANN401 - the library's own types
    """Return the key as the library has read it: a player's number is a number there."""
    if isinstance(container, dict) and part not in container:
        return next((key for key in container if str(key) == part), part)
    return part


def _merged(before: Any, value: Value) -> Any:  # noqa: ANN401 - the library's own types
    """Return what is to stand there instead of `before`, spelt like that where it is of its kind."""
    if isinstance(before, CommentedMap) and isinstance(value, dict) and list(before) == list(value):
        for key, inner in value.items():
            before[key] = _merged(before[key], inner)
        return before
    if isinstance(before, CommentedSeq) and isinstance(value, list) and len(before) == len(value):
        for index, inner in enumerate(value):
            before[index] = _merged(before[index], inner)
        return before
    if type(before) in _QUOTED and isinstance(value, str):
        return type(before)(value)
    if isinstance(value, bool) or value is None or not same(before, value):
        return _fresh(value)
    return before


def _fresh(value: Value) -> Any:  # noqa: ANN401 - the library's own types
    if isinstance(value, dict):
        mapping = CommentedMap((key, _fresh(inner)) for key, inner in value.items())
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_fresh(inner) for inner in value)
        sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and read_document(f"- {value}", "").root != [value]:
        return DoubleQuotedScalarString(value)  # YAML would take it for another kind
    return value


def same(one: object, other: object) -> bool:
    """Whether plain values are equal; 1, 1.0 and true are three."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    is_truth = isinstance(one, bool) or isinstance(other, bool)
    return one == other and (not is_truth or type(one) is type(other))


def cannot(path: Path, why: str) -> UsageError:
    """Return the error of a text that cannot be changed at `path`."""
    return UsageError(
        f"{dotted(path) or 'the file'} cannot be changed in place: {why}; write the line by hand"
    )
