"""`lalelu run` as a process with all its parts, for tests that watch, kill and stop them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from system.stage import finish, start, write_config, write_take

from lalelu.channel import BoardReader, RingReader
from lalelu.ledger.reader import read_ledger
from lalelu.session import Session

LONG_S = 40  # a take that no test plays to its end


class Played:
    """`lalelu run` as a process, with a ledger, a take and a MIDI file; notes sound until they are ended."""

    def __init__(
        self, folder, *arguments, camera=None, config=None, note_ms=10_000, seconds=LONG_S, page="null"
    ):
        self.folder = folder
        take = write_take(folder / "source.take", seconds=seconds) if camera is None else None
        self.process = start(
            *("run", "--config", config or write_config(folder, note_ms, page)),
            *("--camera", camera or f"take:{take}"),
            *("--midi", f"file:{folder / 'out.mid'}", "--log", folder / "ledger"),
            *("--take", folder / "out.take.gz", *arguments),
        )
        self.session = Session(Path(os.environ["XDG_RUNTIME_DIR"]) / "lalelu" / str(self.process.pid))

    def wait(self, condition):
        """Wait until `condition()` holds; fail with what the process said when it ends before."""
        deadline = time.monotonic() + 60
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                pytest.fail(f"it did not come to that: {self.process.communicate()}")
            time.sleep(0.01)

    def wait_for_notes(self, count=2):
        """Wait until `count` more notes have been sent."""
        self.wait((self.session / "notes").exists)
        notes = RingReader(self.session / "notes")
        before = notes.head
        self.wait(lambda: notes.head >= before + count)

    def lead(self):
        """What the leader's board shows."""
        return BoardReader(self.session / "lead").value()

    def pid(self, role):
        return int(self.lead()[role])

    def kill(self, role, number=signal.SIGKILL):
        os.kill(self.pid(role), number)

    def pids(self):
        return [self.pid(role) for role in ("engine", "voice", "desk")]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return finish(self.process)

    def ledger(self):
        """The ledger, once it is sure that it is whole."""
        ledger = read_ledger(self.folder / "ledger")
        assert ledger.problems == ()
        assert ledger.header["closed"] is True
        return ledger


def complete(ledger):
    """Whether every frame is there once, or counted as skipped by the next one."""
    seq = ledger.frames["seq"].astype(int)
    return bool(seq[0] == ledger.frames["skipped"][0]) and bool(
        (np.diff(seq) == 1 + ledger.frames["skipped"][1:]).all()
    )


def kinds(ledger):
    """What happened, but for an engine that is stuck for a moment, as it may be on a busy machine."""
    return [
        event.kind
        for event in ledger.events
        if event.kind != "engine back" and not event.text.startswith("the engine is stuck")
    ]


def gone(pids):
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
