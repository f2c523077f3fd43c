"""Keep MIDI messages and values in memory: for tests, and for whoever wants the bytes."""

from collections import deque
from typing import Final, Literal

from lalelu.errors import LostError
from lalelu.registry import AdapterOptions

MAX_KEPT: Final = 65_536  # messages; older ones are forgotten, so that a long run stays small


class MemoryOutputOptions(AdapterOptions):
    """`memory:` takes nothing."""

    target: Literal[""] = ""


class MemoryOutput:
    """An output that remembers what was sent and can be told to fail."""

    Options = MemoryOutputOptions
    comes_back = False

    def __init__(self, options: MemoryOutputOptions | None = None) -> None:
        self.options = options or MemoryOutputOptions()
        self.is_open = False
        self._sent: deque[tuple[int, bytes]] = deque(maxlen=MAX_KEPT)
        self._values: deque[tuple[str, float]] = deque(maxlen=MAX_KEPT)
        self.dropped = 0  # memory never waits
        self._left: int | None = None  # messages until it fails
        self._plugged = True

    @property
    def sent(self) -> list[tuple[int, bytes]]:
        """What was sent, oldest first, as (at_ns, message)."""
        return list(self._sent)

    @property
    def values(self) -> list[tuple[str, float]]:
        """The values that were sent, oldest first, as (address, value)."""
        return list(self._values)

    @property
    def sounding(self) -> set[tuple[int, int]]:
        """The (channel, note) pairs that were started and not ended; channels from 1."""
        notes: set[tuple[int, int]] = set()
        for _, message in self._sent:
            if message[0] & 0xF0 not in (0x80, 0x90):
                continue
            key = ((message[0] & 0x0F) + 1, message[1])
            if message[0] & 0xF0 == 0x90 and message[2] > 0:
                notes.add(key)
            else:
                notes.discard(key)
        return notes

    def fail_after(self, count: int) -> None:
        """Let `count` more messages through, then raise LostError for every further one."""
        self._left = count

    def unplug(self) -> None:
        """Let the next `look()` find that it has gone; messages go nowhere, as at a port that does not tell."""
        self._plugged = False

    def open(self) -> str:
        """Start keeping messages."""
        self.is_open = True
        return "memory: keeps messages in memory"

    def send(self, message: bytes, at_ns: int) -> None:
        """Keep one message. Raises LostError when `fail_after` said so, or when it is not open."""
        self._count()
        if self._plugged:
            self._sent.append((at_ns, message))

    def look(self) -> None:
        """Raise LostError once it was unplugged."""
        if not self._plugged:
            raise LostError("MIDI output memory: is lost; unplug() asked for it")

    def value(self, address: str, value: float) -> None:
        """Keep one value. Raises LostError as `send` does."""
        self._count()
        self._values.append((address, value))

    def close(self) -> None:
        """Take no further messages; those kept stay readable."""
        self.is_open = False

    def _count(self) -> None:
        if not self.is_open:
            raise LostError("MIDI output memory: is not open; call open() before send()")
        if self._left is not None:
            if self._left <= 0:
                raise LostError("MIDI output memory: is lost; fail_after() asked for it")
            self._left -= 1
