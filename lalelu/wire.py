"""What the processes of one instrument write into their rings, packed and unpacked. Maps files."""

import os
import struct
import time
from collections.abc import Sequence
from typing import Final

from lalelu.channel import RingWriter
from lalelu.config.kit import KitConfig
from lalelu.ledger.schema import EVENT, FRAME, NOTE, VIA, fixed_text
from lalelu.performance import Numbers, limb_names
from lalelu.session import (
    CONTROL,
    EPOCH,
    FINISH,
    HIT,
    PLAY,
    POSE_HEAD,
    RELEASE,
    SILENCE,
    TAP,
    Session,
)
from lalelu.types import Control, Event, Hit, Pose, Release
from lalelu.voice.voice import NoteSent, Strike

TEXT_BYTES: Final = 96  # of an event
_EPOCH_AT: Final = HIT.size - 2
_COMMANDS: Final = {"standby": SILENCE, "tap": TAP}  # the others are nothing to the voice


class EventRing:
    """One process's events: what happened beside frames and notes."""

    def __init__(self, session: Session, writer: str) -> None:
        self._ring = RingWriter(session / f"events.{writer}")

    def write(self, kind: str, text: str) -> None:
        """Record that something happened now; `kind` up to 24 ASCII characters, `text` up to 96 bytes."""
        ascii_kind = kind.encode("ascii", "replace")
        self._ring.write(EVENT.pack(time.monotonic_ns(), ascii_kind, fixed_text(text, TEXT_BYTES)))


class Numbering:
    """The numbers by which records call the kits' pads, controls and limbs, by name; see NOTE_DTYPE."""

    def __init__(self, skeleton: Sequence[str], kits: Sequence[KitConfig]) -> None:
        numbers = Numbers(kits)
        self.pads, self.controls = numbers.pads, numbers.controls
        self.limbs = {name: number for number, name in enumerate(limb_names(skeleton, kits), 1)}


class EngineRings:
    """The engine's side: events to the voice, and a row a frame. Nothing here waits, and nothing touches a disk.

    `bell` is the eventfd that wakes the voice. Poses are kept where `keeps_poses`. A row with a number too
    large for its field is not written but counted.
    """

    def __init__(
        self,
        session: Session,
        bell: int,
        *,
        kits: Sequence[KitConfig],
        skeleton: Sequence[str],
        keeps_poses: bool,
    ) -> None:
        self._frames = RingWriter(session / "frames")
        self._hits = RingWriter(session / "hits")
        self._poses = RingWriter(session / "poses") if keeps_poses else None
        self._bell = bell
        self._numbers = Numbering(skeleton, kits)
        self._epoch = 0
        self._keypoints = len(skeleton)
        self._frame = bytearray(FRAME.size)
        self._pose = bytearray(0 if self._poses is None else self._poses.record_bytes)
        self.unwritten = 0  # rows that held a number too large for its field

    def send(self, events: Sequence[Event]) -> None:
        """Hand events to the voice and wake it, once; a limb that has no number is told as 0."""
        before = self._hits.head
        for event in events:
            try:
                record = self._packed(event)
            except struct.error:
                self.unwritten += 1
                continue
            if record is not None:
                self._hits.write(record)
        if self._hits.head != before:
            os.eventfd_write(self._bell, 1)

    def silence(self) -> None:
        """Have every note ended now."""
        self._tell(SILENCE)

    def renew(self, epoch: int, numbers: Numbering | None) -> None:
        """Have everything from here on told in this epoch of the configuration; None = by the same numbers."""
        self._epoch = epoch & 0xFF
        self._numbers = numbers or self._numbers
        self._tell(EPOCH)

    def finish(self) -> None:
        """Have everything that is due sounded to its end; no hit follows."""
        self._tell(FINISH)

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
        via: int,
        usage: Sequence[int],
    ) -> None:
        """Write one frame's row (see FRAME_DTYPE; `usage`: what ThreadUsage tells), after its poses."""
        try:
            FRAME.pack_into(
                self._frame, 0,
                seq, captured_ns, arrived_ns, decoded_ns, prepared_ns, inferred_ns, posed_ns, detected_ns,
                sent_ns, skipped, hits, players, via, *usage,
            )  # fmt: skip
        except struct.error:
            self.unwritten += 1
            return
        self._frames.write(self._frame)

    def pose(self, pose: Pose) -> None:
        """Write one player's keypoints, before the frame's row; does nothing when none are kept."""
        if self._poses is None:
            return
        via = VIA.index(pose.via)
        try:
            POSE_HEAD.pack_into(self._pose, 0, pose.seq, pose.captured_ns, pose.player, via, self._keypoints)
        except struct.error:
            self.unwritten += 1
            return
        middle = POSE_HEAD.size + self._keypoints * 8
        self._pose[POSE_HEAD.size : middle] = pose.xy.astype("<f4").tobytes()
        self._pose[middle : middle + self._keypoints * 4] = pose.score.astype("<f4").tobytes()
        self._poses.write(self._pose)

    def _packed(self, event: Event) -> bytes | None:
        """Return an event as the voice reads it; None where it is nothing to the voice."""
        at_ns, strength, limb, number = 0, 0.0, 0, 0
        if isinstance(event, Hit):
            kind, at_ns, strength = PLAY, event.struck_ns, event.strength
            limb, number = self._numbers.limbs.get(event.limb, 0), self._numbers.pads[event.kit, event.pad]
        elif isinstance(event, Control):
            kind, strength = CONTROL, event.value
            number = self._numbers.controls[event.kit, event.target]
        elif isinstance(event, Release):
            kind, at_ns = RELEASE, event.at_ns
            number = self._numbers.pads[event.kit, event.pad]
        elif event.name in _COMMANDS:
            kind, at_ns = _COMMANDS[event.name], event.at_ns
        else:
            return None
        return HIT.pack(
            event.seq, event.captured_ns, at_ns, strength, kind, event.player, limb, number, self._epoch
        )

    def _tell(self, kind: int) -> None:
        self._hits.write(HIT.pack(0, 0, 0, 0.0, kind, 0, 0, 0, self._epoch))
        os.eventfd_write(self._bell, 1)


def note_row(note: NoteSent) -> bytes:
    """Return a note's row (see NOTE_DTYPE)."""
    strike = note.strike
    return NOTE.pack(
        strike.seq, strike.captured_ns, strike.struck_ns, note.due_ns, note.woken_ns, note.sent_ns,
        strike.player, note.channel, note.note, note.velocity, note.late, strike.limb, strike.pad,
    )  # fmt: skip


def read_hit(record: bytes) -> tuple[int, Strike]:
    """Return the kind of what the engine told the voice, and its numbers (see HIT) as those of a hit."""
    seq, captured_ns, struck_ns, strength, kind, player, limb, pad, _ = HIT.unpack(record)
    return kind, Strike(seq, captured_ns, struck_ns, strength, player, limb, pad)


def epoch_of(record: bytes) -> int:
    """Return the epoch, modulo 256, in which the engine told it."""
    return record[_EPOCH_AT]
