"""The player's pedals: program changes and a footswitch that come in by MIDI become orders. Runs a thread.

A thread of its own, because a disk may hold the desk up for seconds.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Self

from lalelu.clock import now_ns
from lalelu.desk import midi_in
from lalelu.desk.midi_in import MidiInput
from lalelu.errors import LaleluError
from lalelu.orders import KIT, TOGGLE_STANDBY, Order, OrderWriter
from lalelu.registry import from_uri
from lalelu.session import Plan

LISTEN_S: Final = 0.01  # between two looks; the engine looks once a frame, and frames are 10 ms apart or more
LOOK_S: Final = 1.0  # between two attempts to find a port
LEAVING_S: Final = 2.0  # patience with a thread that is to end; it may be opening a port
PRESSED: Final = 64  # of a footswitch, up to 127 (MIDI 1.0: 0..63 off, 64..127 on)
_PROGRAM: Final = 0xC0
_CONTROLLER: Final = 0xB0


class Pedals:
    """What the messages of one connection mean, on whichever channel they come. `controller` is the footswitch's."""

    def __init__(self, controller: int) -> None:
        self.controller = controller
        self._pressed = False

    def order(self, message: bytes, at_ns: int) -> Order | None:
        """Return what a message asks for at `at_ns`; None for most."""
        if len(message) == 2 and message[0] & 0xF0 == _PROGRAM:
            return Order(KIT, message[1], at_ns)
        if len(message) == 3 and message[0] & 0xF0 == _CONTROLLER and message[1] == self.controller:
            was, self._pressed = self._pressed, message[2] >= PRESSED
            if self._pressed and not was:
                return Order(TOGGLE_STANDBY, at_ns=at_ns)
        return None


class Remote:
    """Listens to the input that `build` makes; one that is not there or goes is looked for until it is.

    A context manager. `kits` are the names of those that programs choose, from 0.
    """

    def __init__(
        self, orders: OrderWriter, build: Callable[[], MidiInput], kits: Sequence[str], controller: int
    ) -> None:
        self._orders = orders
        self._build = build
        self._kits = kits
        self._controller = controller
        self._unknown: set[int] = set()  # programs without a kit that people were told of
        self.problem: str | None = None  # why the input is not heard; people were told
        self._lines: deque[str] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="midi in", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(LEAVING_S)

    def follow(self, plan: Plan) -> None:
        """Obey by the kits and the footswitch of `plan` from now on."""
        self._kits = [kit.name for kit in plan.kits]
        self._controller = plan.config.midi.standby_controller
        self._unknown.clear()

    def lines(self) -> list[str]:
        """Return what people are to be told since the last call."""
        return [self._lines.popleft() for _ in range(len(self._lines))]

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                self._hear()
            except LaleluError as exc:
                before, self.problem = self.problem, f"{exc}; looked for every {LOOK_S:.0f} s"
                if before is None:
                    self._lines.append(self.problem)
            self._ending.wait(LOOK_S)

    def _hear(self) -> None:
        """Listen to one connection until the end. Raises MissingError, UsageError and LostError."""
        source = self._build()
        try:
            self._lines.append(f"MIDI in: {source.open()}")
            self.problem = None
            pedals = Pedals(self._controller)
            while not self._ending.wait(LISTEN_S):
                at_ns = now_ns()
                pedals.controller = self._controller
                for message in source.messages(at_ns):
                    order = pedals.order(message, at_ns)
                    if order is not None:
                        self._give(order)
        finally:
            source.close()

    def _give(self, order: Order) -> None:
        kits = self._kits
        if order.kind != KIT or order.number < len(kits):
            self._orders.write(order)
        elif order.number not in self._unknown:
            self._unknown.add(order.number)
            there = ", ".join(f"{number} = {name}" for number, name in enumerate(kits))
            self._lines.append(f"MIDI in: no kit has the number of program {order.number}; there are {there}")


def remote_of(plan: Plan, orders: OrderWriter) -> Remote | None:
    """Return what listens to the player's pedals, where the plan has an input for them."""
    asked = plan.config.midi
    if asked.input is None:
        return None
    build = partial(from_uri, "MIDI input", midi_in.ADAPTERS, asked.input)
    return Remote(orders, build, [kit.name for kit in plan.kits], asked.standby_controller)
