"""A serial line that takes a byte every so long: running status, order, and what has to wait. Pure: time comes in."""

from collections import deque
from typing import Final

from lalelu.voice.message import BEND, CONTROL, NOTE_OFF, NOTE_ON, REAL_TIME

BITS: Final = 10  # of a byte on the line: start, 8 of data, stop (MIDI 1.0)
# The kernel takes kilobytes at once, and what it has nothing overtakes: it gets so many bytes, 4 ms at 31250 baud, so
# that the line does not run empty while the voice wakes, and as many again when that has come down to half.
AHEAD: Final = 12
REFILL: Final = 6
# Messages that wait: the line needs 0.25 s for so many. A stroke that comes later than that is better left out.
MAX_WAITING: Final = 256
# An instrument that is plugged in late, or has lost a byte, knows the status again after so long.
STATUS_NS: Final = 1_000_000_000
_SYSTEM: Final = 0xF0  # from here on, messages that have no channel
_MODE: Final = 120  # controllers from here on silence and reset
# Controllers whose order tells their meaning: data entry, and the numbers of parameters.
_ORDERED: Final = frozenset({6, 38, 96, 97, 98, 99, 100, 101})


class Line:
    """What a line of `baud` bits a second has been given, and when it can take more.

    Whoever owns the line calls `take`, writes what that returns, and says with `wrote` how much of it went.
    """

    def __init__(self, baud: int) -> None:
        self.byte_ns = round(BITS * 1e9 / baud)
        self.dropped = 0  # messages that found no room to wait
        self._waiting: deque[bytes] = deque()
        self._next = bytearray()  # encoded, for the line to take next
        self._free_ns = 0  # when the line has sent what was written
        self._status = 0  # as the line was told last
        self._status_ns = 0  # when

    @property
    def next_ns(self) -> int | None:
        """When the line takes more; None while nothing waits."""
        if not (self._waiting or self._next):
            return None
        return self._free_ns - (AHEAD - REFILL) * self.byte_ns

    @property
    def end_ns(self) -> int:
        """When the line will have sent all that was written and all that waits, at the latest."""
        return self._free_ns + (len(self._next) + sum(map(len, self._waiting))) * self.byte_ns

    def add(self, message: bytes) -> None:
        """Let a message wait behind the others; the clock goes before them.

        A controller or wheel that waits already takes the new value instead. Where too many wait, controllers and the
        clock are left out first, then strokes, and never what ends a note.
        """
        if message[0] >= REAL_TIME:
            # one that waits already is enough: a stuck line must not catch up on ticks
            if len(self._waiting) < MAX_WAITING // 2 and message[0] not in self._next:
                self._next[:0] = message  # between any two bytes
            else:
                self.dropped += 1
        elif not self._replaces(message):
            if self._has_room(message):
                self._waiting.append(message)
            else:
                self.dropped += 1

    def take(self, at_ns: int, unsent: int = 0) -> bytes:
        """Return what is to be written now; `unsent` bytes that were written before still wait in the kernel."""
        self._free_ns = max(self._free_ns, at_ns + unsent * self.byte_ns)
        ahead = -((at_ns - self._free_ns) // self.byte_ns)
        room = max(AHEAD - ahead, 0)
        while self._waiting and len(self._next) < room:
            self._next += self._encoded(self._waiting.popleft(), at_ns)
        return bytes(self._next[:room])

    def wrote(self, count: int, at_ns: int) -> None:
        """Note that the first `count` bytes of what `take` returned were written; none = the line is stuck for now."""
        del self._next[:count]
        if count:
            self._free_ns = max(self._free_ns, at_ns) + count * self.byte_ns
        else:
            self._free_ns = at_ns + AHEAD * self.byte_ns

    def _has_room(self, message: bytes) -> bool:
        kind = message[0] & 0xF0
        if _ends(message):
            return len(self._waiting) < MAX_WAITING or not self._ends_already(message)
        return len(self._waiting) < (MAX_WAITING if kind == NOTE_ON else MAX_WAITING // 2)

    def _ends_already(self, message: bytes) -> bool:
        """Whether the same end waits, with no new beginning of that note behind it; a controller ends a channel's."""
        begun = bytes((message[0] & 0x0F | NOTE_ON, message[1]))
        size = 1 if message[0] & 0xF0 == CONTROL else 2
        for waiting in reversed(self._waiting):
            if waiting == message:
                return True
            if waiting[:size] == begun[:size]:
                return False
        return False

    def _encoded(self, message: bytes, at_ns: int) -> bytes:
        """Return a message as it goes out: without its status where the line has that, a note's end as velocity 0."""
        if message[0] >= _SYSTEM:
            self._status = 0  # MIDI 1.0: such a message ends running status
            return message
        if message[0] & 0xF0 == NOTE_OFF and message[2] == 0:
            message = bytes((message[0] - NOTE_OFF + NOTE_ON, *message[1:]))
        if message[0] == self._status and at_ns - self._status_ns < STATUS_NS:
            return message[1:]
        self._status, self._status_ns = message[0], at_ns
        return message

    def _replaces(self, message: bytes) -> bool:
        """Whether a value of the same controller or wheel waited; the new one is now in its place."""
        size = {CONTROL: 2, BEND: 1}.get(message[0] & 0xF0)
        if size is None or _is_ordered(message) or (size == 2 and message[1] >= _MODE):
            return False
        for place in range(len(self._waiting) - 1, -1, -1):
            waiting = self._waiting[place]
            if _is_ordered(waiting):
                return False
            if waiting[:size] == message[:size]:
                self._waiting[place] = message
                return True
        return False


def _ends(message: bytes) -> bool:
    """Whether a message ends notes."""
    kind = message[0] & 0xF0
    if kind == CONTROL:
        return message[1] >= _MODE
    return kind == NOTE_OFF or (kind == NOTE_ON and message[2] == 0)


def _is_ordered(message: bytes) -> bool:
    return message[0] & 0xF0 == CONTROL and message[1] in _ORDERED
