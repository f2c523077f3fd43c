"""Change options of a section in YAML text, and nothing else of it: comments, order and spelling stay. Pure."""

import json
from collections.abc import Mapping

import yaml

from lalelu.config.positions import Document, Value, read_document
from lalelu.errors import UsageError


def with_options(text: str, section: str, options: Mapping[str, str | int]) -> str:
    """Return `text` with these plain `options` of `section`; an option or section that is not there is added.

    Raises UsageError where the text is written so that this would change something else, too.
    """
    document = read_document(text, "")
    if document.problems or not isinstance(document.root, dict):
        raise _cannot(section, "there are mistakes in it; `lalelu check FILE` names them")
    edited = text
    try:
        for option, value in options.items():
            edited = _with_option(edited, section, option, str(value))
    except yaml.YAMLError:  # the option before has broken it
        edited = ""
    if read_document(edited, "").root != _changed(document, section, options):
        raise _cannot(section, "it is written with anchors, aliases or in several lines")
    return edited


def with_name(text: str, name: str) -> str:
    """Return the text of a valid kit with another `name`."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    found = _entry(root, "name")
    assert found is not None
    start, end = found[1].start_mark.index, found[1].end_mark.index
    return text[:start] + json.dumps(name, ensure_ascii=False) + text[end:]


def _changed(document: Document, section: str, options: Mapping[str, str | int]) -> dict[str, Value]:
    root = document.root if isinstance(document.root, dict) else {}
    before = root.get(section)
    return {**root, section: {**(before if isinstance(before, dict) else {}), **options}}


def _with_option(text: str, section: str, option: str, value: str) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):  # nothing but comments
        return f"{text}{_line_end(text)}{section}:\n  {option}: {value}\n"
    if root.flow_style:
        raise _cannot(section, "all of it is one mapping in braces")
    found = _entry(root, section)
    if found is None:
        indent = " " * root.start_mark.column
        return f"{text}{_line_end(text)}{indent}{section}:\n{indent}  {option}: {value}\n"
    key, body = found
    if not isinstance(body, yaml.MappingNode):  # a section whose every option is commented out
        return _insert(text, _after_colon(text, key), f"\n{' ' * key.start_mark.column}  {option}: {value}")
    there = _entry(body, option)
    if there is not None:
        start, end = there[1].start_mark.index, there[1].end_mark.index
        return f"{text[:start]}{' ' if start == end else ''}{value}{text[end:]}"
    if body.flow_style:
        comma = ", " if body.value else ""
        return _insert(text, body.start_mark.index + 1, f"{option}: {value}{comma}")
    first = body.value[0][0].start_mark
    return _insert(text, first.index, f"{option}: {value}\n{' ' * first.column}")


def _entry(mapping: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((key, value) for key, value in mapping.value if key.value == name), None)


def _insert(text: str, at: int, more: str) -> str:
    return text[:at] + more + text[at:]


def _after_colon(text: str, key: yaml.Node) -> int:
    return text.index(":", key.end_mark.index) + 1


def _line_end(text: str) -> str:
    return "" if not text or text.endswith("\n") else "\n"


def _cannot(section: str, why: str) -> UsageError:
    return UsageError(f"the section {section} cannot be changed in place: {why}; write the lines by hand")
