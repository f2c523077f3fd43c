"""What every MIDI output promises, checked on each adapter with an ear at its other end."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, Protocol

import mido
import pytest
import rtmidi
from osc_ear import OscEar
from synth_ear import SynthEar
from test_line import parsed

from lalelu.clock import now_ns
from lalelu.config.kit import KitConfig
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import from_uri
from lalelu.voice.message import CENTRE, CLOCK, control, note_off, note_on, pitch_bend
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.outputs.rtmidi import available_api, ports, why_unavailable
from lalelu.voice.port import ADAPTERS, MidiOutput
from lalelu.voice.voice import Strike, Voice

MIDI = "MIDI output"


class Ear(Protocol):
    """The other end of an output."""

    uri: str

    def attach(self, output: MidiOutput) -> None:
        """Begin to listen to an open output."""

    def heard(self, count: int) -> list[bytes]:
        """Return everything heard since attach, waiting a while for `count` messages; after close."""

    def remove(self) -> None:
        """Stop listening."""


class MemoryEar:
    uri = "memory:"

    def attach(self, output: MidiOutput) -> None:
        assert isinstance(output, MemoryOutput)
        self.output = output

    def heard(self, count: int) -> list[bytes]:
        return [message for _, message in self.output.sent]

    def remove(self) -> None:
        pass


class FileEar:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "out.mid"
        self.uri = f"file:{self.path}"

    def attach(self, output: MidiOutput) -> None:
        pass

    def heard(self, count: int) -> list[bytes]:
        return [bytes(message.bytes()) for message in mido.MidiFile(self.path) if not message.is_meta]

    def remove(self) -> None:
        pass


class SerialEar:
    """The other end of a pty, read as a synth does."""

    def __init__(self, folder: Path) -> None:
        self.master, self.slave = (
            os.openpty()
        )  # kept open: what a last one that closes has written may be lost
        path = folder / "ttyUSB0"
        path.symlink_to(os.ttyname(self.slave))
        os.set_blocking(self.master, False)
        self.uri = f"serial:{path}"

    def attach(self, output: MidiOutput) -> None:
        pass

    def heard(self, count: int) -> list[bytes]:
        data, deadline = b"", time.monotonic() + 5  # a pty hands bytes on when it has time
        while len(list(parsed(data))) < count and time.monotonic() < deadline:
            try:
                data += os.read(self.master, 4096)
            except BlockingIOError:
                time.sleep(0.005)
        return list(parsed(data))

    def remove(self) -> None:
        os.close(self.master)
        os.close(self.slave)


class JackEar:
    """A JACK client of its own: as a synth that `port:` finds, or listening at our `virtual:` port."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.midi = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, "ear")
        self.midi.ignore_types(sysex=False, timing=False, active_sense=False)
        self._heard: list[bytes] = []
        if uri.startswith("port:"):
            self.midi.open_virtual_port("in")

    def attach(self, output: MidiOutput) -> None:
        if self.uri.startswith("virtual:"):
            names = self.midi.get_ports()
            self.midi.open_port(names.index("lalelu-contract:out"), "in")
        time.sleep(0.1)  # a connection counts from the server's next period on

    def heard(self, count: int) -> list[bytes]:
        deadline = time.monotonic() + 5
        while len(self._heard) < count and time.monotonic() < deadline:
            got = self.midi.get_message()
            if got is None:
                time.sleep(0.005)
            else:
                self._heard.append(bytes(got[0]))
        time.sleep(0.1)  # whatever is too much comes now
        while (got := self.midi.get_message()) is not None:
            self._heard.append(bytes(got[0]))
        return self._heard

    def remove(self) -> None:
        self.midi.close_port()
        self.midi.delete()


@pytest.fixture(params=sorted(ADAPTERS))
def ear(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expect: Callable[[str, str], NoReturn],
) -> Iterator[Ear]:
    name = request.param
    made: Ear
    if name == "memory":
        made = MemoryEar()
    elif name == "file":
        made = FileEar(tmp_path)
    elif name == "serial":
        made = SerialEar(tmp_path)
    elif name == "synth":
        made = SynthEar(tmp_path, monkeypatch)
    elif name == "osc":
        made = OscEar()
    elif name in ("virtual", "port"):
        request.getfixturevalue("jack_server")
        made = JackEar({"virtual": "virtual:lalelu-contract?api=jack", "port": "port:ear:in?api=jack"}[name])
    else:
        expect(name, "this test knows no ear for it")
    yield made
    made.remove()


def opened(ear: Ear) -> MidiOutput:
    output: MidiOutput = from_uri(MIDI, ADAPTERS, ear.uri)
    line = output.open()
    assert line.startswith(ear.uri.partition(":")[0] + ":")
    assert "\n" not in line
    ear.attach(output)
    return output


def test_messages_arrive_whole_and_in_order_even_when_closed_at_once(ear: Ear) -> None:
    output = opened(ear)
    messages = [
        note_on(10, 38, 100),
        note_on(1, 60, 1),
        control(10, 4, 64),
        pitch_bend(3, CENTRE),
        note_off(10, 38),
        pitch_bend(16, 0),
        bytes((0xC9, 5)),  # a program change has two bytes only
        note_off(1, 60),
    ]
    for message in messages:
        output.send(message, now_ns())
    output.close()
    assert ear.heard(len(messages)) == messages


def test_the_clock_arrives_between_notes_and_is_in_no_file(ear: Ear) -> None:
    output = opened(ear)
    messages = [CLOCK, note_on(10, 38, 100), CLOCK, CLOCK, note_off(10, 38), CLOCK]
    for message in messages:
        output.send(message, now_ns())
    output.close()
    if isinstance(ear, FileEar):
        messages = [message for message in messages if message != CLOCK]
    assert ear.heard(len(messages)) == messages


def test_closing_a_voice_leaves_no_note_sounding(
    ear: Ear, kit: KitConfig, strike: Callable[..., Strike]
) -> None:
    output: MidiOutput = from_uri(MIDI, ADAPTERS, ear.uri)
    voice = Voice([output], [kit], now_ns=now_ns)
    voice.open()
    ear.attach(output)
    voice.add(strike("chord"))
    voice.add(strike("snare"))
    assert len(voice.advance(now_ns())) == 4
    voice.close()
    notes = [(2, 60), (2, 64), (2, 67), (10, 38)]
    assert ear.heard(8) == [note_on(*note, 64) for note in notes] + [note_off(*note) for note in notes]


def test_close_is_safe_twice_and_before_open(ear: Ear) -> None:
    output: MidiOutput = from_uri(MIDI, ADAPTERS, ear.uri)
    output.close()
    output.open()
    output.close()
    output.close()


def test_an_output_that_is_not_open_refuses_messages(ear: Ear) -> None:
    output: MidiOutput = from_uri(MIDI, ADAPTERS, ear.uri)
    with pytest.raises(LostError, match="not open"):
        output.send(note_on(10, 38, 1), now_ns())
    output.open()
    output.close()
    with pytest.raises(LostError, match="not open"):
        output.send(note_on(10, 38, 1), now_ns())


def test_an_open_output_that_is_there_is_not_called_lost(ear: Ear) -> None:
    output = opened(ear)
    output.look()
    output.close()
    output.look()


def test_an_output_opens_again_after_close(ear: Ear) -> None:
    output: MidiOutput = from_uri(MIDI, ADAPTERS, ear.uri)
    output.open()
    output.close()
    assert output.open()
    ear.attach(output)
    output.send(note_off(10, 38), now_ns())
    output.close()
    assert note_off(10, 38) in ear.heard(1)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown option 'speed'"):
        from_uri(MIDI, ADAPTERS, f"{name}:?speed=3")


@pytest.mark.usefixtures("jack_server")
class TestOnJack:
    """What only a server shows."""

    def test_the_line_tells_the_period(self) -> None:
        output: MidiOutput = from_uri(MIDI, ADAPTERS, "virtual:drums?api=jack")
        assert output.open() == (
            'virtual:drums: port "drums:out" (JACK, period 1024 frames = 21.33 ms at 48000 Hz)'
        )
        output.close()

    def test_auto_takes_an_api_that_is_there(self) -> None:
        assert why_unavailable("jack") is None
        assert available_api() in ("alsa", "jack")
        output: MidiOutput = from_uri(MIDI, ADAPTERS, "virtual:drums")
        assert "drums:out" in output.open()
        output.close()

    def test_part_of_a_name_finds_its_port(self) -> None:
        ear = JackEar("port:ear")
        assert ports("jack") == ("ear:in",)
        output: MidiOutput = from_uri(MIDI, ADAPTERS, "port:ear?api=jack")
        assert 'connected to "ear:in"' in output.open()
        output.close()
        ear.remove()

    def test_a_port_of_our_own_keeps_its_name_beside_a_connection_to_another(self) -> None:
        ear = JackEar("port:ear")
        outputs = [from_uri(MIDI, ADAPTERS, f"{name}?api=jack") for name in ("port:ear", "virtual:lalelu")]
        for output in outputs:
            output.open()
        assert sorted(ear.midi.get_ports()) == ["lalelu-port:out", "lalelu:out"]
        for output in outputs:
            output.close()
        ear.remove()

    def test_a_wrong_name_lists_what_is_there_and_guesses(self) -> None:
        ear = JackEar("port:ear")
        output: MidiOutput = from_uri(MIDI, ADAPTERS, "port:eer:in?api=jack")
        with pytest.raises(MissingError, match=r'the ports are "ear:in" \(JACK\); did you mean "ear:in"\?'):
            output.open()
        ear.remove()

    def test_a_name_that_fits_two_ports_is_refused_unless_it_is_one_of_them(self) -> None:
        ears = [rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name) for name in ("synth", "synth2")]
        ears[0].open_virtual_port("in")
        ears[1].open_virtual_port("synth:in")  # its whole name contains the other's
        output: MidiOutput = from_uri(MIDI, ADAPTERS, "port:synth?api=jack")
        with pytest.raises(UsageError, match="fits 2 ports"):
            output.open()
        exact: MidiOutput = from_uri(MIDI, ADAPTERS, "port:synth:in?api=jack")
        assert 'connected to "synth:in"' in exact.open()
        exact.close()
        for ear in ears:
            ear.close_port()
            ear.delete()

    def test_a_synth_that_goes_is_noticed(self) -> None:
        ear = JackEar("port:ear")
        output: MidiOutput = from_uri(MIDI, ADAPTERS, "port:ear?api=jack")
        output.open()
        at_ns = now_ns()
        output.send(note_on(10, 38, 1), at_ns)
        output.look()
        ear.remove()
        with pytest.raises(LostError, match="'ear:in' has gone"):
            output.look()
        output.close()


@pytest.mark.parametrize("uri", ["virtual:drums?api=jack", "port:ear?api=jack"])
def test_a_jack_server_that_dies_is_a_loss_and_never_blocks(
    jack_server: subprocess.Popen[bytes], uri: str
) -> None:
    ear = JackEar("port:ear")
    output: MidiOutput = from_uri(MIDI, ADAPTERS, uri)
    output.open()
    at_ns = now_ns()
    output.send(note_on(10, 38, 1), at_ns)
    jack_server.kill()
    jack_server.wait(5)

    def play_on() -> None:
        # rtmidi's own buffer would be full, and waited for without end, after some 2300 messages
        for _ in range(20_000):
            output.send(note_on(10, 38, 1), at_ns)
            time.sleep(0.001)

    with pytest.raises(LostError, match="JACK server has ended"):
        play_on()
    with pytest.raises(LostError, match="JACK server has ended"):
        output.look()
    output.close()
    ear.remove()


@pytest.mark.usefixtures("no_jack")
def test_without_sequencer_and_server_both_reasons_and_the_way_out_are_named() -> None:
    if Path("/dev/snd/seq").exists():
        pytest.skip("this machine has an ALSA sequencer")
    assert available_api() is None
    output: MidiOutput = from_uri(MIDI, ADAPTERS, "virtual:drums")
    with pytest.raises(MissingError) as refused:
        output.open()
    sentence = str(refused.value)
    for part in ("virtual:drums", "ALSA", "/dev/snd/seq", "JACK", "no JACK server", "[file:out.mid]"):
        assert part in sentence
    port: MidiOutput = from_uri(MIDI, ADAPTERS, "port:synth")
    with pytest.raises(MissingError, match="there are no ports"):
        port.open()


@pytest.mark.usefixtures("no_jack")
def test_a_missing_jack_server_is_said_by_us_and_not_printed_by_its_library(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert "no JACK server answers" in (why_unavailable("jack") or "")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
