"""Another configuration taken over by the engine between two frames, in slices. Maps files, asks the time.

Reading and making the new kits is cut into steps of some microseconds; after each frame as many are taken as fit into
SLICE_NS. The last one exchanges references. What was played with before is freed in steps, too: the garbage collector
rests while the engine plays.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from typing import Final, TypeAlias

from lalelu.bulletin import Bulletin
from lalelu.clock import now_ns
from lalelu.errors import LaleluError
from lalelu.gesture.band import Band
from lalelu.offer import OfferReader, Performance
from lalelu.types import Frame
from lalelu.wire import EngineRings, Numbering

SLICE_NS: Final = 30_000  # of each frame; the step that is begun then takes as long again at most

_Ready: TypeAlias = tuple[Performance, Band | None, Numbering | None]


class Renewal:
    """Reads what the desk offers, and has a band and its rings change over.

    `record` gets the kind and the text of an event for the ledger.
    """

    def __init__(
        self,
        offers: OfferReader,
        rings: EngineRings,
        skeleton: Sequence[str],
        board: Bulletin,
        record: Callable[[str, str], None],
    ) -> None:
        self._offers = offers
        self._rings = rings
        self._skeleton = skeleton
        self._board = board
        self._record = record
        self._first = -1  # record of what is taken over
        self._making: Generator[Band | None, None, _Ready] | None = None
        self._unfinished: Band | None = None  # what there is of it
        self._ready: _Ready | None = None
        self._news: dict[str, int] = {}  # for the board
        self._freeing: Iterator[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is something to do after this frame."""
        return bool(self._making or self._ready or self._news or self._freeing)

    def begin(self, first: int, band: Band) -> None:
        """Take over what is offered from record `first` on; another offer that was being taken over is given up."""
        if first == self._first:  # asked for once more
            return
        self._give_up()
        self._first, self._making = first, self._make(first, band)

    def step(self, band: Band, frame: Frame) -> list[str] | None:
        """Go on for a slice after `frame`; return the names of the kits when these are others from now on."""
        if self._ready is not None:  # a frame's slice of its own
            return self._change(band, frame, *self._ready)
        if self._news:  # and so has this
            self._board.tell(kit=band.kit_name(0), kits=band.playing, **self._news)
            self._record("config", f"epoch {self._news['epoch']} plays")
            self._news = {}
            return None
        until_ns = now_ns() + SLICE_NS
        try:
            while True:  # one step at least, however late it is
                if self._freeing is not None:
                    next(self._freeing)
                elif self._making is not None:
                    self._unfinished = next(self._making)
                if now_ns() >= until_ns:
                    return None
        except StopIteration as exc:
            if self._freeing is not None:
                self._freeing = None
            else:
                self._making, self._ready = None, exc.value
        except (LaleluError, ValueError, LookupError, TypeError) as exc:  # the desk has let something through
            self._give_up()
            self._board.tell(refused=[self._first, str(exc)])
        return None

    def _give_up(self) -> None:
        self._making = self._ready = None
        if self._unfinished is not None:
            self._free(self._unfinished)

    def _free(self, band: Band) -> None:
        """Have a band that nobody plays any more freed in steps."""
        self._freeing = chain(self._freeing or (), band.dismantle())
        self._unfinished = None

    def _make(self, first: int, band: Band) -> Generator[Band | None, None, _Ready]:
        wanted = yield from self._offers.performance(first)
        if not wanted.kits:
            return wanted, None, None
        fresh = yield from band.renewed(
            wanted.kits,
            player_kits=wanted.player_kits,
            left_handed=wanted.left_handed,
            lead_ms=wanted.lead_ms,
            chokes=wanted.choke,
        )
        yield fresh
        return wanted, fresh, Numbering(self._skeleton, wanted.kits)

    def _change(
        self, band: Band, frame: Frame, wanted: Performance, fresh: Band | None, numbers: Numbering | None
    ) -> list[str] | None:
        self._ready = None
        if fresh is not None:
            ended = band.pause(frame.seq, frame.captured_ns)
            if ended:
                self._rings.send(ended)  # by the old numbers
            band.become(fresh)
            self._free(fresh)
        self._rings.renew(wanted.epoch, numbers)
        self._news = {"epoch": wanted.epoch, "epoch_from_ns": frame.captured_ns + 1}
        return [kit.name for kit in wanted.kits] or None
