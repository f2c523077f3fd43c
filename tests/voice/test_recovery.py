"""Outputs that go while the voice plays, or are not there yet: what is told, and that they play again by themselves."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from test_line import parsed
from test_outputs_contract import JackEar
from test_process import in_file, in_rows

from lalelu.clock import now_ns
from lalelu.errors import LostError
from lalelu.voice.message import all_notes_off, note_off, note_on
from lalelu.voice.relayed import RelayedOutput

ENDS = [note_off(2, note) for note in (60, 64, 67)]  # of the chord
RESET = [all_notes_off(2), all_notes_off(10), *ENDS]


class Cable:
    """A serial device at `path` that is plugged and unplugged; `heard` is what it has understood since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master = -1

    def plug(self) -> None:
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        self._slave = slave
        self._heard = bytearray()
        self.path.symlink_to(os.ttyname(slave))

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = -1

    def heard(self) -> list[bytes]:
        with contextlib.suppress(BlockingIOError):
            self._heard += os.read(self._master, 65536)
        return list(parsed(bytes(self._heard)))


@pytest.fixture
def cable(tmp_path):
    made = Cable(tmp_path / "ttyUSB0")
    made.plug()
    yield made
    if made.path.is_symlink():
        made.unplug()


def told(played):
    """What was recorded of outputs; on a busy machine the engine is late, too."""
    return [(kind, text) for kind, text in played.said() if kind in ("lost", "found", "notes unheard")]


def kinds(played):
    return [kind for kind, _ in told(played)]


def test_a_jack_server_that_dies_and_is_started_again_is_played_on_and_the_file_has_it_all(
    jack_server, stage, tmp_path
):
    out = tmp_path / "out.mid"
    played = stage("virtual:lalelu-contract?api=jack", f"file:{out}", note_ms=50)
    played.start()
    played.play_and_hear("chord")
    jack_server.kill()
    jack_server.wait(5)
    played.wait(lambda: played.board.get("problems"))
    assert played.board["problems"] == {
        "midi": "MIDI output virtual:lalelu-contract is lost: the JACK server has ended; start it again"
    }
    played.play_and_hear("snare", "chord")
    with subprocess.Popen(jack_server.args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            played.wait(lambda: not played.board["problems"])
            ear = JackEar("virtual:lalelu-contract?api=jack")
            ear.attach(None)
            played.play_and_hear("chord", "snare")
            heard = ear.heard(8)
            assert [message for message in heard if message[:2] == note_on(10, 38, 1)[:2]] == in_rows(
                played.rows()
            )[-1:]
            ear.remove()
            played.tell("finish")
            assert played.end() == 0
        finally:
            server.terminate()
    assert kinds(played) == ["lost", "found"]
    assert in_file(out) == in_rows(played.rows())


def test_a_synth_that_goes_while_nobody_plays_is_missed_and_silenced_first_when_it_is_back(
    jack_server, stage
):
    uri = "port:ear:in?api=jack"
    ear = JackEar(uri)
    played = stage(uri)
    played.start()
    played.play_and_hear("chord")
    assert len(ear.heard(3)) == 3
    ear.remove()
    played.wait(lambda: played.board.get("problems"))
    before = played.notes.head
    played.play("snare", "flam")
    time.sleep(0.3)  # they sound nowhere, so there is no row to wait for
    assert played.notes.head == before
    ear = JackEar(uri)
    played.wait(lambda: "notes unheard" in kinds(played))
    assert played.board["problems"] == {}
    played.play_and_hear("snare")
    heard = ear.heard(len(RESET) + 2)
    assert heard[: len(RESET)] == RESET
    assert told(played) == [
        ("lost", "MIDI output port:ear:in is lost: 'ear:in' has gone; connect or start it again"),
        ("found", 'port:ear:in: connected to "ear:in" (JACK, period 1024 frames = 21.33 ms at 48000 Hz)'),
        ("notes unheard", "2 notes fell due while no output was there"),
    ]
    played.tell("silence")
    assert played.end() == 0
    ear.remove()


def test_a_serial_line_is_played_on_when_it_is_plugged_in_again(stage, cable):
    played = stage(f"serial:{cable.path}")
    played.start()
    played.play_and_hear("chord")
    played.wait(lambda: len(cable.heard()) == 3)
    for times in (1, 2):  # the second time it is a process of its own that loses it
        cable.unplug()
        played.wait(lambda: played.board.get("problems"))
        cable.plug()
        played.wait(lambda: not played.board["problems"])
        played.play_and_hear("snare")
        played.wait(lambda: len(cable.heard()) > len(RESET))
        assert cable.heard()[: len(RESET)] == RESET
        assert kinds(played) == ["lost", "found"] * times
    before = len(cable.heard())
    played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    assert len(in_rows(played.rows())) == 6
    assert cable.heard()[before:][-1] == note_off(10, 38)


def test_an_output_that_is_not_there_yet_is_waited_for_where_that_is_asked(stage, cable, tmp_path):
    cable.unplug()
    out = tmp_path / "out.mid"
    waiting = stage(f"serial:{cable.path}", f"file:{out}", wait=True, note_ms=50)
    waiting.start()
    waiting.wait(lambda: "it is not there" in waiting.board.get("problems", {}).get("midi", ""))
    waiting.play_and_hear("chord")
    cable.plug()
    waiting.wait(lambda: not waiting.board["problems"])
    waiting.play_and_hear("snare")
    waiting.wait(lambda: note_on(10, 38, 1)[:2] in [message[:2] for message in cable.heard()])
    waiting.tell("finish")
    assert waiting.end() == 0
    assert in_file(out) == in_rows(waiting.rows())
    assert kinds(waiting) == ["found"]


def test_a_port_that_is_there_but_wrong_is_told_as_such(stage, cable):
    played = stage(f"serial:{cable.path}")
    played.start()
    cable.unplug()
    played.wait(lambda: "plug it in again" in played.board.get("problems", {}).get("midi", ""))
    cable.path.write_bytes(b"")
    played.wait(lambda: "no serial line" in played.board["problems"]["midi"])
    cable.path.unlink()
    cable.plug()
    played.wait(lambda: not played.board["problems"])
    played.tell("silence")
    assert played.end() == 0


def test_with_once_nothing_is_waited_for(stage, cable):
    cable.unplug()
    refused = stage(f"serial:{cable.path}", wait=True, once=True)
    refused.start_engine()
    refused.start_voice()
    assert refused.voice.wait(30) == 3
    assert "it is not there; plug it in" in str(refused.board["error"])


def test_a_voice_that_follows_a_killed_one_waits_for_its_outputs(stage, cable):
    played = stage(f"serial:{cable.path}")
    played.start()
    played.play_and_hear("chord")
    played.voice.kill()
    played.voice.wait()
    cable.unplug()
    played.start_voice()
    played.wait(lambda: played.board.get("problems"))
    cable.plug()
    played.wait(lambda: not played.board["problems"])
    played.wait(lambda: len(cable.heard()) >= len(RESET))
    assert cable.heard()[: len(RESET)] == RESET
    played.tell("silence")
    assert played.end() == 0


# -- the process of one output --


@pytest.fixture
def relayed(cable):
    output = RelayedOutput(f"serial:{cable.path}")
    output.open()
    deadline = time.monotonic() + 30
    while output.opened is None:
        output.look()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    yield output
    output.close()


def test_it_passes_everything_on_before_it_closes(relayed, cable):
    messages = [note_on(10, note, 64) for note in range(100)]
    for message in messages:
        relayed.send(message, now_ns())
    relayed.close()
    assert cable.heard() == messages


def test_one_that_has_died_or_hangs_is_lost_and_never_waited_for(relayed):
    os.kill(relayed._process.pid, signal.SIGSTOP)

    def play_on():
        for _ in range(100_000):
            relayed.send(note_on(10, 38, 64), now_ns())

    with pytest.raises(LostError, match="its process is stuck"):
        play_on()
    assert relayed._process.wait(10) == -signal.SIGKILL
    with pytest.raises(LostError, match="not open"):
        relayed.send(note_on(10, 38, 64), now_ns())


def test_one_that_is_killed_is_noticed_by_a_look(relayed):
    relayed._process.kill()
    relayed._process.wait()
    with pytest.raises(LostError, match="its process has died"):
        relayed.look()
