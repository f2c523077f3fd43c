"""Notes through a real JACK graph, written down by a listener that knows nothing of lalelu."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from system.stage import finish, ledger_notes, start, write_config, write_take

from lalelu.channel import BoardReader, RingReader
from lalelu.ledger.reader import read_ledger
from lalelu.session import Session

WITNESS = ("-m", "lalelu.selftest.jack_witness")
DELAY_NS = 300_000_000


class Heard:
    """The witness and what it has written down."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, *WITNESS, "lalelu:out"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        told = json.loads(self.process.communicate()[0])
        self.period_ns = told["period_ms"] * 1e6
        self.messages = [(at_ns, bytes.fromhex(text)) for at_ns, text, _ in told["messages"]]

    @property
    def notes(self):
        """(time in ns, channel, note, velocity) of each note-on."""
        return [
            (at_ns, (data[0] & 15) + 1, data[1], data[2])
            for at_ns, data in self.messages
            if data[0] & 0xF0 == 0x90 and data[2]
        ]

    @property
    def sounding(self):
        """The notes that were begun and never ended."""
        notes = set()
        for _, data in self.messages:
            key = (data[0] & 15, data[1])
            notes.add(key) if data[0] & 0xF0 == 0x90 and data[2] else notes.discard(key)
        return notes


@pytest.fixture
def heard(jack_server, expect):
    """A witness in the graph of a JACK server of the test's own."""
    try:
        import jack  # noqa: F401
    except (ImportError, OSError) as exc:
        expect("jack", str(exc))
    witness = Heard()
    yield witness
    witness.process.kill()


def play(folder, *arguments, note_ms=80, seconds=40, delay_ms=0):
    take = write_take(folder / "source.take", seconds=seconds)
    config = write_config(folder, note_ms)
    config.write_text(config.read_text() + f"timing: {{delay_ms: {delay_ms}}}\n")
    return start(
        *("run", "--config", config, "--camera", f"take:{take}", "--midi", "virtual:lalelu?api=jack"),
        *arguments,
    )


def session_of(process):
    folder = os.environ.get("XDG_RUNTIME_DIR")
    place = Path(folder) / "lalelu" if folder else Path(f"/dev/shm/lalelu-{os.getuid()}")
    return Session(place / str(process.pid))


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_notes(session, count):
    wait_for((session / "notes").exists)
    notes = RingReader(session / "notes")
    wait_for(lambda: notes.head >= count)


def test_a_listener_hears_what_the_rows_say_each_note_after_its_delay(heard, tmp_path):
    told = finish(play(tmp_path, "--log", tmp_path / "ledger", seconds=4, delay_ms=DELAY_NS // 1_000_000))
    heard.end()
    assert told.code == 0, told.err
    assert "period" in told.err  # of JACK: how far apart two notes may be moved
    rows = read_ledger(tmp_path / "ledger").notes
    assert len(rows) >= 20
    sent = iter(ledger_notes(read_ledger(tmp_path / "ledger")))
    assert all(tuple(note[1:]) in sent for note in heard.notes)  # in the same order
    complete = len(heard.notes) == len(rows)
    assert complete or "XRun" in (tmp_path / "jackd.log").read_text()  # then JACK was too busy to hand all on
    assert heard.sounding == set() or not complete
    assert (rows["due_ns"] == rows["struck_ns"] + DELAY_NS).all()
    assert (rows["woken_ns"] <= rows["sent_ns"]).all()
    assert (rows["sent_ns"] >= rows["due_ns"]).all()
    # heard in the order of sending, and none before it was sent; the witness's clock is good to a period
    if complete:
        lag_ns = np.array([note[0] for note in heard.notes]) - rows["sent_ns"]
        assert lag_ns.min() > -2 * heard.period_ns


@pytest.mark.parametrize(
    ("whom", "number"), [("run", "SIGTERM"), ("engine", "SIGKILL"), ("engine", "SIGSTOP")]
)
def test_no_note_is_left_sounding_in_the_listener(heard, tmp_path, whom, number):
    process = play(tmp_path, note_ms=10_000)
    session = session_of(process)
    wait_for_notes(session, 4)
    sounding = session / "sounding"
    wait_for(lambda: any(sounding.read_bytes()))
    pid = process.pid if whom == "run" else int(BoardReader(session / "lead").value()["engine"])
    os.kill(pid, signal.Signals[number])
    if number == "SIGSTOP":  # silent while it is still stopped
        wait_for(lambda: not any(sounding.read_bytes()))
        time.sleep(0.2)  # some periods of JACK
        heard.end()
        os.kill(pid, signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        finish(process)
    else:
        finish(process)
        heard.end()
    assert len(heard.notes) >= 2
    assert heard.sounding == set()
