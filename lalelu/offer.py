"""A new configuration on its way from the desk to engine and voice: small pieces in a ring, read in steps. Maps files.

The loop must not stand still while kits are read, so a piece is no more than a pad, a gesture, or a part of a learned
detector, and whoever reads takes a few between two frames. The desk has validated the whole; here only each piece is
checked again.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter

from lalelu.channel import RingReader, RingWriter
from lalelu.config.gestures import Gesture
from lalelu.config.kit import KitConfig, LearnedSection, PadSection, StrikeSection
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.session import PIECE, PIECE_BYTES, PIECES, Session

RING: Final = "offer"
# Kinds of pieces. BEGIN: the options, and how many pieces follow. KIT: a kit without what the next three bring. PAD and
# GESTURE: the next of that kit. TREES: more of its learned detector. ERROR: no configuration, but a note that says so.
BEGIN, KIT, PAD, GESTURE, TREES, ERROR = range(6)
_MOST_BYTES: Final = PIECE_BYTES - PIECE.size
_MOST_TREES: Final = _MOST_BYTES - len(b'""')  # base64 is as long as JSON, but for its quotes
_PAD: Final = TypeAdapter(tuple[str, PadSection])  # by name
_GESTURE: Final[TypeAdapter[tuple[str, Any]]] = TypeAdapter(tuple[str, Gesture])

Steps: TypeAlias = Generator[None, None, "Performance"]


@dataclass(frozen=True, slots=True)
class Performance:
    """All that may change while playing."""

    epoch: int
    kits: tuple[KitConfig, ...]  # none: those that are played stay, and with them all but `delay_ms`
    player_kits: Mapping[int, int]  # by player, as Config has it
    left_handed: bool
    lead_ms: float
    choke: bool
    channels: tuple[int | None, ...]
    delay_ms: float | None  # None = auto

    @classmethod
    def of(cls, epoch: int, config: Config, kits: tuple[KitConfig, ...]) -> "Performance":
        """Return what `config` says of it."""
        timing = config.timing
        return cls(
            epoch,
            kits,
            config.player_kits,
            config.left_handed,
            timing.lead_ms,
            timing.choke,
            config.player.channels or (),
            None if timing.delay_ms == "auto" else timing.delay_ms,
        )


def pieces(performance: Performance) -> list[bytes]:
    """Return the records of a performance. Raises UsageError where one is too large, or all are too many."""
    parts = [part for kit in performance.kits for part in _parts(kit)]
    options = {
        "pieces": len(parts),
        "player_kits": {str(player): kit for player, kit in performance.player_kits.items()},
        "left_handed": performance.left_handed,
        "lead_ms": performance.lead_ms,
        "choke": performance.choke,
        "channels": performance.channels,
        "delay_ms": performance.delay_ms,
    }
    if len(parts) >= PIECES // 2:  # so that the ring also holds the one before
        raise UsageError(
            f"the kits have {len(parts)} pads, gestures and parts of learned detectors; while playing up to "
            f"{PIECES // 2 - 1} can be taken over: use fewer kits, or start lalelu again"
        )
    whole = [("the options", BEGIN, options), *parts]
    return [_packed(performance.epoch, name, kind, data) for name, kind, data in whole]


def _parts(kit: KitConfig) -> Iterator[tuple[str, int, Any]]:
    plain = kit.model_dump(mode="json", exclude_defaults=True)
    pads, gestures = plain.pop("pads"), plain.pop("gestures", {})
    plain.pop("description", None)  # for people
    trees = plain.get("learned", {}).pop("trees", "")
    yield f"kit {kit.name!r}", KIT, plain
    for name, pad in pads.items():
        yield f"kit {kit.name!r}: pads.{name}", PAD, [name, pad]
    for name, gesture in gestures.items():
        yield f"kit {kit.name!r}: gestures.{name}", GESTURE, [name, gesture]
    for start in range(0, len(trees), _MOST_TREES):
        yield f"kit {kit.name!r}: learned", TREES, trees[start : start + _MOST_TREES]


def _packed(epoch: int, name: str, kind: int, data: Any) -> bytes:  # noqa: ANN401 - plain JSON values
    text = json.dumps(data, separators=(",", ":")).encode()
    if len(text) > _MOST_BYTES:
        raise UsageError(
            f"{name} is {len(text)} bytes long as JSON; while playing up to {_MOST_BYTES} can be taken over: "
            "make it smaller, or start lalelu again"
        )
    return (PIECE.pack(epoch, len(text), kind) + text).ljust(PIECE_BYTES, b"\0")


class OfferWriter:
    """The one writer of a session's offers."""

    def __init__(self, session: Session) -> None:
        self._ring = RingWriter(session / RING)

    def write(self, records: list[bytes]) -> int:
        """Put a performance's records into the ring; return the number of the first."""
        first = self._ring.head
        for record in records:
            self._ring.write(record)
        return first

    def complain(self, channel: int, note: int) -> None:
        """Have the voice play a note that says that a file cannot be used."""
        self._ring.write(_packed(0, "the note", ERROR, [channel, note]))


class OfferReader:
    """Reads what is offered; maps the ring before the playing begins."""

    def __init__(self, session: Session) -> None:
        self._ring = RingReader(session / RING)
        self.next = self._ring.head

    @property
    def pending(self) -> bool:
        """Whether something has come since `next`."""
        return self._ring.head != self.next

    def step(self) -> tuple[int, int, bytes] | None:
        """Return epoch, kind and JSON of the record `next` and go on; None where it has been overwritten."""
        batch = self._ring.read(self.next, 1)
        self.next = batch.next
        if not batch.records:
            return None
        epoch, length, kind = PIECE.unpack_from(batch.records[0])
        return epoch, kind, batch.records[0][PIECE.size : PIECE.size + length]

    def performance(self, first: int) -> Steps:
        """Read the performance that begins with record `first`, a piece a step.

        Raises UsageError where it is not whole, and ValueError for a piece that is none.
        """
        self.next = first
        begun = self.step()
        if begun is None or begun[1] != BEGIN:
            raise UsageError(f"record {first} of the offers is no beginning; save the file once more")
        return (yield from self.rest(begun[0], begun[2]))

    def rest(self, epoch: int, begun: bytes) -> Steps:
        """Read what follows a BEGIN with these options, as `performance` does."""
        options = json.loads(begun)
        kits: list[KitConfig] = []
        for _ in range(options["pieces"]):
            yield
            while not self.pending:
                yield
            piece = self.step()
            if piece is None or piece[0] != epoch:
                raise UsageError(f"epoch {epoch} is not whole; save the file once more")
            _take(kits, *piece[1:])
        yield
        return Performance(
            epoch,
            tuple(kits),
            {int(player): kit for player, kit in options["player_kits"].items()},
            options["left_handed"],
            options["lead_ms"],
            options["choke"],
            tuple(options["channels"]),
            options["delay_ms"],
        )


def _take(kits: list[KitConfig], kind: int, text: bytes) -> None:
    """Add a piece to the kits."""
    if kind == KIT:
        data = json.loads(text)
        if "strike" in data:
            data["strike"] = StrikeSection.model_validate(data["strike"])
        if "learned" in data:
            data["learned"] = LearnedSection.model_validate(data["learned"])
        kits.append(KitConfig.model_construct(**data, pads={}, gestures={}))
    elif kind == PAD:
        name, pad = _PAD.validate_json(text)
        kits[-1].pads[name] = pad
    elif kind == GESTURE:
        name, gesture = _GESTURE.validate_json(text)
        kits[-1].gestures[name] = gesture
    elif kind == TREES and kits[-1].learned is not None:
        learned = kits[-1].learned
        more = {"trees": (learned.trees or "") + json.loads(text)}
        kits[-1] = kits[-1].model_copy(update={"learned": learned.model_copy(update=more)})
    else:
        raise UsageError(f"a piece of kind {kind} is no part of a kit; save the file once more")
