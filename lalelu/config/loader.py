"""Find and read lalelu.yaml and kits, telling all their problems at once. Reads files and the environment."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from lalelu.camera import port as camera_port
from lalelu.config.agreement_of_kits import contradictions_between
from lalelu.config.kit import KitConfig
from lalelu.config.notes import NoteMapName
from lalelu.config.positions import Document, Value, dotted, read_document
from lalelu.config.positions import Path as Place
from lalelu.config.problem import ConfigError, Problem
from lalelu.config.schema import Config
from lalelu.config.section import Section
from lalelu.config.sentences import MOST_TOLD, explain
from lalelu.config.source import Source
from lalelu.desk import midi_in
from lalelu.errors import MissingError, UsageError
from lalelu.registry import did_you_mean, from_uri
from lalelu.regular import read_regular
from lalelu.voice import port as voice_port

SYSTEM_FILE: Final = Path("/etc/lalelu/lalelu.yaml")
MAX_BYTES: Final = 256 << 10  # 256 KiB: 25 times the longest file that comes with lalelu
KIT_ENDINGS: Final = (".yaml", ".yml")

_Model = TypeVar("_Model", Config, KitConfig)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration with its kits, and where they came from."""

    config: Config
    kits: tuple[KitConfig, ...]  # by number from 0: `kit`, then `more_kits`
    files: tuple[Path, ...]  # what was read
    origin: str  # for people: the file's path, or "built-in defaults", and what the command line changed
    effective: dict[str, Any]  # {"config": ..., "kit": ...} and with several kits also "kits", ready for JSON
    digest: str  # SHA-256 of `effective`, hexadecimal
    source: Source

    @property
    def kit(self) -> KitConfig:
        """The kit that is played first."""
        return self.kits[0]


def shipped_dir() -> Path:
    """Return the folder of lalelu.yaml and kits/ that came with lalelu, installed or in a checkout."""
    installed = Path(__file__).parent / "shipped"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "config"


def shipped_kits() -> tuple[str, ...]:
    """Return the names of the kits that came with lalelu."""
    return tuple(sorted(path.stem for path in (shipped_dir() / "kits").glob("*.yaml")))


def load_config(path: Path | None, *, builtin: bool = False) -> Loaded:
    """Read the configuration and its kits; `path` None looks where configurations stand.

    These are $LALELU_CONFIG, $XDG_CONFIG_HOME/lalelu/lalelu.yaml (~/.config where that is unset) and
    /etc/lalelu/lalelu.yaml; where none is, and with `builtin`, the built-in defaults hold.
    Raises ConfigError with all problems of the files.
    """
    path = None if builtin else path or _configured()
    if path is None:
        config, kit_path = Config(), kit_file(Config().kit, None)
        return _loaded(
            config, (_valid(read(kit_path), KitConfig),), (kit_path,), "built-in defaults", Source(None)
        )
    document, config_or_none, kits = read_config(path)
    if document.problems or config_or_none is None:
        raise ConfigError(tuple(document.problems))
    files = (path, *(kit_file(ref, path.parent) for ref in config_or_none.kit_refs))
    return _loaded(config_or_none, kits, files, str(path), Source(path))


def load_again(source: Source) -> Loaded:
    """Return what `source` is now. Raises ConfigError and UsageError as `load_config` does."""
    return _overridden(load_config(source.path, builtin=source.path is None), source.overrides)


def with_overrides(
    loaded: Loaded,
    *,
    camera: str | None = None,
    midi: Sequence[str] | None = None,
    model: str | None = None,
    runtime: str | None = None,
    page: Mapping[str, str] | None = None,
) -> Loaded:
    """Return `loaded` with what the command line asks for instead of the file's options.

    Raises UsageError for an address that is none or whose adapter is not known.
    """
    given: dict[str, dict[str, Any]] = {}
    if camera is not None:
        given["camera"] = {"uri": camera}
    if midi:
        given["midi"] = {"outputs": list(midi)}
    pose = {key: name for key, name in (("model", model), ("runtime", runtime)) if name is not None}
    if pose:
        given["pose"] = pose
    if page:
        given["page"] = dict(page)
    return _overridden(loaded, given)


def _overridden(loaded: Loaded, given: Mapping[str, Mapping[str, Any]]) -> Loaded:
    if not given:
        return loaded
    data = loaded.config.model_dump(mode="json")
    for section, options in given.items():
        data[section] |= options
    document = Document("command line", root=data)
    config = _validated(document, Config)
    if config is None:
        raise UsageError("\n".join(problem.message for problem in document.problems))
    changed = ", ".join(f"{section}.{key}" for section, options in given.items() for key in options)
    origin = f"{loaded.origin}, {changed} from the command line"
    return _loaded(config, loaded.kits, loaded.files, origin, loaded.source.with_overrides(given))


def load_kit(ref: str, base: Path | None) -> KitConfig:
    """Read a kit by its name (a shipped one) or its path (ending in .yaml, relative to the folder `base`).

    Raises UsageError when there is no such kit, ConfigError with all problems of its file.
    """
    return _valid(read(kit_file(ref, base)), KitConfig)


def kit_file(ref: str, base: Path | None, option: str = "kit") -> Path:
    """Return the file of the kit `ref`, which `option` names. Raises UsageError when no shipped kit is called so."""
    if ref.endswith(KIT_ENDINGS):
        try:
            return (base or Path()) / Path(ref).expanduser()
        except RuntimeError as exc:  # ~somebody
            raise UsageError(f"{option} is {ref!r}; nobody is called so here; write the whole path") from exc
    known = shipped_kits()
    if ref not in known:
        raise UsageError(
            f"{option} is {ref!r}; allowed are {', '.join(known)}, or the path of a file ending in .yaml"
            f"{did_you_mean(ref, known)}"
        )
    return shipped_dir() / "kits" / f"{ref}.yaml"


def read_config(
    path: Path, texts: Mapping[Path, str] | None = None
) -> tuple[Document, Config | None, tuple[KitConfig, ...]]:
    """Read a configuration and its kits; the problems of all are in the document returned.

    `texts` are read instead of what stands in those files.
    """
    document = read(path, texts)
    if document.problems and document.root is None:
        return document, None, ()
    config = _validated(document, Config)
    note_map = config.midi.note_map if config else "general_midi"
    read_kits: list[tuple[Place, Document, KitConfig]] = []
    kit_documents: list[Document] = []
    for place, ref in _kit_refs(document):
        try:
            file = kit_file(ref, path.parent, dotted(place))
        except UsageError as exc:
            document.add(place, str(exc))
            continue
        kit_document = read(file, texts)
        kit = _validated(kit_document, KitConfig, note_map)
        kit_documents.append(kit_document)
        if kit is not None:
            read_kits.append((place, kit_document, kit))
    _check_together(document, read_kits)
    document.problems.sort(key=_order)
    of_kits = (problem for kit_document in kit_documents for problem in kit_document.problems)
    document.problems += dict.fromkeys(of_kits)  # a file may be named twice
    return document, config, tuple(kit for _, _, kit in read_kits)


def _kit_refs(document: Document) -> Iterator[tuple[Place, str]]:
    """Yield where the configuration names its kits, and what it calls them."""
    root = document.root if isinstance(document.root, dict) else {}
    more = root.get("more_kits", [])
    refs: dict[Place, Value] = {("kit",): root.get("kit", Config().kit)}
    if isinstance(more, list):
        refs |= {("more_kits", index): ref for index, ref in enumerate(more)}
    yield from ((place, ref) for place, ref in refs.items() if isinstance(ref, str) and ref)


def _check_together(document: Document, kits: Sequence[tuple[Place, Document, KitConfig]]) -> None:
    """Add what does not go together among the kits, at its place in the configuration or in a kit's own file."""
    for number, (path, rule) in contradictions_between([kit for _, _, kit in kits]):
        place, kit_document, _ = kits[number]
        where, option = (kit_document, path) if path else (document, place)
        written = where.values[option].written
        where.add(option, f"{dotted(option)} is {written}; {rule}")
        where.problems.sort(key=_order)


def check_file(path: Path) -> tuple[Problem, ...]:
    """Return all problems of one file, a kit (it has `pads`) or a configuration (with those of its kits)."""
    document = read(path)
    if document.problems and document.root is None:
        return tuple(document.problems)
    if isinstance(document.root, dict) and "pads" in document.root:
        _validated(document, KitConfig)
        return tuple(document.problems)
    document = read_config(path)[0]
    _check_addresses(document)
    # the kits' problems stand behind, in their own order
    return tuple(
        sorted(document.problems, key=lambda problem: (problem.file != document.file, *_order(problem)))
    )


def _check_addresses(document: Document) -> None:
    """Add what is wrong with the options inside addresses, which only their adapters know."""
    told = {problem.path for problem in document.problems}
    for port, adapters, section, option in (
        ("camera", camera_port.ADAPTERS, "camera", "uri"),
        ("MIDI output", voice_port.ADAPTERS, "midi", "outputs"),
        ("MIDI input", midi_in.ADAPTERS, "midi", "input"),
    ):
        options = document.root.get(section) if isinstance(document.root, dict) else None
        value = options.get(option) if isinstance(options, dict) else None
        places: dict[Place, Value] = {(section, option): value}
        if isinstance(value, list):
            places = {(section, option, index): entry for index, entry in enumerate(value[:MOST_TOLD])}
        for place, uri in places.items():
            if dotted(place) in told or not isinstance(uri, str):
                continue
            try:
                from_uri(port, adapters, uri)
            except UsageError as exc:
                document.add(place, str(exc))
            except MissingError:  # without the adapter's extra nobody knows its options
                continue


def read(path: Path, texts: Mapping[Path, str] | None = None) -> Document:
    """Read a YAML file, or its text of `texts`; whatever is wrong with it is in the document's `problems`."""
    if texts is not None and path in texts:
        return read_document(texts[path], str(path))
    document = Document(str(path))
    try:
        raw = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        document.add((), "there is no such file; check the path")
    except (OSError, ValueError) as exc:  # ValueError: a path with a zero byte
        reason = exc.strerror if isinstance(exc, OSError) else exc
        document.add((), f"the file cannot be read ({reason}); check the path and its permissions")
    else:
        try:
            return read_document(raw.decode("utf-8-sig"), str(path))
        except UnicodeDecodeError as exc:
            before = raw[: exc.start]
            line, column = before.count(b"\n") + 1, exc.start - (before.rfind(b"\n") + 1) + 1
            message = f"the byte 0x{raw[exc.start]:02x} is not UTF-8; save the file as UTF-8"
            document.problems.append(Problem(str(path), line, column, "", message))
    return document


def _configured() -> Path | None:
    named = os.environ.get("LALELU_CONFIG")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(home) if home else Path("~/.config").expanduser()
    for candidate in (folder / "lalelu" / "lalelu.yaml", SYSTEM_FILE):
        if candidate.exists():
            return candidate
    return None


def _validated(
    document: Document, model: type[_Model], note_map: NoteMapName = "general_midi"
) -> _Model | None:
    """Return the model, or None with what is wrong added to the document's problems, in the file's order."""
    root = document.root
    result = None
    if isinstance(root, dict):
        data = {key: _filled(model, key, value) for key, value in root.items()}
        try:
            # through JSON, because strict reading takes lists for tuples only there
            result = model.model_validate_json(json.dumps(data), strict=True, context={"note_map": note_map})
        except ValidationError as exc:
            unreadable = {
                problem.path for problem in document.problems
            }  # these values stand as null, or not at all
            findings = explain(document, model, exc)
            document.problems += [problem for problem in findings if problem.path not in unreadable]
    elif not document.problems:
        document.add((), "the file is no mapping; write options as `name: value` lines")
    document.problems.sort(key=_order)
    return None if document.problems else result


def _order(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _filled(model: type[_Model], key: str, value: Value) -> Value:
    """Return an empty mapping for a section whose every option is commented out (`camera:`)."""
    field = model.model_fields.get(key)
    return {} if value is None and field is not None and isinstance(field.default, Section) else value


def _valid(document: Document, model: type[_Model]) -> _Model:
    unread = document.root is None and document.problems
    result = None if unread else _validated(document, model)
    if result is None:
        raise ConfigError(tuple(document.problems))
    return result


def effective_of(config: Config, kits: Sequence[KitConfig]) -> dict[str, Any]:
    """Return what holds, ready for JSON (see Loaded); without the page, which changes no note and has a secret."""
    plain = [kit.model_dump(mode="json") for kit in kits]
    effective: dict[str, Any] = {
        "config": config.model_dump(mode="json", exclude={"page"}),
        "kit": plain[0],
    }
    if len(plain) > 1:
        effective["kits"] = plain
    return effective


def _loaded(
    config: Config, kits: tuple[KitConfig, ...], files: tuple[Path, ...], origin: str, source: Source
) -> Loaded:
    effective = effective_of(config, kits)
    canonical = json.dumps(effective, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Loaded(config, kits, files, origin, effective, digest, source)
