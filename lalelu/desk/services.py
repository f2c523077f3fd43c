"""What the desk does beside its recording: saved files, pedals, the page, takes. Opens ports and a socket, reads files.

Loaded once the recording goes on: the schemas and the detectors, with which saved files are checked, take their time.
"""

import select
from contextlib import ExitStack
from typing import Self

from lalelu.bulletin import Bulletin
from lalelu.clock import now_ns
from lalelu.desk.page import PageDoor
from lalelu.desk.recorder import Recorder
from lalelu.desk.reload import Listener, Reloader
from lalelu.desk.remote import remote_of
from lalelu.orders import OrderWriter
from lalelu.session import Session


class Services:
    """A context manager; `step` often. `poller` is woken by what happens at the page's door.

    Raises UsageError for a plan that cannot be read.
    """

    def __init__(self, session: Session, board: Bulletin, desk: Listener, poller: "select.poll") -> None:
        orders = OrderWriter(session)
        self._plan = plan = session.plan
        self._board = board
        self._desk = desk
        self._reloader = None if plan.source is None else Reloader(session, plan.source, board, desk, orders)
        self._remote = remote_of(plan, orders)
        self._door = PageDoor(session, plan.config.page, orders, poller, board)
        self._recorder = Recorder(session, plan, board, desk.say)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            if self._remote is not None:
                opened.enter_context(self._remote)
            opened.enter_context(self._door)
            opened.enter_context(self._recorder)
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def step(self) -> None:
        """Do what is due; never waits."""
        self._door.step()
        self._recorder.step()
        remote = self._remote
        if self._reloader is not None:
            self._reloader.step(now_ns())
            if remote is not None and self._reloader.running is not self._plan:
                self._plan = self._reloader.running
                remote.follow(self._plan)
        if remote is not None:
            lines = remote.lines()  # first: a line comes after its problem
            self._board.problem("midi_in", remote.problem)
            for line in lines:
                self._desk.say(line, "midi in")

    def follow(self) -> None:
        """Take note of the configuration that was played last."""
        if self._reloader is not None:
            self._reloader.follow()
