"""Ask a running instrument's desk for something, and have it answered. Opens a socket in the session's folder.

One packet of JSON there, one back: {"do": "record"} and the like. Only the instrument's own user may ask.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Self

from lalelu.errors import LaleluError, LostError, UsageError
from lalelu.session import Session

NAME: Final = "asks"
PATIENCE_S: Final = 15.0  # of who asks: the desk may be packing a take
_MOST_BYTES: Final = 65_536
_MOST_WAITING: Final = 16  # who have come and said nothing yet
_SILENT_S: Final = 2.0  # then they are sent away

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]


class AskDoor:
    """The desk's side: `step` answers who has asked. A context manager; what is asked meanwhile waits."""

    def __init__(self, session: Session, answer: Answer) -> None:
        self._session = session
        self._answer = answer
        self._door: socket.socket | None = None
        self._waiting: list[tuple[float, socket.socket]] = []

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
        for _since_s, caller in self._waiting:
            caller.close()

    def step(self) -> None:
        """Answer everybody who has asked; never waits for anybody. Without an open door there is nobody."""
        if self._door is None:
            return
        with suppress(BlockingIOError):
            while len(self._waiting) < _MOST_WAITING:
                caller = self._door.accept()[0]
                caller.setblocking(False)
                self._waiting.append((time.monotonic(), caller))
        self._waiting = [
            (since_s, caller) for since_s, caller in self._waiting if self._waits(since_s, caller)
        ]

    def _waits(self, since_s: float, caller: socket.socket) -> bool:
        try:
            asked = caller.recv(_MOST_BYTES)
        except BlockingIOError:
            if time.monotonic() - since_s < _SILENT_S:
                return True
        except OSError:
            pass
        else:
            with suppress(OSError):
                caller.send(json.dumps(self._answered(asked)).encode())
        caller.close()
        return False

    def _answered(self, asked: bytes) -> dict[str, Any]:
        try:
            question = json.loads(asked)
            if not isinstance(question, dict):
                raise UsageError("a question is a JSON object")
            return self._answer(question)
        except LaleluError as exc:
            return {"error": str(exc)}
        except (ValueError, RecursionError) as exc:
            return {"error": f"a question is a JSON object ({exc})"}


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
