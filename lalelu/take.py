"""Read and write takes: the keypoints of every frame, as JSON Lines. Reads and writes files.

The format is in ARCHITECTURE, "The files". The first line is the header, then one object a frame:
`{"seq": 0, "captured_ns": 0, "players": [{"player": 0, "via": "net", "xy": [[x, y], ...], "score": [...]}]}`.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TextIO, cast

import numpy as np

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean
from lalelu.regular import read_regular
from lalelu.skeleton import SKELETONS
from lalelu.takes.recording import VERSION, pack
from lalelu.types import Pose, Via

_OPTIONAL: Final = ("model", "exposure_ms", "readout_ms")
_GZIP_MAGIC: Final = b"\x1f\x8b"
MOST_BYTES: Final = 1 << 30  # 1 GiB unpacked: four hours of one player at 100 frames a second
MOST_FPS: Final = 10_000
MOST_PIXELS: Final = 100_000  # of a side
MOST_MS: Final = 10_000  # of an exposure or a readout
MOST_STAMP: Final = 1 << 62  # ns, 146 years; a row's field has 64 bits
MOST_PLAYERS: Final = 256  # a player's number takes one byte of a row
_NO_JSON: Final = (ValueError, RecursionError)  # the latter: thousands of brackets


@dataclass(frozen=True, slots=True)
class TakeHeader:
    """The first line of a take."""

    source: str
    fps: float
    width: int  # px
    height: int  # px
    skeleton: str = "coco17"
    model: str | None = None  # the network, where known
    exposure_ms: float | None = None
    more: dict[str, Any] = field(default_factory=dict)  # what else stands in the line
    readout_ms: float | None = None  # rolling shutter, from the first row's readout to the last's

    @property
    def keypoints(self) -> tuple[str, ...]:
        """The skeleton's keypoint names, in the order of `Pose.xy`."""
        return SKELETONS[self.skeleton]


@dataclass(frozen=True, slots=True)
class TakeFrame:
    """One frame: its number, the middle of its exposure, and everyone who was seen."""

    seq: int
    captured_ns: int
    poses: tuple[Pose, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """A whole take in memory; `problems` says in sentences when the file's end was cut off."""

    header: TakeHeader
    frames: tuple[TakeFrame, ...]
    problems: tuple[str, ...] = ()


class TakeWriter:
    """Write a take while it is played: plain JSON Lines, each frame complete on its own line.

    `close()` leaves PATH as it is, or, where PATH ends in `.gz`, gzips what was recorded into it.
    While recording, a `.gz` take grows as PATH without its `.gz`.
    """

    def __init__(self, path: Path | str, header: TakeHeader) -> None:
        self._path = Path(path)
        self._plain = self._path.with_suffix("") if self._path.suffix == ".gz" else self._path
        self._header = header
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Create the file and write the header. Raises UsageError where that is not possible."""
        h = self._header
        first = {
            "lalelu_take": VERSION,
            "source": h.source,
            "fps": h.fps,
            "width": h.width,
            "height": h.height,
            "skeleton": h.skeleton,
            **{key: value for key in _OPTIONAL if (value := getattr(h, key)) is not None},
            **h.more,
        }
        try:
            self._file = self._plain.open("w", encoding="utf-8")
        except OSError as exc:
            raise UsageError(
                f"cannot write the take {self._plain}: {exc.strerror}; choose another place"
            ) from exc
        self._file.write(json.dumps(first) + "\n")

    def write(self, frame: TakeFrame) -> None:
        """Append one frame; coordinates keep 5 decimals, far below a pixel."""
        if self._file is None:
            raise ValueError("the take is not open")
        players = [
            {
                "player": pose.player,
                "via": pose.via,
                "xy": np.round(pose.xy.astype(np.float64), 5).tolist(),
                "score": np.round(pose.score.astype(np.float64), 4).tolist(),
            }
            for pose in frame.poses
        ]
        record = {"seq": frame.seq, "captured_ns": frame.captured_ns, "players": players}
        # A NaN here is a decoder's bug: better stopped while recording than found when reading.
        self._file.write(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Finish the file; safe to call twice and before `open()`."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        if self._plain != self._path:
            try:
                pack(self._plain, self._path)
            except OSError as exc:
                raise UsageError(
                    f"cannot pack the take {self._path}: {exc.strerror}; it stays unpacked as {self._plain}"
                ) from exc


def unpacked(raw: bytes) -> tuple[bytes, bool]:
    """Return a take's bytes without gzip, and whether its end is there.

    Raises ValueError for damaged gzip data, and for more than MOST_BYTES.
    """
    if raw[:2] != _GZIP_MAGIC:
        return raw, True
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(raw, MOST_BYTES)
    except zlib.error as exc:
        raise ValueError(f"damaged gzip data ({exc}); record the take again") from exc
    if unpacker.unconsumed_tail:
        raise ValueError(f"unpacks to more than {MOST_BYTES} bytes; cut the take into shorter ones")
    return plain, unpacker.eof


def read_take(path: Path | str) -> Take:
    """Read a plain or gzipped take; a cut-off end is left out and described in `problems`.

    Raises UsageError with file and line for anything else that is not a take: other JSON, missing keys,
    NaN, arrays of the wrong shape, stamps that do not grow.
    """
    path = Path(path)
    numbered, problem = _lines(path)
    lines = iter(numbered)
    first = next(lines, None)
    if first is None:
        raise UsageError(
            f"{path}:1: the file is empty; a take begins with a header line, as `--take` writes it"
        )
    header = _header(path, first[1])
    frames: list[TakeFrame] = []
    for number, line in lines:
        where = f"{path}:{number}"
        try:
            record = json.loads(line, parse_constant=_refuse_constant(where))
        except _NO_JSON as exc:
            if number == numbered[-1][0]:  # recording stopped in the middle of a line
                problem = f"{where}: the take's end is cut off; {len(frames)} whole frames were read"
                break
            raise UsageError(
                f"{where}: not JSON ({str(exc)[:80]}); every line of a take is one JSON object"
            ) from exc
        frame = _frame(where, record, len(header.keypoints))
        if frames and frame.captured_ns <= frames[-1].captured_ns:
            raise UsageError(
                f"{where}: captured_ns is {frame.captured_ns} after {frames[-1].captured_ns}; it must grow"
            )
        frames.append(frame)
    return Take(header, tuple(frames), () if problem is None else (problem,))


def _lines(path: Path) -> tuple[list[tuple[int, str]], str | None]:
    """Return the file's non-empty lines with their numbers, and a warning for a cut-off gzip stream."""
    try:
        raw = read_regular(path, MOST_BYTES)
    except OSError as exc:
        raise UsageError(
            f"cannot read the take {path}: {exc.strerror}; give a .take or .take.gz file"
        ) from exc
    try:
        raw, is_whole = unpacked(raw)
    except ValueError as exc:
        raise UsageError(f"{path}: {exc}") from exc
    warning = None if is_whole else f"{path}: the take's end is cut off (the gzip stream is not complete)"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.start < len(raw) - 3:
            raise UsageError(
                f"{path}: not a take (not UTF-8 text at byte {exc.start}); give a .take or .take.gz file"
            ) from exc
        text = raw[: exc.start].decode("utf-8")  # cut inside a character
    return [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()], warning


def _refuse_constant(where: str) -> Any:  # noqa: ANN401 - the hook type of json.loads
    def refuse(name: str) -> float:
        raise UsageError(f"{where}: holds {name}; a keypoint that is not known has score 0 and finite xy")

    return refuse


def _header(path: Path, line: str) -> TakeHeader:
    where = f"{path}:1"
    try:
        record = json.loads(line, parse_constant=_refuse_constant(where))
    except _NO_JSON as exc:
        raise UsageError(
            f"{where}: not a take (not JSON: {str(exc)[:80]}); its first line must be the header"
        ) from exc
    if not isinstance(record, dict) or "lalelu_take" not in record:
        raise UsageError(f'{where}: not a take; its first line must be {{"lalelu_take": {VERSION}, ...}}')
    if record["lalelu_take"] != VERSION:
        raise UsageError(
            f"{where}: lalelu_take is {record['lalelu_take']!r}; this lalelu reads {VERSION}; record it again"
        )
    skeleton = record.get("skeleton")
    if not isinstance(skeleton, str) or skeleton not in SKELETONS:
        raise UsageError(
            f"{where}: skeleton is {skeleton!r}; known are {', '.join(SKELETONS)}"
            f"{did_you_mean(str(skeleton), SKELETONS)}"
        )
    known = ("lalelu_take", "source", "fps", "width", "height", "skeleton", *_OPTIONAL)
    for key, most in (("fps", MOST_FPS), ("width", MOST_PIXELS), ("height", MOST_PIXELS)):
        if not _is_number(record.get(key)) or not 1 <= record[key] <= most:
            raise UsageError(f"{where}: {key} is {_short(record.get(key))}; it must be a number 1..{most}")
    for key in ("exposure_ms", "readout_ms"):
        value = record.get(key)
        if value is not None and not (_is_number(value) and 0 <= value <= MOST_MS):
            raise UsageError(f"{where}: {key} is {_short(value)}; it must be a number 0..{MOST_MS}")
    model = record.get("model")
    return TakeHeader(
        str(record.get("source", "")),
        float(record["fps"]),
        int(record["width"]),
        int(record["height"]),
        skeleton,
        None if model is None else str(model),
        record.get("exposure_ms"),
        {key: value for key, value in record.items() if key not in known},
        record.get("readout_ms"),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: object) -> str:
    return repr(value)[:40]


def _frame(where: str, record: object, keypoints: int) -> TakeFrame:
    if not isinstance(record, dict):
        raise UsageError(f"{where}: a frame must be a JSON object with seq, captured_ns and players")
    for key in ("seq", "captured_ns"):
        value = record.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not -MOST_STAMP < value < MOST_STAMP:
            raise UsageError(f"{where}: {key} is {_short(value)}; every frame needs it as a whole number")
    players = record.get("players")
    if not isinstance(players, list):
        raise UsageError(
            f"{where}: players is {_short(players)}; it must be a list (empty when nobody is seen)"
        )
    seq, captured_ns = record["seq"], record["captured_ns"]
    return TakeFrame(
        seq,
        captured_ns,
        tuple(_pose(where, seq, captured_ns, each, keypoints) for each in _objects(where, players)),
    )


def _objects(where: str, players: list[object]) -> Iterator[dict[str, Any]]:
    for each in players:
        if not isinstance(each, dict):
            raise UsageError(f"{where}: a player must be a JSON object with xy and score")
        yield each


def _pose(where: str, seq: int, captured_ns: int, record: dict[str, Any], keypoints: int) -> Pose:
    player = record.get("player", 0)
    if not isinstance(player, int) or isinstance(player, bool) or not 0 <= player < MOST_PLAYERS:
        raise UsageError(
            f"{where}: player is {_short(player)}; it must be a whole number 0..{MOST_PLAYERS - 1}"
        )
    via = record.get("via", "net")
    if via not in ("net", "flow"):
        raise UsageError(f"{where}: via is {_short(via)}; it must be net or flow")
    for key in ("xy", "score"):
        if key not in record:
            raise UsageError(f"{where}: player {player} has no {key}; every player needs xy and score")
    arrays = {}
    for key, shape in (("xy", (keypoints, 2)), ("score", (keypoints,))):
        try:
            array = np.asarray(record[key], dtype=np.float32)
        except (TypeError, ValueError, OverflowError) as exc:
            raise UsageError(
                f"{where}: {key} of player {player} is not an array of numbers of shape {shape}"
            ) from exc
        if array.shape != shape:
            raise UsageError(f"{where}: {key} of player {player} has shape {array.shape}; it must be {shape}")
        if not np.isfinite(array).all():
            raise UsageError(
                f"{where}: {key} of player {player} is not finite; an unknown keypoint has score 0"
            )
        arrays[key] = array
    return Pose(seq, captured_ns, player, arrays["xy"], arrays["score"], cast(Via, via))
