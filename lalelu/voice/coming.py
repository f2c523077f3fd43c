"""Another configuration made ready by the voice while it plays, and taken up with the engine. Maps files.

The voice may share the engine's core, above its priority: like the engine it takes its time in slices.
"""

import json
from collections.abc import Callable, Generator
from typing import Final, TypeAlias

from lalelu.clock import now_ns
from lalelu.errors import LaleluError, UsageError
from lalelu.offer import BEGIN, ERROR, OfferReader, Performance
from lalelu.session import Session
from lalelu.voice.repertoire import Repertoire
from lalelu.voice.voice import Voice

SLICE_NS: Final = 30_000  # of work ...
STEP_NS: Final = 2_000_000  # ... between pauses of so long
CLEAR_NS: Final = 1_000_000  # no slice where something falls due so soon

_Ready: TypeAlias = tuple[Performance, Repertoire | None]


class Coming:
    """Reads what the desk offers; `epoch` is the configuration's that `voice` plays."""

    def __init__(
        self, session: Session, voice: Voice, epoch: int, tell: Callable[..., None] | None = None
    ) -> None:
        self.epoch = epoch
        self.unknown: int | None = None
        self._session = session
        self._voice = voice
        self._tell = tell
        self._offers = OfferReader(session)
        self._making: Generator[None, None, _Ready] | None = None
        self._ready: _Ready | None = None

    @property
    def busy(self) -> bool:
        """Whether there is something to be made ready."""
        return self._making is not None or self._offers.pending

    def step(self) -> None:
        """Go on for a slice, unless something is about to fall due."""
        at_ns = now_ns()
        due_ns = self._voice.next_due_ns
        if not self.busy or (due_ns is not None and due_ns < at_ns + CLEAR_NS):
            return
        try:
            while self.busy:  # one step at least, however late it is
                if self._making is None:
                    self._begin()
                else:
                    next(self._making)
                if now_ns() >= at_ns + SLICE_NS:
                    return
        except StopIteration as exc:
            self._making, self._ready = None, exc.value
            if self._tell is not None:
                self._tell(prepared=exc.value[0].epoch)
        except (LaleluError, ValueError, LookupError, TypeError):
            self._making = None  # the desk offers it again as long as nobody is ready for it

    def change(self, told: int) -> Performance | None:
        """Have the voice play what the engine plays in this epoch (modulo 256); None where nobody knows that any more.

        `unknown` is then that epoch.
        """
        ready = self._ready
        if ready is None or ready[0].epoch & 0xFF != told:
            ready = None if told == self.unknown else self._read(told)
        if ready is None:
            self.unknown = told
            return None
        self._ready = self.unknown = None
        wanted, repertoire = ready
        self.epoch = wanted.epoch
        if repertoire is not None:
            self._voice.change(repertoire)
        if self._tell is not None:
            self._tell(epoch=wanted.epoch)
        return wanted

    def _begin(self) -> None:
        piece = self._offers.step()
        if piece is None:
            return
        epoch, kind, text = piece
        if kind == ERROR:
            self._voice.signal(*json.loads(text))
        elif kind == BEGIN:
            self._making = self._make(epoch, text)

    def _make(self, epoch: int, begun: bytes) -> Generator[None, None, _Ready]:
        wanted = yield from self._offers.rest(epoch, begun)
        if not wanted.kits:
            return wanted, None
        return wanted, (yield from Repertoire.in_steps(wanted.kits, wanted.channels, epoch))

    def _read(self, told: int) -> _Ready | None:
        """Return what the engine plays at once: the engine was faster than this voice, which has just begun."""
        epochs = [epoch for epoch in (0, *self._session.epochs()) if epoch & 0xFF == told]
        if not epochs:
            return None
        try:
            plan = self._session.plan_at(max(epochs))
        except UsageError:
            return None
        wanted = Performance.of(max(epochs), plan.config, plan.kits)
        # kits that sound the same are not taken up anew: what they hold is released by the numbers it was struck with
        played = self._voice.repertoire
        if Repertoire.of(wanted.kits, wanted.channels, played.epoch) == played:
            return wanted, None
        return wanted, Repertoire.of(wanted.kits, wanted.channels, wanted.epoch)
