"""Changes the player's configuration and kit: judged first, written whole, undone again. Reads and writes files."""

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lalelu.config import positions
from lalelu.config.edit import edited
from lalelu.config.kit import KitConfig
from lalelu.config.live import LIVE
from lalelu.config.loader import MAX_BYTES, kit_file, read_config, shipped_dir
from lalelu.config.positions import Value, dotted, read_document
from lalelu.config.problem import ConfigError, Problem
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.kitedit.history import History, Step
from lalelu.regular import read_regular
from lalelu.replacement import not_written, replacing

# Of lalelu.yaml: what is heard at once. Which kits there are says the file alone.
EDITABLE: Final = LIVE - {"kit", "more_kits", "player.kits"}
_PART: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


class ChangedMeanwhileError(UsageError):
    """The files are not those that the change was made for."""


@dataclass(frozen=True, slots=True)
class View:
    """The files as they are now."""

    config_file: Path
    kit_file: Path
    kit_number: int
    kit_refs: tuple[str, ...]  # by number from 0, as the configuration names them
    copied_to: Path | None  # a kit that came with lalelu: where the first change puts a copy
    digest: str  # of both files' texts
    config: Config | None  # None = there are problems
    kit: KitConfig | None
    problems: tuple[Problem, ...]
    texts: dict[Path, str]


class Editor:
    """Changes the files that `config` leads to."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.history = History()
        self._begun: dict[Path, str] = {}  # by file: its text when it was first seen

    def view(self, kit: int = 0) -> View:
        """Return what stands in the files. Raises UsageError where they cannot be read, or have no such kit."""
        text = _text(self.config)
        refs = _refs(text)
        if not 0 <= kit < len(refs):
            raise UsageError(f"the kit number {kit} is not known; {self.config} has 0..{len(refs) - 1}")
        file = kit_file(refs[kit], self.config.parent)
        texts = {self.config: text, file: _text(file)}
        for path, content in texts.items():
            self._begun.setdefault(path, content)
        document, config, kits = read_config(self.config, texts)
        whole = len(kits) == len(refs)
        return View(
            self.config,
            file,
            kit,
            tuple(refs),
            self._copy_of(file, texts[file]) if _is_shipped(file) else None,
            _digest(texts),
            config,
            kits[kit] if whole else None,
            tuple(document.problems),
            texts,
        )

    def set(
        self, changes: Mapping[positions.Path, Value], digest: str, *, kit: int = 0, stroke: str | None = None
    ) -> View:
        """Write new values of the configuration or of the kit, and return what stands there then.

        A kit that came with lalelu is copied beside the configuration first. Changes of one `stroke` are undone at
        once. Raises ConfigError with what would be wrong, ChangedMeanwhileError where `digest` is not that of the
        files, UsageError for a path that is not to be changed here and for files that cannot be written.
        """
        view = self.view(kit)
        if digest != view.digest:
            raise ChangedMeanwhileError(
                f"{view.config_file.name} or {view.kit_file.name} has been changed meanwhile; nothing was written, "
                "look at what stands there now"
            )
        of_config = {path: value for path, value in changes.items() if not _is_of_kit(path)}
        of_kit = {path: value for path, value in changes.items() if _is_of_kit(path)}
        wanted = dict(view.texts)
        file = view.kit_file
        if of_config:
            wanted[self.config] = edited(wanted[self.config], of_config)
        if of_kit:
            after = edited(wanted[file], of_kit)
            if view.copied_to is not None and after != wanted[file]:
                file = view.copied_to
                wanted[self.config] = self._pointed(wanted[self.config], view.kit_refs[kit], file)
                self._begun.setdefault(file, wanted[view.kit_file])
            wanted[file] = after
        self._judge(view, wanted)
        after_all = {path: text for path, text in wanted.items() if view.texts.get(path) != text}
        if after_all:
            # undoing leaves the copy, which is the player's own from now on
            before = {path: view.texts.get(path, self._begun.get(path, "")) for path in after_all}
            if file != view.kit_file:
                before[self.config] = self._pointed(view.texts[self.config], view.kit_refs[kit], file)
            self._write(after_all)
            self.history.add(Step(before, after_all, stroke))
        return self.view(kit)

    def undo(self, kit: int = 0) -> View:
        """Take the last step back. Raises ChangedMeanwhileError where the files were changed since."""
        step = self.history.undoable
        if step is None:
            raise UsageError("nothing was changed here that could be undone")
        self._go(step.after, step.before)
        self.history.undo()
        return self.view(kit)

    def redo(self, kit: int = 0) -> View:
        """Do the last undone step again. Raises ChangedMeanwhileError where the files were changed since."""
        step = self.history.redoable
        if step is None:
            raise UsageError("nothing was undone that could be done again")
        self._go(step.before, step.after)
        self.history.redo()
        return self.view(kit)

    def diff(self, kit: int = 0) -> str:
        """Return a unified diff from the files as they were first seen here; empty without a change."""
        self.view(kit)
        lines: list[str] = []
        for file, before in self._begun.items():
            after = _text(file).splitlines()
            name = _short(file, self.config.parent)
            lines += difflib.unified_diff(
                before.splitlines(), after, name, name, "before", "now", lineterm=""
            )
        return "\n".join(lines)

    def _go(self, here: Mapping[Path, str], there: Mapping[Path, str]) -> None:
        if any(_text(file) != text for file, text in here.items()):
            self.history.forget()
            raise ChangedMeanwhileError(
                "the files were changed elsewhere since; there is nothing left to undo"
            )
        self._write(there)

    def _judge(self, view: View, wanted: Mapping[Path, str]) -> None:
        """Raise ConfigError with what would be wrong and is not yet."""
        document, _, _ = read_config(self.config, wanted)
        known = {(problem.path, problem.message) for problem in view.problems}
        new = tuple(p for p in document.problems if (p.path, p.message) not in known)
        if new:
            raise ConfigError(new)

    def _write(self, texts: Mapping[Path, str]) -> None:
        # the configuration last: it names the kit's copy
        for file, text in sorted(texts.items(), key=lambda item: item[0] == self.config):
            if _is_shipped(file):
                raise UsageError(f"{file} came with lalelu; copy it, and start with --config COPY")
            with replacing(file.resolve() if file.exists() else file, not_written) as temporary:
                temporary.write_bytes(text.encode())

    def _copy_of(self, file: Path, text: str) -> Path:
        """Return where the copy of a shipped kit goes: a new file, or one that is the same still."""
        folder = self.config.parent / "kits"
        names = [file.stem, *(f"{file.stem}_{number}" for number in range(2, 100))]
        for name in names:
            path = folder / f"{name}.yaml"
            if not path.exists() or _text(path) == text:
                return path
        raise UsageError(f"{folder} has a hundred kits of this name; remove some")

    def _pointed(self, text: str, ref: str, file: Path) -> str:
        """Return the configuration's text with the kit `ref` being the one in `file`."""
        own = file.relative_to(self.config.parent).as_posix()
        root = read_document(text, "").root
        values = root if isinstance(root, dict) else {}
        changes: dict[positions.Path, Value] = {}
        if values.get("kit", Config().kit) == ref:
            changes["kit",] = own
        more, player = values.get("more_kits"), values.get("player")
        if isinstance(more, list):
            changes |= {("more_kits", index): own for index, name in enumerate(more) if name == ref}
        by_player = player.get("kits") if isinstance(player, dict) else None
        if isinstance(by_player, dict):
            changes |= {("player", "kits", key): own for key, name in by_player.items() if name == ref}
        return edited(text, changes)


def parse_path(text: str) -> positions.Path:
    """Return an option's path, as in `pads.snare.zone.box[0]`. Raises UsageError where it is none."""
    parts: list[str | int] = []
    at = 0
    while at < len(text) <= MAX_PATH and (found := _PART.match(text, at)):
        parts.append(found[1] if found[2] is None else int(found[2]))
        at = found.end()
    if not parts or at < len(text):
        raise UsageError(f"{text[:MAX_PATH]!r} is no option; write it as in pads.snare.threshold")
    return tuple(parts)


MAX_PATH: Final = 200  # characters


def _is_of_kit(path: positions.Path) -> bool:
    """Whether an option stands in kits. Raises UsageError for one that is not to be changed here."""
    if path and path[0] in KitConfig.model_fields:
        return True
    name = dotted(path)
    if not any(name == known or name.startswith((f"{known}.", f"{known}[")) for known in EDITABLE):
        raise UsageError(
            f"{name} is not changed here; here are the kit's options and {', '.join(sorted(EDITABLE))}"
        )
    return False


def _refs(text: str) -> list[str]:
    root = read_document(text, "").root
    values = root if isinstance(root, dict) else {}
    more = values.get("more_kits")
    refs: list[Any] = [values.get("kit", Config().kit), *(more if isinstance(more, list) else [])]
    return [ref for ref in refs if isinstance(ref, str) and ref] or [Config().kit]


def _is_shipped(file: Path) -> bool:
    return file.resolve().is_relative_to(shipped_dir().resolve())


def _text(file: Path) -> str:
    try:
        return read_regular(file, MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as exc:  # ValueError: not UTF-8, too long
        raise UsageError(f"{file} cannot be read ({exc}); check the file and its permissions") from exc


def _digest(texts: Mapping[Path, str]) -> str:
    known = hashlib.sha256()
    for file, text in texts.items():
        known.update(f"{file}\0{len(text)}\0{text}".encode())
    return known.hexdigest()


def _short(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
