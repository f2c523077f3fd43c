"""Real time for one thread: the engine's loop, or the voice's. Changes the calling thread and its process."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TypeAlias

from lalelu.config.schema import RealtimeSection
from lalelu.errors import MissingError
from lalelu.realtime import requests
from lalelu.realtime.requests import Grant, RefusedError

Ask: TypeAlias = Callable[[ExitStack], str]


class RealTime:
    """Real time for the thread that calls `enter`, on `core` (None = wherever it is), until `end`.

    `grants` holds the machine's answers to the last `enter`.
    """

    def __init__(self, asked: RealtimeSection, core: int | None) -> None:
        self._asked = asked
        self._core = core
        self._undo = ExitStack()
        self.grants: Sequence[Grant] = ()

    def enter(self, load: float) -> Sequence[Grant]:
        """Ask for everything that the configuration wants, SCHED_FIFO last; report each.

        To be called after warm-up, by the thread that is to be the hot one. `load` is the share of a frame
        period that the loop needs (1 = all of it). Raises MissingError when a request is refused and
        `realtime.required` is set; everything granted is then given back.
        """
        self.end()
        asked = self._asked
        wanted: list[tuple[str, Ask]] = [
            ("garbage collector", requests.freeze_garbage),
            ("freed memory", requests.keep_freed_memory),
        ]
        if asked.lock_memory:
            wanted.append(("locked memory", requests.lock_memory))
        if asked.cpu_latency:
            wanted.append((requests.AWAKE, requests.hold_latency))
        wanted.append(("timer slack", requests.sharpen_timers))
        if self._core is not None:
            wanted.append((f"core {self._core} for the loop", partial(requests.take_core, self._core)))
        if asked.priority:
            fifo = partial(requests.take_fifo, asked.priority, load)
            wanted.append((f"SCHED_FIFO priority {asked.priority}", fifo))
        with ExitStack() as undo:
            self.grants = _ask_all(wanted, undo, required=asked.required)
            self._undo = undo.pop_all()
        return self.grants

    def end(self) -> None:
        """Give everything back but freed memory, in the thread that entered; safe to call twice and before it."""
        self._undo.close()


def enter_voice(priority: int, *, lock_memory: bool = True, required: bool = False) -> Sequence[Grant]:
    """Make the calling thread the voice's, for the rest of its process's life; report each request.

    It sleeps nearly always, so it stays on whatever cores it has. Raises MissingError when a request
    is refused and `required` is set.
    """
    wanted: list[tuple[str, Ask]] = [
        ("garbage collector", requests.freeze_garbage),
        ("freed memory", requests.keep_freed_memory),
    ]
    if lock_memory:
        wanted.append(("locked memory", requests.lock_memory))
    wanted.append(("timer slack", requests.sharpen_timers))
    if priority:
        wanted.append((f"SCHED_FIFO priority {priority}", partial(requests.take_fifo, priority, 0.0)))
    with ExitStack() as undo:
        grants = _ask_all(wanted, undo, required=required)
        undo.pop_all()  # kept until the process ends
    return grants


def enter_net(niceness: int) -> Sequence[Grant]:
    """Let the calling process, the network's beside the loop, go before other ordinary ones; report it."""
    with ExitStack() as undo:
        return _ask_all(
            [(f"niceness {niceness}", partial(requests.take_nice, niceness))], undo, required=False
        )


def enter_sound(priority: int) -> Sequence[Grant]:
    """Make the calling thread a sound card's, above ordinary ones; report it. Priority 0 asks for nothing."""
    wanted: list[tuple[str, Ask]] = [
        (f"SCHED_FIFO priority {priority}", partial(requests.take_fifo, priority, 0.0))
    ]
    with ExitStack() as undo:
        grants = _ask_all(wanted if priority else (), undo, required=False)
        undo.pop_all()  # kept until the thread ends
    return grants


def require(grants: Iterable[Grant]) -> None:
    """Raise MissingError where one of the requests was refused."""
    refused = [grant for grant in grants if not grant.granted]
    if refused:
        raise MissingError("realtime.required is set, and the machine " + "; ".join(map(str, refused)))


def _ask_all(wanted: Iterable[tuple[str, Ask]], undo: ExitStack, *, required: bool) -> Sequence[Grant]:
    grants = tuple(_answer(request, ask, undo) for request, ask in wanted)
    if required:
        require(grants)
    return grants


def _answer(request: str, ask: Ask, undo: ExitStack) -> Grant:
    try:
        return Grant(request, granted=True, detail=ask(undo))
    except RefusedError as exc:
        return Grant(request, granted=False, detail=exc.reason, remedy=exc.remedy)
