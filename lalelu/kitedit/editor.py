"""Changes the player's configuration and kit: judged first, written whole, undone again. Reads and writes files."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lalelu.config import positions
from lalelu.config.edit import edited
from lalelu.config.kit import KitConfig
from lalelu.config.live import LIVE
from lalelu.config.loader import MAX_BYTES, kit_file, read_config, shipped_dir
from lalelu.config.positions import Document, Value, dotted, read_document
from lalelu.config.problem import ConfigError, Problem
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.kitedit import kept
from lalelu.kitedit.edits import Edit, Set, applied
from lalelu.kitedit.history import History, Step
from lalelu.regular import read_regular
from lalelu.replacement import not_written, replacing

# Of lalelu.yaml: what is heard at once. Which kits there are says the file alone.
EDITABLE: Final = LIVE - {"kit", "more_kits", "player.kits"}


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

    def __init__(self, config: Path, kept_in: Path | None = None) -> None:
        self.config = config
        self._kept_in = kept_in  # the file of the history; None = it ends with the process
        self.history = History()
        self._begun: dict[Path, str] = {}  # by file: its text when it was first seen

    def recall(self) -> None:
        """Take up the history that an earlier process has left, if the files are still those."""
        found = None if self._kept_in is None else kept.recall(self._kept_in, self.config)
        if found is not None:
            self.history, self._begun = found

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
        return View(
            self.config,
            file,
            kit,
            tuple(refs),
            self._copy_of(file, texts[file]) if _is_shipped(file) else None,
            _digest(texts),
            config,
            kits[kit] if len(kits) == len(refs) else None,
            tuple(document.problems),
            texts,
        )

    def change(self, edits: Sequence[Edit], digest: str, *, kit: int = 0, stroke: str | None = None) -> View:
        """Change the configuration and the kit in one step, and return what stands there then.

        A kit that came with lalelu is copied beside the configuration first. Changes of one `stroke` are undone at
        once. Raises ConfigError with what would be wrong, ChangedMeanwhileError where `digest` is not that of the
        files, UsageError for what is not to be changed here and for files that cannot be written.
        """
        view = self._current(digest, kit)
        file, wanted = view.kit_file, self._edited(view, edits)
        if view.copied_to is not None and wanted[file] != view.texts[file]:
            file = view.copied_to
            config = self._pointed(wanted[self.config], view.kit_refs[kit], file)
            wanted = {**view.texts, self.config: config, file: wanted[view.kit_file]}
        self._judge(view, wanted)
        after_all = {path: text for path, text in wanted.items() if view.texts.get(path) != text}
        if after_all:
            # undoing leaves the copy, which is the player's own from now on
            before = {path: view.texts.get(path, view.texts[view.kit_file]) for path in after_all}
            if file != view.kit_file:
                before[self.config] = self._pointed(view.texts[self.config], view.kit_refs[kit], file)
            self._write(after_all)
            self._begun.setdefault(file, view.texts[view.kit_file])
            self.history.add(Step(before, after_all, stroke))
            self._keep()
        return self.view(kit)

    def tried(self, edits: Sequence[Edit], digest: str, *, kit: int = 0) -> View:
        """Return what would stand in the files after `change`, which writes nothing. Raises what that does."""
        view = self._current(digest, kit)
        wanted = self._edited(view, edits)
        document, config, kits = self._judge(view, wanted)
        return replace(
            view,
            config=config,
            kit=kits[kit] if len(kits) == len(view.kit_refs) else None,
            problems=tuple(document.problems),
            texts=wanted,
        )

    def _current(self, digest: str, kit: int) -> View:
        view = self.view(kit)
        if digest != view.digest:
            raise ChangedMeanwhileError(
                f"{view.config_file.name} or {view.kit_file.name} has been changed meanwhile; nothing was written, "
                "look at what stands there now"
            )
        return view

    def _edited(self, view: View, edits: Sequence[Edit]) -> dict[Path, str]:
        """Return the texts of the configuration and of the kit with these edits."""
        of_config, of_kit = _split(edits)
        return {
            self.config: applied(view.texts[self.config], of_config),
            view.kit_file: applied(view.texts[view.kit_file], of_kit),
        }

    def undo(self, kit: int = 0) -> View:
        """Take the last step back. Raises ChangedMeanwhileError where the files were changed since."""
        step = self.history.undoable
        if step is None:
            raise UsageError("nothing was changed here that could be undone")
        self._go(step.after, step.before)
        self.history.undo()
        self._keep()
        return self.view(kit)

    def redo(self, kit: int = 0) -> View:
        """Do the last undone step again. Raises ChangedMeanwhileError where the files were changed since."""
        step = self.history.redoable
        if step is None:
            raise UsageError("nothing was undone that could be done again")
        self._go(step.before, step.after)
        self.history.redo()
        self._keep()
        return self.view(kit)

    def diff(self, kit: int = 0) -> str:
        """Return a unified diff from the files as they were first seen here; empty without a change."""
        self.view(kit)
        return self._difference(self._begun, {file: _text(file) for file in self._begun})

    def diff_of(self, tried: View) -> str:
        """Return a unified diff from the files as they are to what was tried; empty without a change."""
        return self._difference({file: _text(file) for file in tried.texts}, tried.texts)

    def _difference(self, before: Mapping[Path, str], after: Mapping[Path, str]) -> str:
        lines: list[str] = []
        for file, text in before.items():
            name = _short(file, self.config.parent)
            lines += difflib.unified_diff(
                text.splitlines(), after[file].splitlines(), name, name, "before", "now", lineterm=""
            )
        return "\n".join(lines)

    def _keep(self) -> None:
        if self._kept_in is not None:
            kept.keep(self._kept_in, self.history, self._begun)

    def _go(self, here: Mapping[Path, str], there: Mapping[Path, str]) -> None:
        if any(_text(file) != text for file, text in here.items()):
            self.history.forget()
            self._keep()
            raise ChangedMeanwhileError(
                "the files were changed elsewhere since; there is nothing left to undo"
            )
        self._write(there)

    def _judge(
        self, view: View, wanted: Mapping[Path, str]
    ) -> tuple[Document, Config | None, tuple[KitConfig, ...]]:
        """Return what the texts mean. Raises ConfigError with what would be wrong and is not yet."""
        document, config, kits = read_config(self.config, wanted)
        known = {(problem.path, problem.message) for problem in view.problems}
        new = tuple(p for p in document.problems if (p.path, p.message) not in known)
        if new:
            raise ConfigError(new)
        return document, config, kits

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


def _split(edits: Iterable[Edit]) -> tuple[list[Edit], list[Edit]]:
    """Return the edits of the configuration and those of the kit. Raises UsageError for one that is neither's."""
    of_config: list[Edit] = []
    of_kit: list[Edit] = []
    for edit in edits:
        if isinstance(edit, Set):
            is_of_kit = {path: _is_of_kit(path) for path in edit.values}
            for part, wanted in ((of_config, False), (of_kit, True)):
                values = {path: value for path, value in edit.values.items() if is_of_kit[path] is wanted}
                if values:
                    part.append(Set(values))
        else:
            (of_kit if _is_of_kit(edit.path) else of_config).append(edit)
    return of_config, of_kit


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
