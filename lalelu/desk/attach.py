"""The desk as a service of its own: serves one instrument of the runtime directory after the other. Runs a thread.

`python -m lalelu.desk.attach`: a leader with $LALELU_DESK=service starts no desk, and this one comes. An instrument's
end is what its leader tells on its board, or the leader's death; then the recording is closed, and the next instrument
is waited for. SIGTERM ends it at once while an instrument plays, because the next desk goes on where it stopped (see
`drain`), but not in the middle of closing a recording.
"""

import os
import signal
import sys
import threading
import time
from typing import Final

from lalelu.channel import BoardReader
from lalelu.desk import process, services  # noqa: F401 - loaded before an instrument comes: it takes its time
from lalelu.errors import LaleluError
from lalelu.notify import notify
from lalelu.session import Session, sessions

LOOK_S: Final = 0.05  # between two looks at the leader
SEARCH_S: Final = 0.2  # between two looks for an instrument; its rings hold minutes
FEED_S: Final = 1.0  # between two words to the service manager's watchdog; the desk's board changes as often
_IDLE: Final = "waiting for an instrument"


class Lifeline:
    """A pipe that ends when a session's leader has told its end or is dead. Feeds the watchdog while the desk works."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lead = BoardReader(session / "lead")
        self._desk = BoardReader(session / "desk")
        self.reading, self._writing = os.pipe2(os.O_CLOEXEC)
        self.over = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lifeline", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        self._thread.join()
        os.close(self.reading)

    def _watch(self) -> None:
        fed_s, beat = 0.0, -1
        while not self._closed.wait(LOOK_S):
            if not self.over.is_set() and (
                not self._session.alive() or self._lead.value().get("state") == "ended"
            ):
                self.over.set()
                os.close(self._writing)
            if time.monotonic() >= fed_s + FEED_S and beat != self._desk.changes:
                fed_s, beat = time.monotonic(), self._desk.changes
                notify(WATCHDOG=1)
        if not self.over.is_set():
            os.close(self._writing)


class Attendant:
    """Serves the sessions that ask for it until it is told to leave."""

    def __init__(self) -> None:
        self._leaving = False
        self._lifeline: Lifeline | None = None
        self._served: set[tuple[str, int]] = set()

    def attend(self) -> None:
        """Serve whatever instrument there is, again and again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)
        notify(READY=1, STATUS=_IDLE)
        while not self._leaving:
            for session in sessions(os.environ):
                self._consider(session)
            notify(WATCHDOG=1)
            time.sleep(SEARCH_S)

    def _consider(self, session: Session) -> None:
        """Serve a session that asks for it, once; that of a dead leader, too."""
        try:
            key = session.folder.name, session.folder.stat().st_ino  # a process id may come again
            asks = key not in self._served and BoardReader(session / "lead").value().get("attend")
        except (OSError, LaleluError):  # it is just being removed
            return
        if not asks:
            return
        with session.attended() as mine:
            if not mine:
                return
            self._served.add(key)
            try:
                self._serve(session)
            except LaleluError as exc:  # a file of it is gone or damaged
                sys.stderr.write(f"the instrument {session.leader} is not served: {exc}\n")

    def _serve(self, session: Session) -> None:
        self._lifeline = Lifeline(session)
        notify(STATUS=f"serving the instrument {session.leader}")
        try:
            process.attend(session, self._lifeline.reading)
        finally:
            self._lifeline.close()
            self._lifeline = None
            notify(STATUS=_IDLE)

    def _leave(self, _number: int, _frame: object) -> None:
        self._leaving = True
        if self._lifeline is None or not self._lifeline.over.is_set():
            sys.exit(0)  # as safe as any other death of a desk


if __name__ == "__main__":
    Attendant().attend()
