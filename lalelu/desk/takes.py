"""Poses and frames from the rings, as the lines of a take. Pure but for the rings."""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, Final

from lalelu.channel import RingReader
from lalelu.desk.drain import BATCH_ROWS, Progress
from lalelu.ledger.layout import VIA, offset_in_frame
from lalelu.session import POSE_HEAD
from lalelu.takes.recording import VERSION

SKELETON: Final = "coco17"  # where the engine names none
_DECIMALS: Final = 5  # of image heights: far below a pixel

_FRAME: Final = struct.Struct("<qq")  # seq, captured_ns
_PLAYERS_AT: Final = offset_in_frame("players")


class TakeLines:
    """A line a frame. The players of one frame share a line; a frame without players has one of its own.

    `header` is what is known of the recording: source, fps, width, height, and perhaps more. A frame's poses are in
    their ring before its row is. A frame whose poses were overwritten has no line: it would say that nobody was seen.
    """

    def __init__(self, frames: RingReader, poses: RingReader, header: Mapping[str, Any]) -> None:
        self._frames = frames
        self._poses = poses
        self._header = {"lalelu_take": VERSION, "skeleton": SKELETON, **header}

    def read(self, done: Progress) -> tuple[bytes, Progress]:
        """Return the next frames' lines, after the header in a file that is empty."""
        lines = [] if done.size else [json.dumps(self._header, ensure_ascii=False)]
        cursors, lost = dict(done.cursors), dict(done.lost)
        batch = self._frames.read(cursors.get("frames", 0), BATCH_ROWS)
        cursors["frames"] = batch.next
        missing = batch.lost
        if batch.records:
            last_ns = max(_FRAME.unpack_from(row)[1] for row in batch.records)
            players, cursors["poses"] = self._players(cursors.get("poses", 0), last_ns)
            for row in batch.records:
                seq, captured_ns = _FRAME.unpack_from(row)
                seen = players.get(captured_ns, [])
                if len(seen) < row[_PLAYERS_AT]:
                    missing += 1
                    continue
                line = {"seq": seq, "captured_ns": captured_ns, "players": seen}
                lines.append(json.dumps(line, separators=(",", ":"), allow_nan=False))
        lost["take"] = lost.get("take", 0) + missing
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        return data, Progress(done.size + len(data), cursors, lost)

    def wrote(self) -> None:
        """Nothing is kept here."""

    def _players(self, start: int, last_ns: int) -> tuple[dict[int, list[dict[str, Any]]], int]:
        """Return the players of frames up to `last_ns` by their frames' stamps, and the pose to go on with."""
        players: dict[int, list[dict[str, Any]]] = {}
        while True:
            batch = self._poses.read(start, BATCH_ROWS)
            for place, record in enumerate(batch.records):
                captured_ns = POSE_HEAD.unpack_from(record)[1]
                if captured_ns > last_ns:  # its frame has no row yet
                    return players, batch.next - len(batch.records) + place
                players.setdefault(captured_ns, []).append(_player(record))
            start = batch.next
            if not batch.records:
                return players, start


def _player(record: bytes) -> dict[str, Any]:
    """Return one player of a line; what is not finite becomes an unknown keypoint."""
    _, _, player, via, count = POSE_HEAD.unpack_from(record)
    flat = struct.unpack_from(f"<{2 * count}f", record, POSE_HEAD.size)
    score = struct.unpack_from(f"<{count}f", record, POSE_HEAD.size + 8 * count)
    points = list(zip(flat[::2], flat[1::2], score, strict=True))
    known = [all(map(math.isfinite, point)) for point in points]
    return {
        "player": player,
        "via": VIA[via],
        "xy": [
            [round(x, _DECIMALS), round(y, _DECIMALS)] if ok else [0.0, 0.0]
            for (x, y, _), ok in zip(points, known, strict=True)
        ],
        "score": [round(s, _DECIMALS) if ok else 0.0 for (_, _, s), ok in zip(points, known, strict=True)],
    }
