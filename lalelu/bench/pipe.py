"""A contestant's process, which runs a block whenever it is told to on its pipe: both ends. Starts a process."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, Any, TextIO, TypeAlias

from lalelu.errors import LaleluError, LostError

Block: TypeAlias = Callable[[int], dict[str, Any]]  # runs so often, and returns its answer


class Pipe:
    """One process that says one JSON object when it is ready, then one for each number that it reads.

    `name` and `remedy` stand in the errors.
    """

    def __init__(self, name: str, command: Sequence[str], remedy: str) -> None:
        self._name = name
        self._command = command
        self._remedy = remedy
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    def open(self) -> dict[str, Any]:
        """Start the process and return what it says when it is ready. Raises LostError when it ends."""
        # A file, not a pipe: nobody reads it while the worker runs, and a full pipe would stop it.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        return self._answer()

    def block(self, runs: int) -> dict[str, Any]:
        """Let it run one block and return its answer. Raises LostError when the process has died."""
        if self._process is None or self._process.stdin is None:
            raise LostError(f"benchmark worker {self._name} is not running; call open() first")
        try:
            self._process.stdin.write(f"{runs}\n")
            self._process.stdin.flush()
        except BrokenPipeError as exc:
            raise self._lost() from exc
        return self._answer()

    def close(self) -> None:
        """End the process; safe to call twice and before `open()`."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process and self._process.stdout else ""
        if not line:
            raise self._lost()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _lost(self) -> LostError:
        code = self._process.wait() if self._process is not None else None
        last = ""
        if self._errors is not None:
            self._errors.seek(0)
            last = next((line for line in reversed(self._errors.read().splitlines()) if line.strip()), "")
        return LostError(
            f"benchmark worker {self._name} ended with status {code}: {last or 'it said nothing'}; {self._remedy}"
        )


def serve(start: Callable[[], tuple[dict[str, Any], Block]], orders: TextIO, answers: TextIO) -> None:
    """Be the process at the pipe's other end: tell the facts, then run a block for each number that comes.

    `start` returns the facts and what runs a block; what it lacks here is told as "missing" instead.
    """

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        facts, block = start()
    except LaleluError as exc:
        say({"missing": str(exc)})
        return
    say({"facts": facts})
    for line in orders:
        say(block(int(line)))


def serve_here(start: Callable[[], tuple[dict[str, Any], Block]]) -> None:
    """Serve on standard input and output; whatever a vendor prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(start, sys.stdin, answers)
