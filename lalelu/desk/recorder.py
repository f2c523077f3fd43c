"""Record rows and poses without a file in the engine: a child process drains a pipe to disk.

Starts a process (the engine's side) and writes files (the child's side, `python -m lalelu.desk.recorder`).
"""

import contextlib
import fcntl
import json
import math
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from lalelu.errors import UsageError
from lalelu.ledger.files import create_ledger, write_header
from lalelu.ledger.schema import (
    EVENT_KIND,
    EVENT_WIRE,
    FRAME_KIND,
    FRAME_WIRE,
    HEADER,
    NOTE_KIND,
    NOTE_WIRE,
    POSE_KIND,
    POSE_WIRE_HEAD,
    RECORDS,
    VIA,
    fixed_text,
    pose_wire_size,
)
from lalelu.take import pack
from lalelu.types import Pose

if TYPE_CHECKING:  # the child needs nothing of the voice
    from lalelu.voice.voice import NoteSent

PIPE_BYTES: Final = 1 << 20  # what an unprivileged process may ask for; about two minutes of rows
CLOSE_WAIT_S: Final = 60.0  # packing an hour's take takes some ten seconds
# a Ctrl-C or a service's stop reaches the child too, but rows still follow until the engine is done
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Recorder:
    """The engine's side: rows go into a pipe, never to a file, and nothing here ever waits for the child.

    `header` is the ledger's (see ledger.files.new_header); `take_header` the rest of the take's first line
    (source, fps, width, height, model). Without a ledger and a take every call does nothing.
    """

    def __init__(
        self,
        ledger_dir: Path | None,
        take: Path | None,
        header: Mapping[str, Any],
        *,
        skeleton: Sequence[str],
        skeleton_name: str = "coco17",
        take_header: Mapping[str, Any] | None = None,
    ) -> None:
        self.overruns = 0  # records lost: the pipe was full or the child had gone
        self.problem = ""  # after close(): one sentence when the child did not finish well
        self._ledger_dir = ledger_dir
        self._take = take
        self._header = header
        self._take_header = {"lalelu_take": 1, **(take_header or {}), "skeleton": skeleton_name}
        self._keypoints = len(skeleton)
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._frame = bytearray(FRAME_WIRE.size)
        self._note = bytearray(NOTE_WIRE.size)

    def open(self) -> None:
        """Create the files and start the child. Call it before the caller is pinned or made real-time.

        Raises UsageError when the ledger or the take cannot be written.
        """
        if self._ledger_dir is None and self._take is None:
            return
        arguments = [sys.executable, "-m", "lalelu.desk.recorder", "--keypoints", str(self._keypoints)]
        if self._ledger_dir is not None:
            create_ledger(self._ledger_dir, self._header)
            arguments += ["--ledger", str(self._ledger_dir)]
        if self._take is not None:
            _create_take(self._take, self._take_header)
            arguments += ["--take", str(self._take)]
        reading, self._pipe = os.pipe()
        if sys.platform.startswith("linux"):  # only it lets a pipe grow
            with contextlib.suppress(OSError):  # a smaller pipe holds fewer rows, and overruns are counted
                fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._pipe, False)
        # the child inherits the mask, so that no signal can end it before it has learnt to ignore them
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
        try:
            self._child = subprocess.Popen(arguments, stdin=reading, stdout=subprocess.DEVNULL)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(reading)

    def amend(self, changes: Mapping[str, Any]) -> None:
        """Put what became known after `open()` into the ledger's header. Writes a file: not for the loop."""
        if self._ledger_dir is None:
            return
        try:
            header = json.loads((self._ledger_dir / HEADER).read_bytes())
            write_header(self._ledger_dir, {**header, **changes})
        except (OSError, ValueError) as exc:  # the rows matter more than their header
            self.event("header not amended", str(exc))

    def frame(
        self,
        seq: int,
        captured_ns: int,
        arrived_ns: int,
        decoded_ns: int,
        prepared_ns: int,
        inferred_ns: int,
        posed_ns: int,
        detected_ns: int,
        sent_ns: int,
        skipped: int,
        hits: int,
        players: int,
        via: int = 0,
    ) -> None:
        """Record one frame's row (see FRAME_DTYPE), before or after its poses. Never blocks, never raises."""
        try:
            FRAME_WIRE.pack_into(
                self._frame, 0, FRAME_KIND,
                seq, captured_ns, arrived_ns, decoded_ns, prepared_ns, inferred_ns, posed_ns, detected_ns,
                sent_ns, skipped, hits, players, via,
            )  # fmt: skip
        except struct.error:  # a number that its field cannot hold
            self.overruns += 1
            return
        self._write(self._frame)

    def note(self, note: "NoteSent") -> None:
        """Record one sent note (see NOTE_DTYPE). Never blocks, never raises."""
        try:
            NOTE_WIRE.pack_into(
                self._note, 0, NOTE_KIND,
                note.seq, note.captured_ns, note.struck_ns, note.due_ns, 0, note.sent_ns,
                note.player, note.channel, note.note, note.velocity, note.late,
            )  # fmt: skip
        except struct.error:
            self.overruns += 1
            return
        self._write(self._note)

    def event(self, kind: str, text: str) -> None:
        """Record that something happened now: `kind` at most 24 ASCII characters, `text` 96 bytes."""
        ascii_kind = kind.encode("ascii", "replace")
        self._write(EVENT_WIRE.pack(EVENT_KIND, time.monotonic_ns(), ascii_kind, fixed_text(text, 96)))

    def pose(self, pose: Pose) -> None:
        """Record one player's keypoints; does nothing when no take was asked for."""
        if self._take is None:
            return
        if pose.xy.shape != (self._keypoints, 2) or pose.score.shape != (self._keypoints,):
            self.overruns += 1
            return
        try:
            head = POSE_WIRE_HEAD.pack(
                POSE_KIND, pose.seq, pose.captured_ns, pose.player, VIA.index(pose.via), self._keypoints
            )
        except struct.error:
            self.overruns += 1
            return
        self._write(head + pose.xy.astype("<f4").tobytes() + pose.score.astype("<f4").tobytes())

    def close(self) -> None:
        """Let the child write what is left, and wait for it; safe to call twice and before `open()`."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._child is None:
            return
        child, self._child = self._child, None
        try:
            code = child.wait(CLOSE_WAIT_S)
        except subprocess.TimeoutExpired:
            self.problem = f"the recorder is still writing after {CLOSE_WAIT_S:.0f} s; left to finish alone"
            return
        if code != 0:
            self.problem = f"the recorder ended with status {code}; the end of the recording may be missing"
        self.amend({"overruns": self.overruns})  # only this side knows what never reached the child

    def _write(self, record: bytes | bytearray) -> None:
        if self._pipe < 0:
            return
        try:
            os.write(self._pipe, record)  # up to PIPE_BUF bytes go whole or not at all
        except OSError:  # full (BlockingIOError) or nobody there (BrokenPipeError)
            self.overruns += 1


def _recorded_at(take: Path) -> Path:
    """Return where a take lies while it is recorded: without the `.gz` it gets at the end."""
    return take.with_suffix("") if take.suffix == ".gz" else take


def _create_take(take: Path, header: Mapping[str, Any]) -> None:
    try:
        take.parent.mkdir(parents=True, exist_ok=True)
        _recorded_at(take).write_text(json.dumps(header, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as exc:
        raise UsageError(
            f"the take {take} cannot be written ({exc.strerror}); choose a file you may write"
        ) from exc


class _TakeLines:
    """Poses to take lines: the players of one frame share a line, a frame without players keeps its own."""

    def __init__(self, file: IO[bytes], keypoints: int) -> None:
        self._file = file
        self._xy = struct.Struct(f"<{2 * keypoints}f")
        self._score = struct.Struct(f"<{keypoints}f")
        self._line: dict[str, Any] | None = None

    def frame(self, seq: int, captured_ns: int) -> list[dict[str, Any]]:
        """Begin the line of frame `seq`, unless it is begun, and return its players."""
        if self._line is None or self._line["seq"] != seq:
            self.finish()
            self._line = {"seq": seq, "captured_ns": captured_ns, "players": []}
        players: list[dict[str, Any]] = self._line["players"]
        return players

    def pose(self, record: bytes) -> None:
        _, seq, captured_ns, player, via, _ = POSE_WIRE_HEAD.unpack_from(record)
        flat = self._xy.unpack_from(record, POSE_WIRE_HEAD.size)
        score = self._score.unpack_from(record, POSE_WIRE_HEAD.size + self._xy.size)
        points = list(zip(flat[::2], flat[1::2], strict=True))
        known = [all(map(math.isfinite, (*xy, s))) for xy, s in zip(points, score, strict=True)]
        self.frame(seq, captured_ns).append(
            {
                "player": player,
                "via": VIA[via],
                "xy": [
                    [round(x, 5), round(y, 5)] if ok else [0.0, 0.0]
                    for (x, y), ok in zip(points, known, strict=True)
                ],
                "score": [round(s, 5) if ok else 0.0 for s, ok in zip(score, known, strict=True)],
            }
        )

    def finish(self) -> None:
        """Write the line in hand, if any."""
        if self._line is not None:
            self._file.write(json.dumps(self._line, separators=(",", ":"), allow_nan=False).encode() + b"\n")
            self._line = None


class _Drain:
    """What the child does with each kind of record."""

    def __init__(self, ledger_dir: Path | None, take: Path | None, keypoints: int) -> None:
        self.counts = dict.fromkeys(RECORDS, 0)
        self.first_captured_ns: int | None = None
        self._ledger_dir = ledger_dir
        self._take = take
        self._keypoints = keypoints
        self._files: dict[str, IO[bytes]] = {}
        self._lines: _TakeLines | None = None

    def run(self, source: int) -> None:
        """Write all that comes through the file descriptor `source` until its end. Raises OSError."""
        with contextlib.ExitStack() as stack:
            if self._ledger_dir is not None:
                for name in RECORDS:
                    self._files[name] = stack.enter_context((self._ledger_dir / name).open("ab"))
            if self._take is not None:
                take = stack.enter_context(_recorded_at(self._take).open("ab"))
                self._lines = _TakeLines(take, self._keypoints)
            self._copy(source)
            if self._lines is not None:
                self._lines.finish()
        if self._ledger_dir is not None:
            header = json.loads((self._ledger_dir / HEADER).read_bytes())
            ending = {"first_captured_ns": self.first_captured_ns, "closed": True, "counts": self.counts}
            write_header(self._ledger_dir, {**header, **ending})
        if self._take is not None and self._take.suffix == ".gz":
            pack(_recorded_at(self._take), self._take)

    def _copy(self, source: int) -> None:
        kinds: dict[int, tuple[int, Callable[[bytes], None]]] = {
            FRAME_KIND[0]: (FRAME_WIRE.size, self._on_frame),
            NOTE_KIND[0]: (NOTE_WIRE.size, partial(self._keep, "notes")),
            EVENT_KIND[0]: (EVENT_WIRE.size, partial(self._keep, "events")),
            POSE_KIND[0]: (pose_wire_size(self._keypoints), self._on_pose),
        }
        rest = b""
        while chunk := os.read(source, PIPE_BYTES):
            rest = _consume(rest + chunk, kinds)
            for file in self._files.values():  # what a batch brought is on its way before the next wait
                file.flush()

    def _keep(self, name: str, record: bytes) -> None:
        self.counts[name] += 1
        if name in self._files:
            self._files[name].write(record[1:])

    def _on_frame(self, record: bytes) -> None:
        seq, captured_ns = struct.unpack_from("<qq", record, 1)
        if self.first_captured_ns is None:
            self.first_captured_ns = captured_ns
        self._keep("frames", record)
        if self._lines is not None:
            self._lines.frame(seq, captured_ns)

    def _on_pose(self, record: bytes) -> None:
        if self._lines is not None:
            self._lines.pose(record)


def _consume(data: bytes, kinds: Mapping[int, tuple[int, Callable[[bytes], None]]]) -> bytes:
    """Hand over every whole record in `data` and return the rest."""
    at = 0
    while at < len(data):
        size, handle = kinds[data[at]]
        if at + size > len(data):
            break
        handle(data[at : at + size])
        at += size
    return data[at:]


def main(arguments: Sequence[str]) -> int:
    """Run the child: drain standard input to the files named on the command line."""
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING_SIGNALS)
    named = dict(zip(arguments[::2], arguments[1::2], strict=True))
    ledger_dir = Path(named["--ledger"]) if "--ledger" in named else None
    take = Path(named["--take"]) if "--take" in named else None
    try:
        _Drain(ledger_dir, take, int(named["--keypoints"])).run(0)
    except OSError as exc:
        print(
            f"recorder: {exc.filename or 'the recording'}: {exc.strerror}; recording stopped", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
