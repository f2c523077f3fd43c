"""The history of changes in a small file, so that it outlives the page's process. Reads and writes files."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from lalelu.config.loader import MAX_BYTES
from lalelu.kitedit.history import History, Step
from lalelu.regular import read_regular

MOST_TEXT: Final = 1 << 20  # characters of all texts together; the oldest steps go first
_MOST_BYTES: Final = 8 * MOST_TEXT  # of the file: JSON writes up to six bytes for a character
_FORMAT: Final = 1


def keep(file: Path, history: History, begun: Mapping[Path, str]) -> None:
    """Write the history; `begun` are the files' texts when they were first seen.

    Where that cannot be done, the history ends with the process.
    """
    kept = _Texts()
    steps = (*history.done, *history.undone)
    files = {*begun, *(path for step in steps for path in (*step.before, *step.after))}
    data: dict[str, Any] = {
        "lalelu_history": _FORMAT,
        "begun": kept.of(begun),
        # what would be done again or undone next stands first
        "undone": kept.steps(history.undone),
        "done": kept.steps(history.done),
        "texts": kept.texts,
    }
    unfinished = file.with_name(f".{file.name}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError, ValueError):
        data["files"] = {str(path): _file_digest(path) for path in files}
        # for its owner only: a configuration may hold the page's token
        with os.fdopen(os.open(unfinished, flags, 0o600), "w", encoding="utf-8") as written:
            json.dump(data, written)
        unfinished.replace(file)


def recall(file: Path, config: Path) -> tuple[History, dict[Path, str]] | None:
    """Return what `keep` has written for a configuration: the history, and the files' texts when they were first seen.

    None where there is nothing, where it is damaged or another configuration's, and where a file has changed since.
    """
    try:
        data = json.loads(read_regular(file, _MOST_BYTES))
        files, texts = {Path(path): digest for path, digest in data["files"].items()}, data["texts"]
        if data["lalelu_history"] != _FORMAT or config not in files:
            return None
        if any(_file_digest(path) != digest for path, digest in files.items()):
            return None
        if any(_digest(text) != digest for digest, text in texts.items()):
            return None
        begun = _whole(data["begun"], texts)
        done, undone = ([_step(step, texts) for step in data[kind]] for kind in ("done", "undone"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not all(files.keys() >= {*step.before, *step.after} for step in (*done, *undone)):
        return None
    return History(done[::-1], undone[::-1]), begun


class _Texts:
    """Texts by their digests: what follows one change precedes the next."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._size = 0

    def of(self, texts: Mapping[Path, str]) -> dict[str, str]:
        digests = {str(path): _digest(text) for path, text in texts.items()}
        for digest, text in zip(digests.values(), texts.values(), strict=True):
            if digest not in self.texts:
                self.texts[digest] = text
                self._size += len(text)
        return digests

    def steps(self, steps: Sequence[Step]) -> list[dict[str, Any]]:
        """Return steps ready for JSON, the last one first, as many as there is room for."""
        told: list[dict[str, Any]] = []
        for step in reversed(steps):
            if self._size > MOST_TEXT:
                break
            told.append({"before": self.of(step.before), "after": self.of(step.after), "stroke": step.stroke})
        return told


def _whole(digests: Mapping[str, str], texts: Mapping[str, str]) -> dict[Path, str]:
    return {Path(path): texts[digest] for path, digest in digests.items()}


def _step(data: Mapping[str, Any], texts: Mapping[str, str]) -> Step:
    stroke = data["stroke"]
    return Step(
        _whole(data["before"], texts), _whole(data["after"], texts), None if stroke is None else str(stroke)
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_digest(path: Path) -> str:
    return _digest(read_regular(path, MAX_BYTES).decode("utf-8-sig"))
