"""Ask a running instrument's desk for something, and have it answered. Opens a socket in the session's folder.

One packet of JSON there, one back: {"do": "record"} and the like. Only the instrument's own user may ask.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from lalelu.errors import LaleluError, LostError, UsageError
from lalelu.session import Session

NAME: Final = "asks"
PATIENCE_S: Final = 60.0  # of who asks: an hour's take is packed for some ten seconds
_MOST_BYTES: Final = 65_536
_MOST_WAITING: Final = 16  # who have come and were not answered yet
_SILENT_S: Final = 2.0  # who has asked nothing by then is sent away

Answer: TypeAlias = dict[str, Any]
Later: TypeAlias = Callable[[], Answer | None]  # None = not yet


@dataclass(slots=True)
class _Caller:
    since_s: float
    socket: socket.socket
    answer: Later | None = None  # None = nothing was asked yet


class AskDoor:
    """The desk's side: `step` answers who has asked. A context manager; what is asked meanwhile waits.

    `answer` gives an answer to a question, or a function that is asked for it again and again.
    """

    def __init__(self, session: Session, answer: Callable[[Mapping[str, Any]], Answer | Later]) -> None:
        self._session = session
        self._answer = answer
        self._door: socket.socket | None = None
        self._callers: list[_Caller] = []

    def __enter__(self) -> Self:
        """Open the door; a desk before this one may have left its own. Raises OSError."""
        (self._session / NAME).unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        door.setblocking(False)
        with _short(self._session) as path:
            door.bind(path)
        door.listen(_MOST_WAITING)
        self._door = door
        return self

    def __exit__(self, *_: object) -> None:
        if self._door is not None:
            self._door.close()
        for caller in self._callers:
            caller.socket.close()

    def step(self) -> None:
        """Answer everybody who has asked; never waits for anybody. Without an open door there is nobody."""
        if self._door is None:
            return
        with suppress(BlockingIOError):
            while len(self._callers) < _MOST_WAITING:
                caller = self._door.accept()[0]
                caller.setblocking(False)
                self._callers.append(_Caller(time.monotonic(), caller))
        self._callers = [caller for caller in self._callers if self._waits(caller)]

    def _waits(self, caller: _Caller) -> bool:
        try:
            if caller.answer is None:
                caller.answer = self._heard(caller.socket.recv(_MOST_BYTES))
            answer = caller.answer()
            if answer is None:
                return True
            caller.socket.send(json.dumps(answer).encode())
        except BlockingIOError:
            if time.monotonic() - caller.since_s < _SILENT_S:
                return True
        except OSError:
            pass
        caller.socket.close()
        return False

    def _heard(self, asked: bytes) -> Later:
        try:
            question = json.loads(asked)
            if not isinstance(question, dict):
                raise UsageError("a question is a JSON object")
            answer = self._answer(question)
        except LaleluError as exc:
            answer = {"error": str(exc)}
        except (ValueError, RecursionError) as exc:
            answer = {"error": f"a question is a JSON object ({exc})"}
        return _ready(answer) if isinstance(answer, dict) else answer


def _ready(answer: Answer) -> Later:
    return lambda: answer


def ask(session: Session, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the desk's answer.

    Raises UsageError with its sentence where it refuses, and for another user's instrument; LostError without a desk.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
            caller.settimeout(PATIENCE_S)
            with _short(session) as path:
                caller.connect(path)
            caller.send(json.dumps(question).encode())
            answer: dict[str, Any] = json.loads(caller.recv(_MOST_BYTES))
    except PermissionError as exc:
        raise UsageError(
            f"instrument {session.folder.name} is another user's; ask as the user who has started it, or as root"
        ) from exc
    except (OSError, ValueError) as exc:
        raise LostError(
            f"the desk of instrument {session.folder.name} does not answer ({exc}); try again"
        ) from exc
    if "error" in answer:
        raise UsageError(str(answer["error"]))
    return answer


@contextmanager
def _short(session: Session) -> Iterator[str]:
    """Yield the socket's path through a descriptor: a socket's may have 107 bytes only, unix(7)."""
    folder = os.open(session.folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
