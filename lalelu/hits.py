"""Hits and truth as JSON Lines, one object a hit, sorted by time. Reads and writes files."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean
from lalelu.regular import read_regular


@dataclass(frozen=True, slots=True)
class HitRecord:
    """One line of a hits or truth file; truth needs only `time_s` and `limb`. Zero is the first frame."""

    time_s: float  # the end of the stroke
    limb: str
    pad: str | None = None
    player: int = 0
    velocity: int | None = None  # MIDI, 1..127
    note: int | None = None
    channel: int | None = None  # 1..16
    decided_s: float | None = None  # the frame at which the detector knew
    note_s: float | None = None  # when the note is sent


_NUMBERS: Final[frozenset[str]] = frozenset({"time_s", "decided_s", "note_s"})
_WHOLE: Final[dict[str, tuple[int, int]]] = {
    "player": (0, 1_000_000),
    "velocity": (0, 127),
    "note": (0, 127),
    "channel": (1, 16),
}
MOST_BYTES: Final = 256 << 20  # 256 MiB: two days of hits without a pause
MOST_SECONDS: Final = 1e9  # 31 years; the other numbers are smaller
_DECIMALS: Final = 6  # of seconds: a microsecond, far below any stamp's truth


def write_hits(path: Path | str, hits: Iterable[HitRecord]) -> None:
    """Write hits sorted by time; unknown fields (None) are left out. Raises UsageError for a bad path."""
    text = "".join(
        json.dumps(_object(hit)) + "\n"
        for hit in sorted(hits, key=lambda hit: (hit.time_s, hit.player, hit.limb))
    )
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write hits to {path}: {exc.strerror}; choose another place") from exc


def _object(hit: HitRecord) -> dict[str, Any]:
    values = {name: getattr(hit, name) for name in HitRecord.__slots__}
    return {
        name: round(value, _DECIMALS) if name in _NUMBERS else value
        for name, value in values.items()
        if value is not None
    }


def read_hits(path: Path | str) -> tuple[HitRecord, ...]:
    """Read a hits or truth file, sorted by time; keys of other programs are ignored.

    Raises UsageError with file and line when a line is not an object with a finite `time_s` and a `limb`,
    or another known field has a value out of range.
    """
    try:
        text = read_regular(Path(path), MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read hits from {path}: {reason}; give a .jsonl file of hits") from exc
    records = [
        _record(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]
    return tuple(sorted(records, key=lambda hit: hit.time_s))


def _record(where: str, line: str) -> HitRecord:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as exc:  # RecursionError: thousands of brackets
        raise UsageError(
            f"{where}: not JSON ({str(exc)[:80]}); every line is one object such as "
            '{"time_s": 1.25, "limb": "right_wrist"}'
        ) from exc
    return hit_of(where, values)


def hit_of(where: str, values: object) -> HitRecord:
    """Return the hit that a JSON object is; keys of other programs are ignored. Raises UsageError, naming `where`."""
    if not isinstance(values, dict):
        raise UsageError(f"{where}: is not a JSON object; a hit has at least time_s and limb")
    for key in ("time_s", "limb"):
        if values.get(key) is None:
            raise UsageError(
                f"{where}: {key} is missing; a hit needs time_s and limb{did_you_mean(key, set(values) - {key})}"
            )
    known = {name: values[name] for name in HitRecord.__slots__ if values.get(name) is not None}
    for name, value in known.items():
        _check(where, name, value)
    return HitRecord(**known)


def _check(where: str, name: str, value: object) -> None:
    if name in ("limb", "pad"):
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where}: {name} is {value!r}; it must be a name")
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < MOST_SECONDS:
        raise UsageError(f"{where}: {name} is {repr(value)[:40]}; it must be a finite number")
    if name in _WHOLE:
        low, high = _WHOLE[name]
        if not isinstance(value, int) or not low <= value <= high:
            raise UsageError(f"{where}: {name} is {value!r}; allowed are whole numbers {low}..{high}")
