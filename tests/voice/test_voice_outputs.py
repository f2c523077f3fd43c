"""A voice's outputs that go, come back, or are not there yet, one by one in this process."""

import os
from pathlib import Path

import pytest
from test_voice import MS, Clock, MakeStrike, messages, played

from lalelu.config.kit import KitConfig
from lalelu.errors import MissingError, PortLostError, UsageError
from lalelu.voice.message import all_notes_off, note_off, note_on
from lalelu.voice.outputs.file import FileOutput, FileOutputOptions
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.outputs.serial import SerialOutput, SerialOutputOptions
from lalelu.voice.repeats import AGAIN_NS
from lalelu.voice.repertoire import Repertoire
from lalelu.voice.sounding import SoundingTable
from lalelu.voice.voice import Voice


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_output_that_takes_a_lost_ones_place_is_reset_and_plays_on(
    kit: KitConfig, clock: Clock, strike: MakeStrike
) -> None:
    bad, good, new = MemoryOutput(), MemoryOutput(), MemoryOutput()
    bad.fail_after(2)
    voice = Voice([bad, good], [kit], now_ns=clock)
    voice.open()
    played(voice, clock, strike("chord"))
    assert list(voice.gone) == [0]
    with pytest.raises(PortLostError):
        voice.check()
    clock.ns += 60 * MS
    played(voice, clock, strike("snare"))
    new.open()
    voice.replace(0, new)
    assert voice.gone == {}
    ends = [note_off(2, note) for note in (60, 64, 67)]  # it may have been told of the last one, too
    assert messages(new) == [all_notes_off(2), all_notes_off(10), *ends]
    clock.ns += AGAIN_NS[0]
    voice.repeat()
    assert messages(new)[5:] == ends
    assert good.sounding == {(10, 38)}
    assert [row.note for row in played(voice, clock, strike("flam"))] == [38]
    voice.close()
    assert messages(new)[8:] == [note_off(10, 38), note_on(10, 38, 64), note_off(10, 38)]
    assert not new.is_open


def test_an_output_that_goes_without_a_word_is_noticed_by_a_look(kit: KitConfig, clock: Clock) -> None:
    memory = MemoryOutput()
    voice = Voice([memory], [kit], now_ns=clock)
    voice.open()
    voice.look()
    memory.unplug()
    assert not voice.silent
    voice.look()
    assert (voice.silent, list(voice.gone)) == (True, [0])
    with pytest.raises(PortLostError, match="unplug"):
        voice.check()


def test_what_waits_for_a_line_that_has_gone_wakes_nobody(
    kit: KitConfig, clock: Clock, strike: MakeStrike
) -> None:
    master, slave = os.openpty()
    voice = Voice([SerialOutput(SerialOutputOptions(target=os.ttyname(slave)))], [kit], now_ns=clock)
    os.close(slave)
    voice.open()
    for pad in ("chord", "snare", "flam"):
        played(voice, clock, strike(pad))
    assert voice.next_due_ns is not None
    assert voice.next_due_ns < clock.ns + 5 * MS  # the line's
    os.close(master)
    voice.look()
    assert voice.silent
    assert voice.next_due_ns == clock.ns + 50 * MS  # the notes' end
    with pytest.raises(PortLostError):
        voice.close()


def test_a_voice_that_waits_opens_without_what_is_not_there_but_not_without_a_folder(
    kit: KitConfig, clock: Clock, tmp_path: Path
) -> None:
    memory = MemoryOutput()
    absent = SerialOutput(SerialOutputOptions(target=str(tmp_path / "ttyUSB0")))
    voice = Voice([absent, memory], [kit], now_ns=clock)
    assert [line.split(":")[0] for line in voice.open(waits=True)] == ["MIDI output serial", "memory"]
    assert list(voice.gone) == [0]
    voice.close()
    unwritable = FileOutput(FileOutputOptions(target=str(tmp_path / "nowhere" / "out.mid")))
    with pytest.raises(MissingError, match="no folder"):
        Voice([unwritable], [kit], now_ns=clock).open(waits=True)


class Absent(MemoryOutput):
    """An output that may be there later; `problem` is why it is not there now."""

    comes_back = True

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self._problem = problem

    def open(self) -> str:
        raise self._problem


def test_what_was_ended_shortly_before_a_loss_was_noticed_is_ended_again_on_every_channel_played_so_far(
    kit: KitConfig, clock: Clock, strike: MakeStrike
) -> None:
    bad, good, new = MemoryOutput(), MemoryOutput(), MemoryOutput()
    voice = Voice([bad, good], [kit], now_ns=clock)
    voice.open()
    played(voice, clock, strike("snare"))
    clock.ns += 60 * MS
    voice.advance(clock.ns)
    clock.ns += 2000 * MS
    played(voice, clock, strike("chord"))
    bad.unplug()  # which nobody notices yet
    clock.ns += 60 * MS
    voice.advance(clock.ns)
    clock.ns += 200 * MS
    voice.look()
    voice.change(Repertoire.of([kit.model_copy(update={"channel": 3})], ()))
    new.open()
    voice.replace(0, new)
    resets = [all_notes_off(channel) for channel in (2, 3, 10)]
    assert messages(new) == [*resets, *(note_off(2, note) for note in (60, 64, 67))]


def test_ends_are_repeated_for_a_while_and_what_a_replaced_output_dropped_still_counts(
    kit: KitConfig, clock: Clock, strike: MakeStrike
) -> None:
    old, new = MemoryOutput(), MemoryOutput()
    old.dropped = 7
    voice = Voice([old], [kit], now_ns=clock)
    voice.open()
    played(voice, clock, strike("snare"))
    old.unplug()
    voice.look()
    clock.ns += 60 * MS
    voice.advance(clock.ns)
    new.open()
    voice.replace(0, new)
    assert voice.dropped == 7
    third = MemoryOutput()
    new.unplug()
    clock.ns += AGAIN_NS[-1]
    voice.repeat()
    voice.look()
    third.open()
    voice.replace(0, third)
    assert note_off(10, 38) not in messages(third)


def test_an_output_that_is_wrong_for_now_ends_only_the_first_voice(kit: KitConfig, clock: Clock) -> None:
    wrong = UsageError("'synth' fits 2 ports")
    with pytest.raises(UsageError, match="fits 2 ports"):
        Voice([Absent(wrong)], [kit], now_ns=clock).open(waits=True)
    voice = Voice([Absent(wrong), MemoryOutput()], [kit], now_ns=clock)
    voice.open(waits=True, follows=True)
    assert voice.gone == {0: "'synth' fits 2 ports"}


def test_a_voice_that_follows_a_killed_one_ends_what_that_owed_to_an_output_that_was_away(
    kit: KitConfig, clock: Clock, strike: MakeStrike, tmp_path: Path
) -> None:
    away, other = MemoryOutput(), MemoryOutput()
    killed = Voice([away, other], [kit], now_ns=clock, table=SoundingTable(tmp_path / "sounding"))
    killed.open()
    played(killed, clock, strike("snare"))
    away.unplug()
    killed.look()
    clock.ns += 60 * MS
    killed.advance(clock.ns)
    voice = Voice(
        [Absent(MissingError("not there")), MemoryOutput()],
        [kit],
        now_ns=clock,
        table=SoundingTable(tmp_path / "sounding"),
    )
    voice.open(waits=True)
    for expected in ([note_off(10, 38)], []):  # what was ended is owed no longer
        back = MemoryOutput()
        back.open()
        voice.replace(0, back)
        assert messages(back) == [all_notes_off(2), all_notes_off(10), *expected]
        clock.ns += AGAIN_NS[-1]
        voice.repeat()
        back.unplug()
        voice.look()
    assert SoundingTable(tmp_path / "sounding").owed() == ()
