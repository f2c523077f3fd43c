"""The errors a user can meet. Each sentence names the thing, the value, the rule and the remedy."""

from typing import Final


class LaleluError(Exception):
    """A problem that lalelu explains in one sentence; `exit_code` is the command's exit status."""

    exit_code = 1


class CheckFailedError(LaleluError):
    """A stated budget or check did not hold (exit 1)."""


class UsageError(LaleluError):
    """A wrong command line, configuration or input file (exit 2: systemd must not restart)."""

    exit_code = 2


class SlowCameraError(UsageError):
    """A camera that is there gives far fewer frames than asked for; more light may mend that."""


class MissingError(LaleluError):
    """A device, port, model or extra that was asked for is not there (exit 3)."""

    exit_code = 3


class LostError(LaleluError):
    """A device that was there has gone (exit 4 with `--once`)."""

    exit_code = 4


class PortLostError(LostError):
    """A MIDI port that was there has gone."""


class EndOfStreamError(LaleluError):
    """A finite source (a film, a take, a simulated camera with an end) has delivered its last frame."""

    exit_code = 0


# what a process that ended with such a status had met
BY_EXIT_CODE: Final[dict[int, type[LaleluError]]] = {2: UsageError, 3: MissingError, 4: LostError}
