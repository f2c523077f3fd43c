"""Find an adapter by name: one dict of strings per port (`name -> "module:Class"`), imported on first use.

Imports vendors' modules.
"""

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, ValidationError

from lalelu.errors import MissingError, UsageError


class AdapterOptions(BaseModel):
    """What stands in an adapter's address; each adapter adds its own fields beside its class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = ""  # the part behind the colon


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `'; did you mean "x"?'` for the nearest known name, else an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def load(port: str, adapters: Mapping[str, str], name: str) -> Any:  # noqa: ANN401 - a class of any vendor
    """Return the adapter class `name` of `port` ("camera", "runtime", ...).

    Raises UsageError for an unknown name, MissingError when what it needs is not installed.
    """
    if name not in adapters:
        raise UsageError(
            f"{port} {name!r} is not known; choose one of {', '.join(sorted(adapters))}"
            f"{did_you_mean(name, adapters)}"
        )
    module_name, _, class_name = adapters[name].partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and exc.name.startswith("lalelu"):
            raise
        raise MissingError(
            f"{port} {name!r} needs the module {exc.name!r}, which is not installed; "
            f"`pip install 'lalelu[{name}]'` brings it"
        ) from exc
    return getattr(module, class_name)


def parse_uri(uri: str) -> tuple[str, str, dict[str, str]]:
    """Split `name:target?key=value&...` into name, target and options.

    Raises UsageError when there is no colon, a zero byte in the target, or an option twice.
    """
    name, colon, rest = uri.partition(":")
    if not colon or not name:
        raise UsageError(f"{uri!r} is no address; write NAME:TARGET?option=value, as in sim:?bpm=120")
    target, _, query = rest.partition("?")
    if "\0" in unquote(target):
        raise UsageError(f"{uri!r} holds a zero byte (%00), which no name has; leave it out")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs):
        raise UsageError(f"{uri!r} names an option twice; keep one of them")
    return name, unquote(target), options


def from_uri(  # an adapter of any vendor
    port: str, adapters: Mapping[str, str], uri: str, **settings: object
) -> Any:  # noqa: ANN401
    """Build (not open) the adapter that `uri` describes: `Class(Class.Options(target=..., option=...))`.

    Every adapter class carries its schema as `Options`, a subclass of AdapterOptions. `settings` come from the
    configuration, for adapters that have such an option; what the address says goes before them.
    Raises UsageError for an unknown adapter or option, or a value out of range; all problems at once.
    """
    name, target, options = parse_uri(uri)
    adapter = load(port, adapters, name)
    schema: type[AdapterOptions] = adapter.Options
    try:
        known = {key: value for key, value in settings.items() if key in schema.model_fields}
        parsed = schema.model_validate({"target": target, **known, **options})
    except ValidationError as exc:
        raise UsageError(f"{port} {uri!r}: " + "; ".join(_sentences(exc, schema))) from exc
    return adapter(parsed)


def _sentences(exc: ValidationError, schema: type[AdapterOptions]) -> Iterable[str]:
    for problem in exc.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "it"
        if problem["type"] == "extra_forbidden":
            known = [field for field in schema.model_fields if field != "target"]
            yield f"unknown option {key!r}; it takes {', '.join(known) or 'none'}{did_you_mean(key, known)}"
        else:
            yield f"{key} is {problem['input']!r}; {problem['msg'].removeprefix('Value error, ')}"
