"""The folder of takes: what lies there, with names, notes and truth; renaming and deleting. Reads and writes files.

A take NAME is the file `NAME.take` or `NAME.take.gz`; beside it may lie `NAME.truth.jsonl` (its true hits),
`NAME.note.txt` and `NAME.film.mkv`. What is deleted goes to the folder `trash`.
"""

import json
import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.registry import did_you_mean
from lalelu.regular import read_regular
from lalelu.replacement import not_written, replacing
from lalelu.take import MOST_BYTES, unpacked

ENDINGS: Final = (".take", ".take.gz")
TRUTH: Final = ".truth.jsonl"
NOTE: Final = ".note.txt"
FILM: Final = ".film.mkv"
BESIDE: Final = (TRUTH, NOTE, FILM)  # what belongs to a take
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
    film: bool
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


def film_of(take: Path) -> Path:
    """Return where a take's film lies."""
    return take.with_name(name_of(take) + FILM)


class Library:
    """The takes of one folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def takes(self, *, without: Collection[str] = ()) -> list[TakeInfo]:
        """Return all takes, the newest first; `without` those that are not ready, which grow."""
        # one that is just being packed lies there twice; `path` takes the plain one, too
        found = {name_of(path): path for path in sorted(self._files(), reverse=True)}
        infos = [
            _info(path)
            for name, path in found.items()
            if name not in without and not path.name.startswith(".")
        ]
        return sorted(infos, key=lambda info: (info.recorded, info.name), reverse=True)

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
        is_taken = any((self.folder / f"{wanted}{ending}").exists() for ending in ENDINGS)
        for ending in BESIDE:
            there, here = self.folder / f"{wanted}{ending}", self.folder / f"{name}{ending}"
            # the same file, where a rename before this one was killed
            is_taken |= there.exists() and not (here.exists() and there.samefile(here))
        if is_taken:
            raise UsageError(f"a take {wanted!r} is there already; choose another name")
        self._move(take, self.folder, wanted)

    def delete(self, name: str) -> Path:
        """Move a take, and what belongs to it, to the trash; return its file there. Raises UsageError."""
        take = self.path(name)
        trash = self.folder / TRASH
        free, number = name, 1
        while any((trash / f"{free}{ending}").exists() for ending in (*ENDINGS, *BESIDE)):
            number += 1
            free = f"{name} {number}"
        return self._move(take, trash, free)

    def write_note(self, name: str, text: str) -> None:
        """Keep the player's words on a take; empty ones remove them. Raises UsageError."""
        path, words = note_of(self.path(name)), " ".join(text.split())
        if len(words) > MOST_NOTE:
            raise UsageError(f"a note has up to {MOST_NOTE} characters, not {len(words)}; shorten it")
        if words:
            with replacing(path, not_written) as unfinished:
                unfinished.write_text(words + "\n", encoding="utf-8")
            return
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise not_written(path, exc) from exc

    def _files(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.name.endswith(ENDINGS) and path.is_file()]
        except OSError:
            return []

    @staticmethod
    def _move(take: Path, folder: Path, name: str) -> Path:
        """Move the take between its sidecars' second names and the end of their first: a kill parts none."""
        old = name_of(take)
        target = folder / f"{name}{take.name.removeprefix(old)}"
        beside = [path for ending in BESIDE if (path := take.with_name(old + ending)).exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in beside:
                with suppress(FileExistsError):  # it is the same file, from a move that was killed
                    os.link(path, folder / f"{name}{path.name.removeprefix(old)}")
            take.rename(target)
            for path in beside:
                path.unlink()
        except OSError as exc:
            raise UsageError(
                f"{take} cannot be moved to {target} ({exc.strerror}); check the permissions"
            ) from exc
        return target


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
    except (OSError, *_DAMAGED) as exc:
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
        film_of(path).is_file(),
        problem,
    )


@lru_cache(maxsize=1000)
def _measured(path: Path, _changed_ns: int, _size: int) -> tuple[float, int, float, int, str]:
    """Return seconds, frames, fps, players and source, without looking at every number."""
    raw, _ = unpacked(read_regular(path, MOST_BYTES))
    lines = [line for line in raw[: raw.rfind(b"\n") + 1].split(b"\n") if line.strip()]
    if not lines:
        raise ValueError("it has no whole line")
    header = json.loads(lines[0])
    if "lalelu_take" not in header:
        raise ValueError("its first line is no take's")
    frames = lines[1:]
    first, last = (json.loads(frames[place])["captured_ns"] if frames else 0 for place in (0, -1))
    players = max((line.count(b'"xy"') for line in frames), default=0)
    source = str(header.get("source", ""))
    return round((last - first) * 1e-9, 2), len(frames), round(float(header["fps"]), 2), players, source


def _lines(truth: Path) -> int | None:
    text = _bytes(truth)
    return None if text is None else sum(bool(line.strip()) for line in text.split(b"\n"))


def _note(take: Path) -> str:
    return (_bytes(note_of(take), 10_000) or b"").decode("utf-8", "replace").strip()


def _bytes(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """Return what lies beside a take; None where nothing is that can be read."""
    try:
        return read_regular(path, most)
    except OSError:
        return None
