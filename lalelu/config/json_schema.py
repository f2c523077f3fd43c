"""The JSON schema of lalelu.yaml and of kits, for editors: what the loader takes, with a description of every option.

Examples, and the descriptions of lalelu.yaml, are those of the shipped files, whose comments players read anyway. Pure.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml
from pydantic import BaseModel

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MOST_EXAMPLES: Final = 3
_LONGEST_EXAMPLE: Final = 120  # characters
_LIVE: Final = "(live) "  # how config/lalelu.yaml marks what changes while playing


@dataclass(frozen=True, slots=True)
class _Remark:
    """An option as a shipped file has it."""

    section: str  # the definition in the schema that the option belongs to; "" = the whole file
    option: str
    comment: str
    value: object


def editor_schema(
    model: type[BaseModel], name: str, title: str, texts: Sequence[str], options: Mapping[str, str]
) -> Schema:
    """Return the schema of a file that `model` describes, with the examples that `texts`, valid files, hold.

    `options` describes options by name, or "Section.option"; those that it leaves out are described by the comments
    of `texts`, and sections by themselves. Raises ValueError for an option that nothing describes.
    """
    schema = model.model_json_schema()
    remarks = [remark for text in texts for remark in _remarks(text, schema)]
    for section, node in {"": schema, **schema.get("$defs", {})}.items():
        for option, entry in node.get("properties", {}).items():
            own = [remark for remark in remarks if (remark.section, remark.option) == (section, option)]
            told = options.get(f"{section or model.__name__}.{option}") or options.get(option)
            entry["description"] = told or _description(schema, section, option, own)
            examples = _examples(remark.value for remark in own)
            if examples and "const" not in entry:
                entry["examples"] = examples
    for entry in schema["properties"].values():  # a section whose every option is commented out
        if entry.keys() & {"$ref"}:
            entry["anyOf"] = [{"$ref": entry.pop("$ref")}, {"type": "null"}]
    _take_off_for_false(schema)
    described = {"$schema": DIALECT, "$id": f"urn:lalelu:{name}", **schema, "title": title}
    described["description"] = _words(schema["description"])
    return described


def _description(schema: Schema, section: str, option: str, remarks: Iterable[_Remark]) -> str:
    comment = next((remark.comment for remark in remarks if remark.comment), None)
    if comment is not None:
        live = comment.startswith(_LIVE)
        return comment.removeprefix(_LIVE) + (" (changes while you play)" if live else "")
    node = schema["$defs"][section] if section else schema
    meant = _resolved(node["properties"][option], schema)
    if not meant.get("description"):
        raise ValueError(f"{section or 'the file'} has the option {option}, which nothing describes")
    return _words(meant["description"])


def _words(docstring: str) -> str:
    return " ".join(docstring.split())


def _examples(values: Iterable[object]) -> list[object]:
    found: list[object] = []
    for value in values:
        if value is None or value in found or len(json.dumps(value)) > _LONGEST_EXAMPLE:
            continue
        found.append(value)
    return found[:_MOST_EXAMPLES]


def _take_off_for_false(node: object) -> None:
    """YAML 1.1 reads a bare `off` as false."""
    if isinstance(node, dict):
        names = node.get("enum")
        if isinstance(names, list) and "off" in names:
            names.append(False)
            node.pop("type", None)
        for part in node.values():
            _take_off_for_false(part)
    elif isinstance(node, list):
        for part in node:
            _take_off_for_false(part)


def _remarks(text: str, schema: Schema) -> Iterator[_Remark]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    yield from _of_mapping(root, yaml.safe_load(text), schema, "", schema, text.splitlines())


def _of_mapping(
    node: yaml.MappingNode,
    plain: Mapping[str, Any],
    place: Schema,
    section: str,
    schema: Schema,
    lines: Sequence[str],
) -> Iterator[_Remark]:
    """Yield the options of a mapping and all below it; `place` is the piece of `schema` that describes it."""
    for (key, value), content in zip(node.value, plain.values(), strict=True):
        inner = place.get("properties", {}).get(key.value)
        if inner is not None:
            yield _Remark(section, key.value, _comment(key, lines), content)
        else:
            inner = place.get("additionalProperties") or next(iter(place["patternProperties"].values()))
        is_list = isinstance(value, yaml.SequenceNode)
        parts = zip(value.value, content, strict=True) if is_list else [(value, content)]
        for part, mapping in parts:
            if isinstance(part, yaml.MappingNode):
                name, meant = _section(inner["items"] if is_list else inner, mapping, schema)
                yield from _of_mapping(part, mapping, meant, name, schema, lines)


def _comment(key: yaml.Node, lines: Sequence[str]) -> str:
    """Return what is said behind an option that begins its line, with the lines of comment below it."""
    line = lines[key.start_mark.line]
    if line[: key.start_mark.column].strip("- "):
        return ""
    _, mark, comment = line.partition(" # ")
    if not mark:
        return ""
    told = [comment.strip()]
    column = line.index(" # ") + 1
    for below in lines[key.start_mark.line + 1 :]:
        if not below.startswith(" " * column + "# "):
            break
        told.append(below[column + 2 :].strip())
    return " ".join(told)


def _section(node: Schema, value: Mapping[str, object], schema: Schema) -> tuple[str, Schema]:
    """Return the definition, by name, that a mapping of a file is written after; "" for a mapping without one."""
    for name, member in _members(node, schema):
        options = member.get("properties")
        if options is None:
            return name, member
        fixed = {option: entry["const"] for option, entry in options.items() if "const" in entry}
        if value.keys() <= options.keys() and all(value.get(option) == fixed[option] for option in fixed):
            return name, member
    return "", {}


def _members(node: Schema, schema: Schema, name: str = "") -> Iterator[tuple[str, Schema]]:
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
    meant = _resolved(node, schema)
    alternatives = meant.get("anyOf") or meant.get("oneOf")
    if not alternatives:
        yield name, meant
        return
    for alternative in alternatives:
        yield from _members(alternative, schema)


def _resolved(node: Schema, schema: Schema) -> Schema:
    found: Schema = schema["$defs"][str(node["$ref"]).rpartition("/")[2]] if "$ref" in node else node
    return found
