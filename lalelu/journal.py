"""Entries with fields for systemd's journal. Sends datagrams; for a process whose errors go to the journal anyway.

The protocol is the one of systemd's "Native Journal Protocol", the variable that of systemd.exec(5).
"""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from lalelu.notify import one_line

SOCKET: Final = Path("/run/systemd/journal/socket")
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6  # as in syslog(3)
# what each kind of entry is found by: journalctl MESSAGE_ID=...
STATE_ID: Final = "50d5130958964339a7ba58d8dbf69de6"
CONDITION_ID: Final = "6d045fbb43674fe781cd9280300d3282"
OVER_ID: Final = "cc26280b3c3a4b068e3bc2d43571990e"


class Journal:
    """The journal's end of a socket; nothing here waits."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    @classmethod
    def of_stderr(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the journal where the standard error goes there; None where it goes elsewhere."""
        try:
            told = os.fstat(sys.stderr.fileno())
        except (OSError, ValueError, AttributeError):  # closed, or not a file
            return None
        if environment.get("JOURNAL_STREAM") != f"{told.st_dev}:{told.st_ino}":
            return None
        return cls()

    def send(self, message: str, priority: int, **fields: str | int) -> bool:
        """Send one entry; whether it was taken. Values are made one line."""
        entry = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "lalelu", **fields}
        data = "".join(f"{name}={one_line(value)}\n" for name, value in entry.items())
        try:
            self._socket.sendto(data.encode("utf-8", "replace"), self._path)
        except OSError:  # full, or gone
            return False
        return True

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
