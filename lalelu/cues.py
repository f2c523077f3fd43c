"""What the desk asks of the engine while it plays, and what people are told of it. Maps files."""

from collections.abc import Callable, Sequence

from lalelu.bulletin import Bulletin
from lalelu.gesture.band import Band
from lalelu.orders import KIT, PLAY, RELOAD, STANDBY, OrderReader
from lalelu.renewal import Renewal
from lalelu.session import Session
from lalelu.types import Command, Event, Frame


class DeskCues:
    """The desk's orders, and the engine's board. `record` gets the kind and the text of an event for the ledger."""

    def __init__(
        self, session: Session, kits: Sequence[str], board: Bulletin, record: Callable[[str, str], None]
    ) -> None:
        self._orders = OrderReader(session)
        self._kits = kits
        self._board = board
        self._record = record
        self._renewal: Renewal | None = None
        self._takes = 0  # recordings that players have begun or ended by a pose

    def renew_by(self, renewal: Renewal) -> None:
        """Have other configurations taken over by `renewal`; without one they are not."""
        self._renewal = renewal

    @property
    def waiting(self) -> bool:
        """Whether the desk has asked for something that is not done yet."""
        return self._orders.pending or (self._renewal is not None and self._renewal.busy)

    def take(self, band: Band, frame: Frame) -> Sequence[Event]:
        """Have the band do what the desk asks for; return what follows from it."""
        events: list[Event] = []
        for order in self._orders.read() if self._orders.pending else ():
            if order.kind == RELOAD:
                if self._renewal is not None:
                    self._renewal.begin(order.number, band)
            elif order.kind == KIT:
                if order.number < len(self._kits):
                    events += band.switch(order.number, frame.seq, frame.captured_ns)
            else:
                standby = {STANDBY: True, PLAY: False}.get(order.kind)
                events += band.toggle(frame.seq, frame.captured_ns, standby=standby)
        if self._renewal is not None and self._renewal.busy and not events:  # what has happened is told first
            self._kits = self._renewal.step(band, frame) or self._kits
        return events

    def tell(self, command: Command, band: Band) -> None:
        """Show a command on the board and record it."""
        kit = self._kits[command.kit]
        if command.name == "kit":
            self._record("kit", f"player {command.player} plays {kit}")
            self._board.tell(kit=kit, kits=band.playing)
        elif command.name == "take":
            self._takes += 1
            self._record("take", f"player {command.player} begins or ends a recording")
            self._board.tell(takes=self._takes)
        else:
            self._record(command.name, "nothing sounds" if command.name == "standby" else f"kit {kit}")
            self._board.tell(standby=command.name == "standby")
