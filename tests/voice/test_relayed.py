"""What a relayed output's two sides tell each other when one of them has died, and what is too much or no sense."""

import json
import socket

import pytest

from lalelu.errors import LostError, UsageError
from lalelu.voice.message import note_off
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.relay import MOST_TOLD, Relay
from lalelu.voice.relayed import END, MESSAGE, RelayedOutput


class Wrong(MemoryOutput):
    """An output that says at length why it cannot be opened."""

    def open(self):
        raise UsageError("ü\n" * 9000)


class Dying:
    """A process that was killed and that a driver holds: who waits for it is an error."""

    held = True

    def kill(self):
        pass

    def poll(self):
        return None if self.held else -9


@pytest.fixture
def sides():
    voice, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for side in (voice, other):
        side.setblocking(False)
    yield voice, other
    voice.close()
    other.close()


@pytest.fixture
def relayed(sides):
    output = RelayedOutput("port:synth")
    output._socket = sides[0]
    return output


def test_a_long_sentence_is_cut_and_read(sides, relayed):
    voice, other = sides
    voice.send(END)
    assert not Relay(Wrong(), other).search()
    relayed.look()
    assert relayed.wrong == ("ü\n" * 9000)[:MOST_TOLD]


def test_a_packet_that_makes_no_sense_is_a_loss(sides, relayed):
    sides[1].send(b'{"wrong": "\xc3')
    with pytest.raises(LostError, match="its process has died"):
        relayed.look()


def test_a_relay_plays_what_a_voice_had_sent_that_died_before_it_read_a_line(sides):
    voice, other = sides
    voice.send(MESSAGE + note_off(10, 38))
    other.send(b"never read")
    voice.close()
    output = MemoryOutput()
    output.open()
    Relay(output, other).play()
    assert [message for _, message in output.sent] == [note_off(10, 38)]


@pytest.mark.parametrize("unread", [0, 1])
def test_a_process_that_has_said_why_it_ended_is_quoted_whoever_notices_it(sides, relayed, unread):
    for _ in range(unread):
        relayed.send(note_off(10, 38), 0)
    sides[1].send(json.dumps({"lost": "it was unplugged"}).encode())
    sides[1].close()
    with pytest.raises(LostError, match="it was unplugged"):
        relayed.send(note_off(10, 38), 0)


class Crackling(MemoryOutput):
    """An output that makes sound, with more gaps each time that it is asked."""

    count = 0

    @property
    def underruns(self):
        type(self).count += 1
        return f"{self.count} underruns"


def test_how_the_sound_fares_is_reported_beside_the_line(sides, relayed):
    voice, other = sides
    voice.send(END)
    output = Crackling()
    output.open()
    Relay(output, other).play()
    relayed.opened = "synth: 6.0 ms"
    assert relayed.report == ""
    relayed.look()
    assert relayed.report == f"synth: 6.0 ms; {output.count} underruns"


def test_the_end_of_a_killed_process_is_not_waited_for(relayed):
    relayed._process = Dying()
    relayed.kill()
    assert not relayed.ended
    relayed._process.held = False
    assert relayed.ended
