"""Look for lost outputs and let them play again, without holding up those that play on. Starts processes."""

from collections.abc import Callable, Mapping
from typing import Final

from lalelu.errors import LostError
from lalelu.voice.relayed import RelayedOutput
from lalelu.voice.voice import Voice

LOOK_NS: Final = 250_000_000  # between two looks at each output; a USB device is away for 0.5 s at least
AGAIN_NS: Final = 1_000_000_000  # before the next attempt with an output whose process has died


class Recovery:
    """For each lost output a process that waits for its port.

    `relays` makes it, by the output's place; outputs that have none stay lost. `tell` gets what is wrong now, an empty
    sentence = nothing, `record` gets events (kind, text), `say` a line for people.
    """

    def __init__(
        self,
        voice: Voice,
        relays: Mapping[int, Callable[[], RelayedOutput]],
        *,
        say: Callable[[str], None],
        tell: Callable[[str], None],
        record: Callable[[str, str], None],
    ) -> None:
        self._voice = voice
        self._relays = relays
        self._say = say
        self._tell = tell
        self._record = record
        self._searching: dict[int, RelayedOutput] = {}
        self._killed: list[RelayedOutput] = []
        self._again_ns: dict[int, int] = {}  # of places without a process: when it is started
        self._look_ns = 0
        self._told = ""
        self._unheard = 0  # of the voice, as recorded

    @property
    def hopeless(self) -> bool:
        """Whether no output is there, and none is looked for."""
        return self._voice.silent and not self._relays.keys() & self._voice.gone.keys()

    def step(self, at_ns: int) -> None:
        """Do what is to be done now, in a millisecond or two."""
        if at_ns >= self._look_ns:
            self._look_ns = at_ns + LOOK_NS
            self._voice.look()
            self._killed = [relay for relay in self._killed if not relay.ended]
        for place in self._voice.gone:
            if place in self._relays:
                self._seek(place, at_ns)
        problem = "; ".join(self._why(place, why) for place, why in self._voice.gone.items())
        if problem != self._told:
            self._told = problem
            self._tell(problem)

    def close(self) -> None:
        """End the search, and record what nobody has heard."""
        for place in tuple(self._searching):
            self._searching.pop(place).kill()
        self._record_unheard()

    def _seek(self, place: int, at_ns: int) -> None:
        relay = self._searching.get(place)
        if relay is None:
            if at_ns >= self._again_ns.get(place, 0):
                self._start(place, at_ns)
            return
        try:
            relay.look()
        except LostError:
            self._killed.append(self._searching.pop(place))
            self._again_ns[place] = at_ns + AGAIN_NS
            return
        if relay.opened is None:
            return
        del self._searching[place]
        self._voice.replace(place, relay)
        self._say(f"MIDI: found again: {relay.opened}")
        self._record("found", relay.opened)
        self._record_unheard()

    def _why(self, place: int, why: str) -> str:
        relay = self._searching.get(place)
        return why if relay is None else relay.wrong or why

    def _start(self, place: int, at_ns: int) -> None:
        self._again_ns[place] = at_ns + AGAIN_NS
        relay = self._relays[place]()
        try:
            relay.open()
        except LostError:
            relay.kill()
        else:
            self._searching[place] = relay

    def _record_unheard(self) -> None:
        count, self._unheard = self._voice.unheard - self._unheard, self._voice.unheard
        if count:
            self._record("notes unheard", f"{count} notes fell due while no output was there")
