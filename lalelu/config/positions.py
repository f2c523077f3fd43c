"""Read YAML text into plain values while remembering where each stood. Pure.

PyYAML's nodes are walked here instead of built by its constructor, so that every problem of a file is found in
one pass, each with its line and column, and so that nothing but plain values can come out.
"""

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import yaml
from yaml.constructor import SafeConstructor

from lalelu.config.problem import Problem

Value: TypeAlias = str | int | float | bool | list["Value"] | dict[str, "Value"] | None
Path: TypeAlias = tuple[str | int, ...]

MAX_VALUES: Final = 10_000  # a kit has some hundreds; aliases that multiply (billion laughs) end here
MAX_CHARACTERS: Final = 512 << 10  # in all values together; a file has at most 256 KiB, aliases repeat it
MAX_NODES: Final = 2 * MAX_VALUES  # values and keys as written, before aliases are unfolded
MAX_ALIASES: Final = 256  # more than a kit has pads and gestures
MAX_DEPTH: Final = 20  # lalelu's own files need 5
MAX_KEY: Final = 100  # characters; the longest name that is allowed anywhere has 32
MAX_BITS: Final = 1024  # of a whole number: beyond that no float holds it either
MAX_WRITTEN: Final = 80  # characters of a value that are repeated in a sentence

_TAG: Final = "tag:yaml.org,2002:"
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]*")  # of a player, where it stands as a key
_OCTAL: Final = re.compile(r"[-+]?0[0-7_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value or key stands, and how it is written."""

    line: int  # from 1
    column: int  # from 1
    written: str  # the text of the file, shortened; empty for lists and mappings
    trap: str = ""  # what YAML makes of it, where that may surprise


@dataclass(slots=True)
class Document:
    """The values of one file with the place of each value and key, and what is wrong so far."""

    file: str
    root: Value = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, place: Place | None = None) -> Problem:
        """Return a problem at `path`, or at `place` where that is given."""
        at = place or self.values.get(path) or Place(0, 0, "")
        return Problem(self.file, at.line, at.column, dotted(path), message)

    def add(self, path: Path, message: str, place: Place | None = None) -> None:
        """Note a problem at `path`, or at `place` where that is given."""
        self.problems.append(self.problem(path, message, place))


def dotted(path: Path) -> str:
    """Return how a path is written for people: `midi.outputs[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def shortened(text: str) -> str:
    """Return `text` on one line, cut to what fits in a sentence."""
    line = " ".join(text[: 4 * MAX_WRITTEN].split())
    return line if len(line) <= MAX_WRITTEN else line[: MAX_WRITTEN - 3] + "..."


def read_document(text: str, file: str) -> Document:
    """Return the values of a YAML text. Whatever is wrong stands in `problems`; an empty text is `{}`."""
    document = Document(file)
    try:
        node = yaml.compose(text, Loader=_BoundedLoader)
    except _TooMuchError as exc:
        document.add((), str(exc), exc.place)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = Place(mark.line + 1, mark.column + 1, "") if mark else None
        document.add((), _syntax(exc), place)
    except yaml.reader.ReaderError as exc:
        document.add(
            (),
            f"the character U+{int(exc.character):04X} may not stand in YAML",
            _at(text, exc.position),
        )
    except (
        ValueError,
        OverflowError,
        IndexError,
    ) as exc:  # a wrong \U escape or %YAML line, which PyYAML lets through
        document.add((), f"not valid YAML: {shortened(str(exc))}")
    else:
        # an empty text, or one with nothing but ---
        if node is None or (
            isinstance(node, yaml.ScalarNode) and not node.value and node.tag == _TAG + "null"
        ):
            document.root = {}
        else:
            document.root = _Walk(document).value(node, ())
    return document


def _at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1, "")


def _syntax(exc: yaml.MarkedYAMLError) -> str:
    problem = exc.problem or "it cannot be read"
    if "'\\t'" in problem:
        return "a tab stands where YAML allows only spaces; indent with spaces"
    if "expected a single document" in (exc.context or ""):
        return "a second document begins here (---); keep one per file"
    context = f" {exc.context}" if exc.context else ""
    return f"not valid YAML: {shortened(problem + context)}"


class _TooMuchError(Exception):
    """The file holds, or unfolds to, more than anybody writes by hand."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


_TOO_DEEP: Final = f"lists and mappings are nested too deeply; allowed are {MAX_DEPTH} levels"


class _BoundedLoader(yaml.SafeLoader):
    """Makes the tree of nodes, and stops where it grows beyond the limits instead of reading to the end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0
        self._aliases = 0
        self._depth = 0
        self._open: set[str] = set()  # anchors of lists and mappings that have begun and not ended

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it open
        self._check(event)
        anchor = event.anchor if isinstance(event, yaml.CollectionStartEvent) else None
        self._depth += 1
        if anchor is not None:
            self._open.add(anchor)
        node = super().compose_node(parent, index)
        self._open.discard(anchor or "")
        self._depth -= 1
        return node

    def _check(self, event: yaml.Event) -> None:
        self._nodes += 1
        alias = event.anchor if isinstance(event, yaml.AliasEvent) else None
        self._aliases += alias is not None
        problem = ""
        if self._nodes > MAX_NODES:
            problem = f"the file has more than {MAX_VALUES} values; that is no configuration of lalelu"
        elif self._aliases > MAX_ALIASES:
            problem = f"the file has more than {MAX_ALIASES} aliases (*name); write some of the values out"
        elif self._depth > MAX_DEPTH:
            problem = _TOO_DEEP
        elif alias in self._open:
            problem = (
                f"the alias *{shortened(str(alias))} stands inside of what it names; write the value out"
            )
        if problem:
            mark = event.start_mark
            raise _TooMuchError(problem, Place(mark.line + 1, mark.column + 1, "") if mark else None)


class _Walk:
    """One walk over a tree of nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self.characters = 0
        self.scalars = SafeConstructor()

    def value(self, node: yaml.Node, path: Path) -> Value:
        try:
            return self._value(node, path)
        except _TooMuchError as exc:
            self.document.add((), str(exc))
            return None

    def _value(self, node: yaml.Node, path: Path) -> Value:
        self.count += 1
        if isinstance(node, yaml.ScalarNode):
            self.characters += len(node.value)
        if self.count > MAX_VALUES or self.characters > MAX_CHARACTERS:
            raise _TooMuchError(
                f"the file unfolds to too much (more than {MAX_VALUES} values, or 512 KiB); use fewer aliases (*name)"
            )
        if len(path) > MAX_DEPTH:
            raise _TooMuchError(_TOO_DEEP)
        place = _place(node)
        self.document.values[path] = place
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, place)
        self.document.add(
            path, f"{_name(path)} has the tag {shortened(node.tag)!r}, which is not allowed; leave it out"
        )
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Value:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            below = (*path, key)
            if key in values:
                first = self.document.keys[below]
                self.document.add(
                    below,
                    f"{dotted(below)} stands twice, first in line {first.line}; keep one",
                    _place(key_node),
                )
                continue
            self.document.keys[below] = _place(key_node)
            values[key] = self._value(value_node, below)
        return values

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        place = _place(node)
        where = f" in {dotted(path)}" if path else ""
        if node.tag == _TAG + "merge":
            message = f"merging (<<){where} is not supported; write the options out"
        elif not isinstance(node, yaml.ScalarNode):
            message = f"a list or mapping stands as a key{where}; a key is a name"
        elif node.tag != _TAG + "str" and not (node.style is None and _NUMBER.fullmatch(node.value)):
            message = f"the key {place.written}{where} is no text{place.trap}; put it in quotes"
        elif len(node.value) > MAX_KEY:
            message = f"a key{where} has {len(node.value)} characters; allowed are {MAX_KEY}"
        elif not _encodable(node.value):
            message = f"a key{where} has half a surrogate pair, which is not text; write the character itself"
        else:
            return str(node.value)
        self.document.add(path, message, place)
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Path, place: Place) -> Value:
        kind = node.tag.removeprefix(_TAG)
        if kind not in ("str", "timestamp", "null", "bool", "int", "float"):
            tag = shortened(node.tag)
            self.document.add(path, f"{_name(path)} has the tag {tag!r}, which is not allowed; leave it out")
            return None
        problem = _surprise(node, kind)
        if not problem:
            try:
                return _plain(self.scalars, node, kind)
            except (ValueError, KeyError, IndexError, OverflowError):  # !!int x, or thousands of digits
                problem = f"that cannot be read as {kind}"
        self.document.add(path, f"{_name(path)} is {place.written}; {problem}")
        return None


def _plain(scalars: SafeConstructor, node: yaml.ScalarNode, kind: str) -> Value:
    if kind == "null":
        if node.value.lower() not in ("", "~", "null"):  # !!null x
            raise ValueError
        return None
    if kind == "bool":
        return bool(scalars.construct_yaml_bool(node))
    if kind == "int":
        number = int(scalars.construct_yaml_int(node))
        if number.bit_length() > MAX_BITS:  # 0xff..., which Python cannot print
            raise OverflowError
        return number
    if kind == "float":
        return float(scalars.construct_yaml_float(node))
    return str(node.value)  # also what YAML takes for a date: a kit may be called 2026-01-31


def _surprise(node: yaml.ScalarNode, kind: str) -> str:
    """Return why a scalar is refused although YAML can read it, or an empty string."""
    text = str(node.value)
    if not _encodable(text):
        return "half a surrogate pair is no text; write the character itself"
    if kind in ("int", "float"):
        if _SEXAGESIMAL.fullmatch(text):
            return f'YAML reads that in base 60; write "{shortened(text)}" in quotes, or the number meant'
        if kind == "int" and _OCTAL.fullmatch(text):
            return "YAML reads a number that begins with 0 as octal; leave the 0 out"
    return ""


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(path: Path) -> str:
    return dotted(path) or "the file"


def _place(node: yaml.Node) -> Place:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if not isinstance(node, yaml.ScalarNode):
        return Place(line, column, "")
    written = shortened(str(node.value).encode("utf-8", "replace").decode())
    if node.style in ("'", '"'):
        return Place(line, column, f'"{written}"')
    kind = node.tag.removeprefix(_TAG)
    if kind == "bool":
        truth = str(node.value).lower() in ("yes", "true", "on")
        reading = "true" if truth else "false"
        trap = "" if str(node.value).lower() == reading else f" (YAML reads {written} as {reading})"
        return Place(line, column, written, trap)
    if kind == "null":
        return Place(line, column, written or "empty")
    return Place(line, column, written)
