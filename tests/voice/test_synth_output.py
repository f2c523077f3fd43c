"""`synth:`: which voices and which card, what is said of both, and what happens when they are not there."""

import os
import signal
import sys
import time

import miniaudio
import numpy as np
import pytest

from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.realtime import Grant
from lalelu.registry import from_uri
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs.synth import SynthOutput, SynthOutputOptions
from lalelu.voice.port import ADAPTERS, HOSTED, ReportedOutput
from lalelu.voice.synth import card as cards
from lalelu.voice.synth.card import Card
from lalelu.voice.synth.sound import SoundOutput


class NoCards:
    """A machine's APIs, of which one knows cards, and none opens one without a name."""

    def __init__(self, backends):
        if backends != [miniaudio.Backend.ALSA]:
            raise miniaudio.MiniaudioError("cannot init context", -203)

    def get_playbacks(self):
        names = ("Discard all samples (playback)", "USB Audio, front", "USB Audio, rear")
        return [{"name": name, "id": object()} for name in names]


def refuse(*_, **__):
    raise miniaudio.MiniaudioError("failed to init device", -401)


@pytest.fixture
def few_cards(monkeypatch):
    monkeypatch.setattr(miniaudio, "Devices", NoCards)
    monkeypatch.setattr(miniaudio, "PlaybackDevice", refuse)


@pytest.fixture
def fluid(expect):
    try:
        from lalelu.voice.synth import fluid
    except ImportError as exc:
        expect("fluidsynth", str(exc))
    soundfont = fluid.find_soundfont()
    if soundfont is None:
        expect("fluidsynth", "there is no SoundFont")
    return fluid.FluidVoices(soundfont, cards.RATE)


def made(uri):
    return from_uri("MIDI output", ADAPTERS | HOSTED, uri)


def card(name):
    return Card(name, "auto", lambda frames, _: np.zeros((frames, 2), np.float32), period_ms=3, priority=0)


@pytest.mark.usefixtures("few_cards")
def test_a_machine_whose_cards_cannot_be_played_on_says_so_in_one_sentence():
    with pytest.raises(MissingError, match=r'the sound cards are "USB Audio, front" \(ALSA\)') as refused:
        card("").open()
    assert "Discard" not in str(refused.value)
    with pytest.raises(UsageError, match=r"fits 2 sound cards .*write more of the name"):
        card("USB").open()
    with pytest.raises(MissingError, match=r'did you mean "USB Audio, rear"\?'):
        card("USB Audi, rear").open()


def test_no_card_at_all_names_who_was_asked_and_a_way_out(monkeypatch):
    monkeypatch.setattr(miniaudio, "Devices", refuse)
    monkeypatch.setattr(miniaudio, "PlaybackDevice", refuse)
    with pytest.raises(
        MissingError, match=r"no sound card here \(asked: PulseAudio.*ALSA, JACK\).*file:out\.mid"
    ):
        card("").open()


def test_the_line_tells_the_voices_and_the_buffers_share_and_goes_into_the_ledger():
    output = made("synth:?backend=null&engine=builtin&buffer_ms=10")
    assert isinstance(output, SoundOutput)
    output.open()
    output.close()
    output = from_uri("MIDI output", ADAPTERS, "synth:?backend=null&engine=builtin&buffer_ms=10")
    assert isinstance(output, ReportedOutput)
    line = output.open()
    assert line.startswith(
        "synth: built-in drums, no sound card, 48 kHz, buffer 2 x 240 frames = 10.0 ms asked for, "
    )
    assert output.report.startswith(line)
    while output.report == line:
        time.sleep(0.01)
        output.look()
    assert " underruns" in output.report.removeprefix(line)
    os.kill(output._process._process.pid, signal.SIGKILL)
    output._process._process.wait(5)
    with pytest.raises(LostError, match="its process has died"):
        output.send(note_on(10, 38, 100), now_ns())
    output.close()


def test_auto_without_fluidsynth_is_the_built_in_drums_and_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    monkeypatch.delitem(sys.modules, "lalelu.voice.synth.fluid", raising=False)
    output = SoundOutput(SynthOutputOptions(backend="null"))
    assert "built-in drums (FluidSynth is not there: " in output.open()
    output.close()
    for options in ({"engine": "fluidsynth"}, {"soundfont": "a.sf2"}):
        with pytest.raises(MissingError, match=r"FluidSynth is not there.*engine=builtin"):
            SoundOutput(SynthOutputOptions(backend="null", **options)).open()


def test_what_the_process_finds_wrong_is_raised_by_the_voices_side(tmp_path):
    with pytest.raises(UsageError, match="the built-in drums play none"):
        made("synth:?engine=builtin&soundfont=a.sf2")
    with pytest.raises(UsageError, match="multiple of 2"):
        made("synth:?buffer_ms=7")
    output = SynthOutput(SynthOutputOptions(target="no such card", engine="builtin"))
    with pytest.raises(MissingError, match="MIDI output synth:no such card cannot be opened"):
        output.open()
    output.close()


def test_a_refused_priority_is_told_and_fatal_where_it_is_required(monkeypatch):
    refused = Grant("SCHED_FIFO priority 60", granted=False, detail="not permitted")
    monkeypatch.setattr(cards, "enter_sound", lambda _: (refused,))
    options = {"backend": "null", "engine": "builtin", "priority": 60}
    output = SoundOutput(SynthOutputOptions(**options))
    assert output.open().endswith("; refused: SCHED_FIFO priority 60 (not permitted)")
    output.close()
    output = SoundOutput(SynthOutputOptions(**options, required=True))
    with pytest.raises(MissingError, match=r"realtime\.required is set, and the machine refused: SCHED_FIFO"):
        output.open()
    output.close()


def test_its_process_is_told_what_is_required(monkeypatch):
    monkeypatch.setattr("lalelu.voice.relayed._MODULE", "json.tool")  # which ends at once
    output = SynthOutput(SynthOutputOptions(priority=60, required=True))
    with pytest.raises(MissingError, match="its process has died"):
        output.open()
    assert output._process._process.args[-3:] == ["60", "0", "1"]


def test_a_card_that_runs_dry_while_it_is_measured_tells_no_figure(monkeypatch):
    monkeypatch.setattr("lalelu.voice.synth.blocks.Blocks.held_ms", -74.2)
    output = SoundOutput(SynthOutputOptions(backend="null", engine="builtin"))
    assert "asked for, not measured, because the card ran out of sound" in output.open()
    output.close()


def test_a_block_that_takes_longer_to_make_than_to_play_is_counted():
    slow = Card("", "null", lambda frames, _: (time.sleep(0.004), np.zeros((frames, 2), np.float32))[1],
                period_ms=3, priority=0)  # fmt: skip
    slow.open()
    slow.close()
    assert slow.slow > 10


def test_a_card_that_has_stopped_is_lost(monkeypatch):
    monkeypatch.setattr(cards, "STILL_NS", 50_000_000)
    output = SoundOutput(SynthOutputOptions(backend="null", engine="builtin"))
    output.open()
    output._card._device.stop()
    time.sleep(0.06)
    with pytest.raises(LostError, match="has stopped"):
        output.look()
    output.close()


@pytest.mark.usefixtures("fluid")
def test_a_soundfont_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.sf2").write_bytes(b"none")
    with pytest.raises(UsageError, match=r"a\.sf2, which FluidSynth cannot load"):
        SoundOutput(SynthOutputOptions(soundfont=str(tmp_path / "a.sf2"), backend="null")).open()


def test_fluidsynth_sounds_drums_on_channel_10_and_others_until_their_notes_end(fluid):
    assert np.abs(fluid.mix(4800)).max() < 1e-3
    fluid.message(note_on(10, 38, 110))
    drum = np.abs(fluid.mix(4800)).max(axis=1)
    assert np.flatnonzero(drum > 0.05 * drum.max())[0] < 128
    assert drum.max() > 0.1
    fluid.mix(4 * cards.RATE)
    fluid.message(note_on(1, 60, 110))
    held = np.abs(fluid.mix(cards.RATE // 2)).max()
    fluid.message(note_off(1, 60))
    fluid.mix(2 * cards.RATE)
    assert held > 0.05
    assert np.abs(fluid.mix(4800)).max() < held / 20
