"""Tell systemd how the service fares. Sends datagrams to $NOTIFY_SOCKET; does nothing where that is unset.

The messages and variables are those of sd_notify(3) and sd_watchdog_enabled(3). A unit with NotifyAccess=main
hears only the process that it started.
"""

import os
import socket
from typing import Final

MAX_CHARACTERS: Final = 500  # of a value: systemd ignores a whole message above 4096 bytes (PIPE_BUF)
SEND_S: Final = 1.0  # while systemd's queue is full; a lost keep-alive is followed by the next


def notify(**assignments: str | int) -> bool:
    """Send assignments such as `READY=1, STATUS="playing"` in one message; tells whether it was taken.

    A value is made one line, and a long one is cut, so that no text becomes an assignment of its own. Nothing is
    raised: without a systemd that listens, playing goes on.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):  # unset, or a kind of socket that is a virtual machine's
        return False
    if address.startswith("@"):  # Linux's abstract names begin with a zero byte
        address = "\0" + address[1:]
    message = "\n".join(f"{name}={one_line(value)}" for name, value in assignments.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(SEND_S)
            connection.connect(address)
            connection.send(message.encode("utf-8", "replace"))
    except OSError:  # systemd has gone, or does not read
        return False
    return True


def watchdog_period_s() -> float | None:
    """Return how often WATCHDOG=1 should be sent: twice in the unit's WatchdogSec. None where nobody waits for it."""
    timeout_us = os.environ.get("WATCHDOG_USEC", "")
    asked = os.environ.get(
        "WATCHDOG_PID", str(os.getpid())
    )  # children inherit what is meant for their parent
    if not (timeout_us.isdecimal() and int(timeout_us) > 0) or asked != str(os.getpid()):
        return None
    return int(timeout_us) / 2e6


def one_line(value: str | int) -> str:
    """Return a value as one line, not too long for a message."""
    return " ".join(str(value).split())[:MAX_CHARACTERS]
