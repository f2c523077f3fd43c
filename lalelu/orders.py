"""What the desk asks of the engine while it plays: standby, another kit, another configuration. Maps files.

The desk writes the ring `orders`, the engine looks at its head once a frame.
"""

import threading
from dataclasses import dataclass
from typing import Final

from lalelu.channel import RingReader, RingWriter
from lalelu.session import ORDER, Session

# Kinds of orders. STANDBY: nothing sounds. PLAY: it sounds again. TOGGLE_STANDBY: the other way round. KIT: everybody
# plays the kit with the order's number. RELOAD: what stands in the ring `offer` from this number on holds.
TOGGLE_STANDBY, STANDBY, PLAY, KIT, RELOAD = range(5)
RING: Final = "orders"


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that is asked for."""

    kind: int  # TOGGLE_STANDBY, STANDBY, PLAY, KIT or RELOAD
    number: int = (
        0  # of the kit, from 0, or of a record in the ring `offer`; of no meaning for the other kinds
    )
    at_ns: int = 0  # when the desk was asked for it


class OrderWriter:
    """The one writer of a session's orders; the desk's threads share it."""

    def __init__(self, session: Session) -> None:
        self._ring = RingWriter(session / RING)
        self._lock = threading.Lock()

    def write(self, order: Order) -> None:
        """Hand an order to the engine; never waits for it."""
        with self._lock:
            self._ring.write(ORDER.pack(order.at_ns, order.kind, order.number))


class OrderReader:
    """Reads the orders that are given from now on; earlier ones are over."""

    def __init__(self, session: Session) -> None:
        self._ring = RingReader(session / RING)
        self._next = self._ring.head

    @property
    def pending(self) -> bool:
        """Whether there is an order to read; cheap enough for every frame."""
        return self._ring.head != self._next

    def read(self) -> list[Order]:
        """Return the orders that have come since the last call, oldest first."""
        batch = self._ring.read(self._next)
        self._next = batch.next
        unpacked = map(ORDER.unpack, batch.records)
        return [Order(kind, number, at_ns) for at_ns, kind, number in unpacked]
