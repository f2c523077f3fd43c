"""One process of the instrument, as its leader sees it. Looks after a started process and reads its board."""

import signal
import subprocess
from dataclasses import dataclass
from typing import Final

from lalelu.channel import BoardReader
from lalelu.errors import MissingError

RESTART_S: Final = 0.05  # before a dead process is started again, doubled each time by the leader


@dataclass(slots=True)
class Child:
    """One process of the instrument."""

    role: str
    board: BoardReader
    process: subprocess.Popen[bytes] | None = None
    descriptor: int = -1  # a pidfd: readable once the process has ended
    said: tuple[object, int] = (None, 0)  # whose lines of its board were told (a process id), and how many
    started_s: float = 0.0
    restarts: int = 0
    pause_s: float = RESTART_S
    due_s: float | None = None  # when it is to be started again

    @property
    def state(self) -> str:
        """What its board says."""
        return str(self.board.value().get("state", ""))

    @property
    def ready(self) -> bool:
        """Whether it runs and has started whole."""
        value = self.board.value()
        started = value.get("state") in ("ready", "recording", "idle")
        return not self.ended and started and self.process is not None and value["pid"] == self.process.pid

    @property
    def given_up(self) -> bool:
        """Whether it has said why it cannot go on; one that played before may find its devices again."""
        value = self.board.value()
        again = self.restarts > 0 and value.get("exit_code") == MissingError.exit_code
        return self.ended and value.get("state") == "failed" and not again

    @property
    def ended(self) -> bool:
        """Whether it does not run."""
        return self.process is None or self.process.poll() is not None


def how_ended(status: int) -> str:
    """Say how a process ended, by its exit status."""
    if status < 0:
        return f"been killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
