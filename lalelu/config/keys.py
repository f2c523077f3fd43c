"""Put in, take out and rename keys in YAML text, and change nothing else of it: comments, order, spelling. Pure.

PyYAML says where keys and values begin and end, and what the result means. A comment on the lines of what is taken
out goes with it, one above it stays.
"""

import copy
import json
import re
from typing import Final

import yaml

from lalelu.config.edit import cannot, edited, same
from lalelu.config.positions import Path, Value, dotted, read_document
from lalelu.errors import UsageError

_ALIAS: Final = re.compile(r"\s*:\s*\*[^\s,}\]]+")
_COMMA: Final = re.compile(r"[ \t]*,[ \t]*")


def added(text: str, path: Path, value: Value) -> str:
    """Return `text` with a new key behind the others of its mapping.

    Raises UsageError where the key is there already, or where something else would change, too.
    """
    wanted = _root(text, path)
    parent, key = _inner(wanted, path), str(path[-1])
    if key in parent:
        raise UsageError(f"{dotted(path)} is there already; use another name")
    node = _node(text, path[:-1])
    if node is None:
        return edited(text, {path: value})
    parent[key] = value
    entry = edited("", {path[-1:]: value}).rstrip("\n")
    if not node.value:  # {}
        at = node.end_mark.index - 1
        return _checked(text[:at] + entry + text[at:], text, wanted, path)
    end = _end(text, *node.value[-1])
    if node.flow_style:
        return _checked(f"{text[:end]}, {entry}{text[end:]}", text, wanted, path)
    at = _line_end(text, end)
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = " " * node.value[0][0].start_mark.column
    return _checked(f"{text[:at]}{newline}{indent}{entry}{text[at:]}", text, wanted, path)


def removed(text: str, path: Path) -> str:
    """Return `text` without a key and its value.

    Raises UsageError where there is no such key, or where something else would change, too.
    """
    wanted = _root(text, path)
    if _inner(wanted, path).pop(str(path[-1]), _NOTHING) is _NOTHING:
        raise UsageError(f"{dotted(path)} is not there; nothing was taken out")
    node, index = _found(text, path)
    key, value = node.value[index]
    start, end = key.start_mark.index, _end(text, key, value)
    if node.flow_style:
        comma = _COMMA.match(text, end)
        before = _end(text, *node.value[index - 1]) if index else start
        if comma is not None:
            end = comma.end()
        elif "#" not in text[before:start]:
            start = before
        return _checked(_without(text, start, end), text, wanted, path)
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():
        raise cannot(path, "its line begins with something else")
    end = _line_end(text, end)
    if len(node.value) == 1:
        return _checked(f"{text[:start]}{{}}{text[end:]}", text, wanted, path)
    end += text.startswith("\r", end)
    end += text.startswith("\n", end)
    return _checked(text[:line] + text[end:], text, wanted, path)


def renamed(text: str, path: Path, name: str) -> str:
    """Return `text` with another name for a key, at the same place.

    Raises UsageError where there is no such key, where the name is taken, or where something else would change, too.
    """
    wanted = _root(text, path)
    parent = _inner(wanted, path)
    if str(path[-1]) not in parent:
        raise UsageError(f"{dotted(path)} is not there; nothing was renamed")
    if name in parent:
        raise UsageError(f"{dotted((*path[:-1], name))} is there already; use another name")
    parent[name] = parent.pop(str(path[-1]))
    node, index = _found(text, path)
    key = node.value[index][0]
    spelt = name if read_document(f"- {name}", "").root == [name] else json.dumps(name)
    result = text[: key.start_mark.index] + spelt + text[key.end_mark.index :]
    return _checked(result, text, wanted, path)


_NOTHING: Final = object()


def _root(text: str, path: Path) -> dict[str, Value]:
    root = read_document(text, "").root
    if not isinstance(root, dict):
        raise cannot(path, "there are mistakes in it; `lalelu check FILE` names them")
    return copy.deepcopy(root)


def _inner(root: dict[str, Value], path: Path) -> dict[str, Value]:
    """Return the mapping in which the path's last part stands, or is to stand."""
    here = root
    for index, part in enumerate(path[:-1]):
        below = here.setdefault(str(part), {})
        if below is None:
            below = here[str(part)] = {}
        if not isinstance(below, dict):
            raise UsageError(f"{dotted(path)} leads nowhere; {dotted(path[: index + 1])} is no mapping")
        here = below
    return here


def _node(text: str, path: Path) -> yaml.MappingNode | None:
    here = yaml.compose(text, Loader=yaml.SafeLoader)  # bounded: read_document has read it before
    for part in path:
        pairs = here.value if isinstance(here, yaml.MappingNode) else []
        here = next((value for key, value in pairs if key.value == str(part)), None)
    return here if isinstance(here, yaml.MappingNode) else None


def _found(text: str, path: Path) -> tuple[yaml.MappingNode, int]:
    node = _node(text, path[:-1])
    if node is not None:
        for index, (key, _) in enumerate(node.value):
            if key.value == str(path[-1]):
                return node, index
    raise cannot(path, "its key is written in a way that is not understood here")


def _end(text: str, key: yaml.Node, value: yaml.Node) -> int:
    """Return where a value ends, without the blanks and comments behind it."""
    if value.start_mark.index < key.end_mark.index:  # it stands elsewhere: here is an alias
        alias = _ALIAS.match(text, key.end_mark.index)
        return key.end_mark.index if alias is None else alias.end()
    if isinstance(value, yaml.CollectionNode) and not value.flow_style and value.value:
        last = value.value[-1]
        return _end(text, *last) if isinstance(value, yaml.MappingNode) else _end(text, key, last)
    return len(text[: value.end_mark.index].rstrip())


def _line_end(text: str, at: int) -> int:
    """Return where the line ends on which `at` is, before its line break."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - (text[end - 1] == "\r")


def _without(text: str, start: int, end: int) -> str:
    """Return `text` without a piece, and without its line where nothing else is on that."""
    line, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    if line_end >= 0 and not text[line:start].strip() and not text[end:line_end].strip():
        start, end = line, line_end + 1
    return text[:start] + text[end:]


def _checked(result: str, text: str, wanted: Value, path: Path) -> str:
    read = read_document(result, "")
    if not same(read.root, wanted) or len(read.problems) > len(read_document(text, "").problems):
        raise cannot(path, "something else would change, too, as by an alias (*name)")
    return result
