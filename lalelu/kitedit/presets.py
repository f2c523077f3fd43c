"""Named sets of values: lalelu's, and the player's own beside the configuration. Reads and writes files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lalelu.config.edit import edited
from lalelu.config.loader import read, shipped_dir
from lalelu.config.positions import Path as Place
from lalelu.config.positions import Value
from lalelu.config.problem import ConfigError
from lalelu.config.section import NAME_RULE
from lalelu.errors import UsageError
from lalelu.kitedit.editor import View
from lalelu.replacement import not_written, replacing

FOLDER: Final = "presets"
KEPT: Final = ("delay_ms", "lead_ms", "choke")  # of timing, beside all of the kit's `strike`
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


class PresetThereError(UsageError):
    """A preset of that name is there already."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of values."""

    name: str
    description: str
    values: dict[Place, Value]  # of the configuration and the kit
    is_own: bool


def presets(folder: Path) -> tuple[Preset, ...]:
    """Return those that came with lalelu and those beside the configuration in `folder`, which win.

    One of the player's own that cannot be read says so in its description and has no values.
    """
    found = {path.stem: _read(path, is_own=False) for path in _files(shipped_dir())}
    for path in _files(folder):
        try:
            found[path.stem] = _read(path, is_own=True)
        except ConfigError as exc:
            found[path.stem] = Preset(
                path.stem, f"cannot be read: {exc.problems[0].message}", {}, is_own=True
            )
    return tuple(sorted(found.values(), key=lambda preset: (preset.is_own, preset.name)))


def preset(folder: Path, name: str) -> Preset:
    """Return the preset of this name. Raises UsageError where there is none."""
    known = {each.name: each for each in presets(folder)}
    if name not in known or not known[name].values:
        usable = ", ".join(each.name for each in known.values() if each.values)
        raise UsageError(f"there is no preset {name!r}; there are {usable}")
    return known[name]


def save(view: View, name: str, *, over: bool = False) -> Path:
    """Write what the kit takes for a stroke, and its timing, as a preset; `over` one of that name.

    Raises UsageError for a name that is none and where it cannot be written, PresetThereError.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:40]!r} is no name for a preset; write {NAME_RULE}")
    if view.kit is None or view.config is None:
        raise UsageError("the configuration has problems; put them right before its values are kept")
    if not over and any(each.name == name for each in presets(view.config_file.parent)):
        raise PresetThereError(
            f"there is a preset {name!r} already; choose another name, or save once more to replace it"
        )
    strike = view.kit.strike.model_dump(mode="json")
    timing = view.config.timing.model_dump(mode="json", include=set(KEPT))
    changes: dict[Place, Value] = {("description",): f"Kept from {view.kit.name}"}
    changes |= {("values", "strike"): strike, ("values", "timing"): timing}
    path = view.config_file.parent / FOLDER / f"{name}.yaml"
    with replacing(path, not_written) as unfinished:
        unfinished.write_bytes(edited("", changes).encode())
    return path


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in (folder / FOLDER).glob("*.yaml") if _NAME.fullmatch(path.stem)))


def _read(path: Path, *, is_own: bool) -> Preset:
    document = read(path)
    root = document.root if isinstance(document.root, dict) else {}
    values, description = root.get("values"), root.get("description", "")
    if not document.problems and not (isinstance(values, dict) and isinstance(description, str)):
        document.add(
            (), "a preset is `description: TEXT` and `values:` with options as in a kit or lalelu.yaml"
        )
    if document.problems or not isinstance(values, dict):
        raise ConfigError(tuple(document.problems))
    return Preset(path.stem, str(description), dict(_leaves(values, ())), is_own)


def _leaves(value: Value, path: Place) -> Iterator[tuple[Place, Value]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value
