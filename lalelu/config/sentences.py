"""Turn pydantic's findings into sentences about the file: what stands there, what is allowed, the remedy. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError

from lalelu.config.positions import Document, Path, Value, dotted, shortened
from lalelu.config.problem import Problem
from lalelu.config.section import NAME_RULE
from lalelu.registry import did_you_mean

Schema: TypeAlias = Mapping[str, Any]  # a piece of JSON schema

SHOWN: Final = 12  # names of a long list that a sentence holds
MOST_TOLD: Final = 100  # problems of one file; nobody reads more, and each takes its time

# what the keys of these options' mappings are
_KEYS: Final = {
    "pads": f"name for a pad; write {NAME_RULE}",
    "gestures": f"name for a gesture; write {NAME_RULE}",
    "keypoints": f"name for a keypoint; write {NAME_RULE}",
    "player": "player; they are numbered 0..5",
}


def explain(document: Document, model: type[BaseModel], exc: ValidationError) -> list[Problem]:
    """Return one problem per place of the file for what `exc` says about it."""
    schema = _schema(model)
    findings = _by_place(document, exc)
    above = {path[:length] for path, _ in findings for length in range(len(path))}
    # a union's other member, which wants something else, or a list that is short of what is wrong
    telling = [found for found in findings if found[1] or found[0] not in above]
    problems = []
    for path, kind in telling[:MOST_TOLD]:
        error = findings[path, kind]
        if kind == "extra_forbidden":
            problems.append(_unknown_key(document, schema, path))
        elif kind == "missing":
            known = _allowed(_at(schema, document.root, path), schema, None)
            message = f"{dotted(path)} is missing; add it" + (f" ({known})" if known else "")
            problems.append(document.problem(path, message, document.values.get(path[:-1])))
        elif kind == "key":
            message = f"{dotted(path)} is no {_KEYS[str(path[0])]}"
            problems.append(document.problem(path, message, document.keys.get(path)))
        else:
            problems.append(document.problem(path, _sentence(document, schema, path, error)))
    if len(telling) > MOST_TOLD:
        path, _ = telling[MOST_TOLD]
        rest = f"{len(telling) - MOST_TOLD - 1} others are wrong, too; put these {MOST_TOLD} right first"
        problems.append(document.problem(path, f"{dotted(path)} and {rest}"))
    return problems


@cache  # making it costs more than all the rest
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def _by_place(document: Document, exc: ValidationError) -> dict[tuple[Path, str], dict[str, Any]]:
    findings: dict[tuple[Path, str], dict[str, Any]] = {}
    for error in _errors(exc):
        path = _in_file(document.root, error["loc"], missing=error["type"] == "missing")
        kind = error["type"] if error["type"] in ("extra_forbidden", "missing") else ""
        if not kind and error["loc"][-1:] == ("[key]",):
            kind = "key"
        if kind == "missing" and path in document.values:
            kind = ""  # a list that is too short lacks an entry, not an option
        if (path, kind) not in findings or error[
            "type"
        ] == "value_error":  # a union's member that speaks says most
            findings[path, kind] = error
    return findings


def _errors(exc: ValidationError) -> Iterator[dict[str, Any]]:
    """Yield pydantic's errors; of one that tells contradictions each by itself, at its own place."""
    for details in exc.errors(include_url=False):
        option = details.get("ctx", {}).get("discriminator", "").strip("'")
        if details["type"] == "contradictions":
            for path, rule in details["ctx"]["found"]:
                yield {**details, "type": "value_error", "loc": (*details["loc"], *path), "msg": rule}
        elif option.isidentifier() and isinstance(details["input"], dict):  # the option that says what it is
            kind = details["type"] if option in details["input"] else "missing"
            value = details["input"].get(option)
            yield {**details, "type": kind, "loc": (*details["loc"], option), "input": value}
        else:
            yield {**details}


def _in_file(root: Value, loc: Iterable[str | int], *, missing: bool) -> Path:
    """Return the part of pydantic's location that exists in the file (it also names members of unions)."""
    path: Path = ()
    value = root
    parts = tuple(loc)
    for index, part in enumerate(parts):
        if isinstance(value, dict) and isinstance(part, str):
            if part in value:
                path, value = (*path, part), value[part]
            elif missing and index == len(parts) - 1:
                path = (*path, part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path, value = (*path, part), value[part]
    return path


def _resolve(node: Schema, root: Schema) -> Schema:
    reference = node.get("$ref")
    return root["$defs"][str(reference).rpartition("/")[2]] if reference else node


def _members(node: Schema, root: Schema) -> list[Schema]:
    """Return the alternatives that a piece of schema offers, itself if it is not a union."""
    node = _resolve(node, root)
    alternatives = node.get("anyOf") or node.get("oneOf")
    if not alternatives:
        return [node]
    return [member for alternative in alternatives for member in _members(alternative, root)]


def _step(node: Schema, part: str | int) -> Schema | None:
    if isinstance(part, int):
        prefix = node.get("prefixItems", ())
        return prefix[part] if part < len(prefix) else node.get("items")
    found: Schema | None = node.get("properties", {}).get(part)
    if found is not None:
        return found
    for pattern in node.get("patternProperties", {}).values():
        return dict(pattern)
    further = node.get("additionalProperties")
    return further if isinstance(further, dict) else None


def _at(root: Schema, value: Value, path: Path) -> Schema:
    """Return the schema of what is at `path` in `value`, as a union where several are possible; empty for none."""
    here = _meant(_members(root, root), value)
    for part in path:
        if isinstance(value, dict):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        steps = [below for node in here if (below := _step(node, part)) is not None]
        here = _meant([member for below in steps for member in _members(below, root)], value)
    return {"anyOf": here}


def _meant(members: list[Schema], value: Value) -> list[Schema]:
    """Return the only member of a union that a mapping's own keys point to, or all of them."""
    if isinstance(value, dict):
        for member in members:
            fixed = _fixed(member)
            if all(value.get(key) == name for key, name in fixed.items()) and (
                fixed or ("required" in member and value.keys() >= set(member["required"]))
            ):
                return [member]
    return members


def _fixed(node: Schema) -> dict[str, str]:
    """Return the options of a mapping that can only have one value: they say what it is."""
    return {key: below["const"] for key, below in node.get("properties", {}).items() if "const" in below}


def _unknown_key(document: Document, schema: Schema, path: Path) -> Problem:
    here = _members(_at(schema, document.root, path[:-1]), schema)
    known = list(dict.fromkeys(key for member in here for key in member.get("properties", {})))
    name = str(path[-1])
    where = dotted(path[:-1]) or "this file"
    return document.problem(
        path,
        f"{dotted(path)} is not known; {where} takes {', '.join(known)}{did_you_mean(name, known)}",
        document.keys.get(path),
    )


def _sentence(document: Document, schema: Schema, path: Path, error: Mapping[str, Any]) -> str:
    name = dotted(path) or "the file"
    place = document.values.get(path)
    value = error["input"]
    if place is not None:
        written, trap = place.written, place.trap
    else:  # from the command line
        written, trap = ("" if isinstance(value, list | dict) else shortened(str(value)), "")
    if error["type"] == "value_error":
        rule = str(error["msg"]).removeprefix("Value error, ")
        return f"{name} is {written}; {rule}" if written else f"{name}: {rule}"
    node = _at(schema, document.root, path)
    what = written or (f"a list of {len(value)}" if isinstance(value, list) else "a mapping")
    names = [str(name) for member in _members(node, schema) for name in _names(member)]
    hint = did_you_mean(value, names) if isinstance(value, str) else ""
    remedy = "; put it in quotes to mean text" if trap and error["type"] == "string_type" else ""
    return f"{name} is {what}{trap}; allowed {_allowed(node, schema, value)}{hint or remedy}"


def _allowed(node: Schema, root: Schema, value: Value) -> str:
    members = _members(node, root)
    constants = [member["const"] for member in members if "const" in member]
    if len(constants) > 1:
        return _rule({"enum": constants}, value)
    tagged = [tag for member in members for tag in _fixed(member).items()]
    if len(tagged) > 1:
        return f"a mapping with {tagged[0][0]}: {_rule({'enum': [name for _, name in tagged]}, value)}"
    rules = dict.fromkeys(_rule(member, value) for member in members)
    return " or ".join(rule for rule in rules if rule)


def _names(node: Schema) -> list[str]:
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


def _rule(node: Schema, value: Value) -> str:
    """Return what one piece of schema allows, in words; `value` is what stands there instead."""
    choices = _names(node)
    if choices:
        more = f", ... ({len(choices)} names)" if len(choices) > SHOWN else ""
        listed = ", ".join(str(choice) for choice in choices[: 3 if more else None])
        return f"one of {listed}{more}" if len(choices) > 1 else listed
    kind = node.get("type")
    if kind in ("integer", "number"):
        return _number_rule(node, value)
    if kind == "array":
        return _list_rule(node)
    if kind == "object":
        keys = node.get("properties")
        return (
            f"a mapping with {', '.join(keys)}" if keys else _size("entries", "a mapping", node, "Properties")
        )
    if "pattern" in node:
        return str(node["description"])
    if kind == "string":
        return _size("characters", "text", node, "Length")
    return {"boolean": "true or false", "null": "null"}.get(str(kind), "")


def _number_rule(node: Schema, value: Value) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        span = f"{low:g}..{high:g}"
    elif "exclusiveMinimum" in node and high is not None:
        span = f"above {node['exclusiveMinimum']:g}, at most {high:g}"
    else:
        span = ""
    whole = node["type"] == "integer"
    of_the_kind = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if of_the_kind and span:
        return span
    return f"{'a whole number' if whole else 'a number'} {span}".strip()


def _list_rule(node: Schema) -> str:
    low, high = node.get("minItems"), node.get("maxItems")
    if low is not None and low == high:
        of_text = all(entry.get("type") == "string" for entry in node.get("prefixItems", ({},)))
        return f"a list of {low} {'names' if of_text else 'numbers'}"
    return _size("entries", "a list", node, "Items")


def _size(unit: str, what: str, node: Schema, suffix: str) -> str:
    low, high = node.get(f"min{suffix}", 0), node.get(f"max{suffix}")
    if high is not None:
        return f"{what} of {low}..{high} {unit}"
    return f"{what}, not empty" if low else what
