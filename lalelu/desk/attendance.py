"""A desk that is a service of its own (see `attach`), as its leader sees it. Looks at a lock, writes to the board.

$LALELU_DESK=service asks for it. The leader starts no desk then, but says when there is none.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.session import Session
from lalelu.wire import EventRing

VARIABLE: Final = "LALELU_DESK"
SERVICE: Final = "service"
LOOK_S: Final = 0.25  # between two looks
COMING_S: Final = 10.0  # patience with a desk that is to come, or to come back
_DONE: Final = ("ended", "failed")
_WORKING: Final = ("recording", "idle")
_DIED: Final = "the desk has died; its service starts it again"
_MISSED: Final = (
    "there is no desk, and nothing is recorded: look at its service (systemctl status 'lalelu-desk*')"
)


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the desk is a service of its own."""
    return environment.get(VARIABLE) == SERVICE


class Attendance:
    """Whether a session has its desk; tells the others on the leader's `board`.

    `problem` says what people must be told: that it has given up or died, or that there has been none for long; None =
    all is well.
    """

    def __init__(
        self, session: Session, board: Bulletin, events: EventRing, say: Callable[[str], None]
    ) -> None:
        self._session = session
        self._board = board
        self._events = events
        self._say = say
        self._desk = BoardReader(session / "desk")
        self._looked_s = self._seen_s = time.monotonic()
        self._here = False
        self._dead = -1  # changes of the board that were a dead desk's
        self.problem: str | None = None
        board.tell(attend=True)

    @property
    def done(self) -> bool:
        """Whether it has closed the recording, or has said why it cannot."""
        return not self._here and self._desk.value().get("state") in _DONE

    def look(self) -> None:
        """Look whether it is there, and tell what has changed."""
        now_s = time.monotonic()
        if now_s < self._looked_s + LOOK_S:
            return
        self._looked_s = now_s
        was, self._here = self._here, self._session.is_attended()
        if self._here:
            self._seen_s = now_s
            value = self._desk.value()
            if not was:
                self._board.tell(desk=value.get("pid"))
            if value.get("state") in _WORKING and self._desk.changes != self._dead:
                self.problem = None
        elif self.done:
            self._judge_end()
        elif was:
            self._events.write("desk died", "its service starts it again")
            self.problem, self._dead = _DIED, self._desk.changes
        elif self._is_missed():
            self.problem = _MISSED

    def _is_missed(self) -> bool:
        return not self._here and time.monotonic() > self._seen_s + COMING_S

    def _judge_end(self) -> None:
        value = self._desk.value()
        if value.get("state") == "failed":
            self.problem = f"the desk: {value.get('error')}; nothing is recorded from here on"

    def wait(self, seconds: float, pass_time: Callable[[], bool]) -> None:
        """Wait until the desk has closed the recording, but not for one that does not come.

        `pass_time` lets a moment pass, and tells whether waiting is to end.
        """
        give_up_s = time.monotonic() + seconds
        while not (self.done or self._is_missed()) and time.monotonic() < give_up_s and not pass_time():
            self.look()
        if self._desk.value().get("state") != "ended":
            self._say("the desk did not finish; the end of the recording may be missing")
