"""A take's film: JPEG pictures with their times in a Matroska file, which players play. Reads and writes files.

Each picture is a cluster of its own (RFC 9559, codec V_MJPEG), and nothing at the file's end counts them: it may be cut
off anywhere. Times are whole milliseconds after `film_from_ns` in the take's header.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

from lalelu.errors import UsageError
from lalelu.regular import open_regular

FROM: Final = "film_from_ns"  # in the take's header
MOST_PICTURES: Final = 108_000  # two hours at 15 a second, about 1 GB
MOST_PICTURE: Final = 1 << 20  # bytes: ten times what a noisy picture of 320 x 320 takes
_SIZED: Final = 1 << 56  # marks a size of eight bytes


def _element(name: str, data: bytes) -> bytes:
    return bytes.fromhex(name) + (_SIZED | len(data)).to_bytes(8, "big") + data


def _head(width: int, height: int) -> bytes:
    video = _element("b0", width.to_bytes(4, "big")) + _element("ba", height.to_bytes(4, "big"))
    number, unique, is_video = _element("d7", b"\1"), _element("73c5", b"\1"), _element("83", b"\1")
    track = number + unique + is_video + _element("86", b"V_MJPEG") + _element("e0", video)
    scale = _element("2ad7b1", (1_000_000).to_bytes(4, "big"))  # ns: times are milliseconds
    info = scale + _element("4d80", b"lalelu") + _element("5741", b"lalelu")
    return _BEGINNING + _element("1549a966", info) + _element("1654ae6b", _element("ae", track))


_DOCUMENT: Final = _element("4282", b"matroska") + _element("4287", b"\4") + _element("4285", b"\2")
_BEGINNING: Final = _element("1a45dfa3", _DOCUMENT) + bytes.fromhex("18538067 01ffffffffffffff")  # no size
_HEAD_BYTES: Final = len(_head(0, 0))
# cluster, its size; timestamp, its size, ms; block, its size; track 1 at the cluster's own time, a key frame
_CLUSTER: Final = struct.Struct(">4sQ sQQ sQ4s")
_NAME, _TIME, _BLOCK, _FLAGS = b"\x1f\x43\xb6\x75", b"\xe7", b"\xa3", b"\x81\0\0\x80"


class _Place(NamedTuple):
    """Where a picture lies."""

    time_ms: int
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class TakeFilm:
    """A film's pictures; `times_ms` grow."""

    path: Path
    places: tuple[_Place, ...]

    @property
    def times_ms(self) -> list[int]:
        """When the pictures were captured."""
        return [place.time_ms for place in self.places]

    def picture(self, time_ms: float) -> bytes:
        """Return the JPEG that is nearest to a time. Raises UsageError."""
        times = self.times_ms
        after = bisect_left(times, time_ms)
        near = [self.places[index] for index in (after - 1, after) if 0 <= index < len(times)]
        place = min(near, key=lambda place: abs(place.time_ms - time_ms))
        try:
            with open_regular(self.path) as file:
                file.seek(place.at)
                return file.read(place.size)
        except OSError as exc:
            raise _unreadable(self.path, exc.strerror) from exc


def read_film(path: Path) -> TakeFilm:
    """Find a film's pictures; what follows the last whole one is left out. Raises UsageError where there is none."""
    try:
        with open_regular(path) as file:
            places = tuple(_places(file))
    except OSError as exc:
        raise _unreadable(path, exc.strerror) from exc
    if not places:
        raise _unreadable(path, "it has no picture that lalelu has recorded")
    return TakeFilm(path, places)


class FilmWriter:
    """Writes a film, or goes on with one. A context manager; a film without a picture leaves no file.

    Whatever goes wrong, the file ends with a whole picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._end = 0
        self.pictures = 0

    def __enter__(self) -> Self:
        """Open the file. Raises OSError."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(self._file, "rb", closefd=False) as file:
            for place in _places(file):
                self._end = place.at + place.size
                self.pictures += 1
        return self

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._file, self._end)
        os.close(self._file)
        if not self._end:
            self._path.unlink(missing_ok=True)

    def write(self, time_ms: int, jpeg: bytes, width: int, height: int) -> None:
        """Append a picture. Raises OSError, and UsageError where the film is too long."""
        if self.pictures >= MOST_PICTURES:
            raise UsageError(f"a film has up to {MOST_PICTURES} pictures")
        size = len(jpeg)
        cluster = (_NAME, _SIZED | (_CLUSTER.size - 12 + size), _TIME, _SIZED | 8, time_ms)
        block = (_BLOCK, _SIZED | (4 + size), _FLAGS)
        head = b"" if self._end else _head(width, height)
        rest, at = memoryview(head + _CLUSTER.pack(*cluster, *block) + jpeg), self._end
        while rest:
            count = os.pwrite(self._file, rest, at)
            rest, at = rest[count:], at + count
        self._end = at
        self.pictures += 1


def _places(file: BinaryIO) -> Iterator[_Place]:
    """Yield the whole pictures of a film."""
    length = os.fstat(file.fileno()).st_size
    if not file.read(_HEAD_BYTES).startswith(_BEGINNING):
        return
    at = _HEAD_BYTES
    for _ in range(MOST_PICTURES):
        file.seek(at)
        data = file.read(_CLUSTER.size)
        if len(data) < _CLUSTER.size:
            return
        name, _, _, _, time_ms, _, block, _ = _CLUSTER.unpack(data)
        size = block - _SIZED - 4
        at += _CLUSTER.size
        if name != _NAME or not 0 < size <= MOST_PICTURE or at + size > length:
            return
        yield _Place(time_ms, at, size)
        at += size


def _unreadable(path: Path, why: str | None) -> UsageError:
    return UsageError(f"the film {path} cannot be read ({why}); the take itself is whole without it")
