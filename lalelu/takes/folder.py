"""The folder of takes: what lies there, with names, notes and truth; renaming and deleting. Reads and writes files.

A take NAME is the file `NAME.take` or `NAME.take.gz`; beside it may lie `NAME.truth.jsonl` (its true hits) and
`NAME.note.txt`. What is deleted goes to the folder `trash`.
"""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.registry import did_you_mean
from lalelu.regular import read_regular
from lalelu.take import MOST_BYTES

ENDINGS: Final = (".take", ".take.gz")
TRUTH: Final = ".truth.jsonl"
NOTE: Final = ".note.txt"
TRASH: Final = "trash"
MOST_NOTE: Final = 500  # characters
_NAME: Final = re.compile(r"\w[\w .()+-]{0,79}")
_DAMAGED: Final = (ValueError, LookupError, TypeError, RecursionError)


@dataclass(frozen=True, slots=True)
class TakeInfo:
    """What a library tells of one take."""

    name: str
    path: Path
    recorded: str  # local time of the file, ISO 8601
    seconds: float
    frames: int
    fps: float
    players: int  # at once, at most
    source: str
    truth: int | None  # how many true hits; None = no truth
    note: str
    problem: str | None = None  # why it cannot be used

    def plain(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {**asdict(self), "path": str(self.path)}


def takes_folder(config: Config, environment: Mapping[str, str]) -> Path:
    """Return where takes lie: `takes.dir`, else a service's state, else the user's data folder."""
    if config.takes.dir is not None:
        return Path(config.takes.dir).expanduser()
    if environment.get("STATE_DIRECTORY"):
        return Path(environment["STATE_DIRECTORY"].split(":")[0]) / "takes"
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path("~/.local/share").expanduser()) / "lalelu" / "takes"


def take_file(given: str, config: Config, environment: Mapping[str, str]) -> Path:
    """Return the file that is meant: by its path, with a take's ending, or by its name in the folder of takes.

    Raises UsageError where the folder has no take of that name.
    """
    return Path(given) if given.endswith(ENDINGS) else Library(takes_folder(config, environment)).path(given)


def name_of(path: Path) -> str:
    """Return a take's name: its file's without the ending."""
    return path.name.removesuffix(".gz").removesuffix(".take")


def truth_of(take: Path) -> Path:
    """Return where a take's true hits lie."""
    return take.with_name(name_of(take) + TRUTH)


def note_of(take: Path) -> Path:
    """Return where the player's words on a take lie."""
    return take.with_name(name_of(take) + NOTE)


class Library:
    """The takes of one folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def takes(self) -> list[TakeInfo]:
        """Return all takes, the newest first."""
        found = [path for path in self._files() if not path.name.startswith(".")]
        return sorted(
            (_info(path) for path in found), key=lambda info: (info.recorded, info.name), reverse=True
        )

    def path(self, name: str) -> Path:
        """Return the file of a take. Raises UsageError where there is none of that name."""
        _check_name(name)
        for ending in ENDINGS:
            path = self.folder / f"{name}{ending}"
            if path.is_file():
                return path
        known = [name_of(path) for path in self._files()]
        raise UsageError(f"there is no take {name!r} in {self.folder}{did_you_mean(name, known)}")

    def rename(self, name: str, wanted: str) -> None:
        """Give a take, and what belongs to it, another name. Raises UsageError."""
        take = self.path(name)
        _check_name(wanted)
        if any((self.folder / f"{wanted}{ending}").exists() for ending in (*ENDINGS, TRUTH, NOTE)):
            raise UsageError(f"a take {wanted!r} is there already; choose another name")
        self._move(take, self.folder, wanted)

    def delete(self, name: str) -> Path:
        """Move a take, and what belongs to it, to the trash; return its file there. Raises UsageError."""
        take = self.path(name)
        trash = self.folder / TRASH
        free, number = name, 1
        while any((trash / f"{free}{ending}").exists() for ending in (*ENDINGS, TRUTH, NOTE)):
            number += 1
            free = f"{name} {number}"
        return self._move(take, trash, free)

    def write_note(self, name: str, text: str) -> None:
        """Keep the player's words on a take; empty ones remove them. Raises UsageError."""
        path, words = note_of(self.path(name)), " ".join(text.split())
        if len(words) > MOST_NOTE:
            raise UsageError(f"a note has up to {MOST_NOTE} characters, not {len(words)}; shorten it")
        try:
            if words:
                replace_text(path, words + "\n")
            else:
                path.unlink(missing_ok=True)
        except OSError as exc:
            raise UsageError(
                f"{path} cannot be written ({exc.strerror}); check the folder's permissions"
            ) from exc

    def _files(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.name.endswith(ENDINGS) and path.is_file()]
        except OSError:
            return []

    @staticmethod
    def _move(take: Path, folder: Path, name: str) -> Path:
        """Move the sidecars first: a kill between two moves leaves none that belongs to no take."""
        old = name_of(take)
        target = folder / f"{name}{take.name.removeprefix(old)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for ending in (TRUTH, NOTE):
                beside = take.with_name(old + ending)
                if beside.exists():
                    beside.rename(folder / f"{name}{ending}")
            return take.rename(target)
        except OSError as exc:
            raise UsageError(
                f"{take} cannot be moved to {target} ({exc.strerror}); check the permissions"
            ) from exc


def replace_text(path: Path, text: str) -> None:
    """Replace a file in one step. Raises OSError."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.endswith(ENDINGS):
        raise UsageError(
            f"{name[:90]!r} is no name for a take; allowed are up to 80 letters, digits, spaces and ._()+-, beginning "
            "with a letter or digit, without the file's ending"
        )


def _info(path: Path) -> TakeInfo:
    name = name_of(path)
    try:
        stat = path.stat()
        recorded = datetime.fromtimestamp(stat.st_mtime).astimezone().isoformat(timespec="seconds")
        seconds, frames, fps, players, source = _measured(path, stat.st_mtime_ns, stat.st_size)
        problem = None
    except (OSError, EOFError, *_DAMAGED) as exc:
        recorded, seconds, frames, fps, players, source = "", 0.0, 0, 0.0, 0, ""
        problem = f"the take cannot be read ({exc}); `lalelu replay` says more"
    return TakeInfo(
        name,
        path,
        recorded,
        seconds,
        frames,
        fps,
        players,
        source,
        _lines(truth_of(path)),
        _note(path),
        problem,
    )


@lru_cache(maxsize=1000)
def _measured(path: Path, _changed_ns: int, _size: int) -> tuple[float, int, float, int, str]:
    """Return seconds, frames, fps, players and source, without looking at every number."""
    raw = read_regular(path, MOST_BYTES)
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    lines = [line for line in raw.split(b"\n") if line.strip()]
    if not raw.endswith(b"\n"):  # it is being recorded, or was cut off
        lines.pop()
    header = json.loads(lines[0])
    if "lalelu_take" not in header:
        raise ValueError("its first line is no take's")
    frames = lines[1:]
    first, last = (json.loads(frames[place])["captured_ns"] if frames else 0 for place in (0, -1))
    players = max((line.count(b'"xy"') for line in frames), default=0)
    source = str(header.get("source", ""))
    return round((last - first) * 1e-9, 2), len(frames), round(float(header["fps"]), 2), players, source


def _lines(truth: Path) -> int | None:
    try:
        return sum(bool(line.strip()) for line in read_regular(truth, MOST_BYTES).split(b"\n"))
    except OSError:
        return None


def _note(take: Path) -> str:
    try:
        return read_regular(note_of(take), 10_000).decode("utf-8", "replace").strip()
    except OSError:
        return ""
