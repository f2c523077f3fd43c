from collections.abc import Callable
from pathlib import Path

import pytest

from lalelu.config.schema import KitConfig
from lalelu.errors import LostError, MissingError
from lalelu.types import Hit
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs.file import FileOutput, FileOutputOptions
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.voice import NoteSent, Voice, velocity_of

MakeHit = Callable[..., Hit]
MS = 1_000_000


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.ns = 1_000 * MS

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory() -> MemoryOutput:
    return MemoryOutput()


@pytest.fixture
def voice(memory: MemoryOutput, kit: KitConfig, clock: Clock) -> Voice:
    voice = Voice([memory], kit, now_ns=clock)
    voice.open()
    return voice


def messages(output: MemoryOutput) -> list[bytes]:
    return [message for _, message in output.sent]


def test_a_hit_sounds_at_once_and_leaves_its_row(
    voice: Voice, memory: MemoryOutput, clock: Clock, hit: MakeHit
) -> None:
    rows = voice.play(hit("snare", struck_ns=990 * MS, strength=0.5))
    assert rows == (
        NoteSent(
            seq=7,
            captured_ns=995 * MS,
            struck_ns=990 * MS,
            due_ns=990 * MS,
            sent_ns=1000 * MS,
            player=0,
            channel=10,
            note=38,
            velocity=64,
            late=True,
        ),
    )
    assert memory.sent == [(1000 * MS, note_on(10, 38, 64))]


@pytest.mark.parametrize(("behind_ns", "late"), [(0, False), (MS, False), (MS + 1, True)])
def test_a_note_is_late_when_sent_more_than_a_millisecond_after_it_was_due(
    voice: Voice, clock: Clock, hit: MakeHit, behind_ns: int, late: bool
) -> None:
    (row,) = voice.play(hit(struck_ns=clock.ns - behind_ns))
    assert row.late is late


def test_a_note_ends_after_the_kits_note_time(
    voice: Voice, memory: MemoryOutput, clock: Clock, hit: MakeHit
) -> None:
    voice.play(hit())
    assert voice.next_due_ns == clock.ns + 50 * MS
    clock.ns += 49 * MS
    voice.tick()
    assert memory.sounding == {(10, 38)}
    clock.ns += MS
    voice.tick()
    assert messages(memory) == [note_on(10, 38, 64), note_off(10, 38)]
    assert voice.next_due_ns is None


def test_a_chord_sounds_on_its_pads_channel_each_note_once(
    voice: Voice, memory: MemoryOutput, hit: MakeHit
) -> None:
    rows = voice.play(hit("chord", strength=1.0))
    assert [(row.channel, row.note, row.velocity) for row in rows] == [
        (2, 60, 127),
        (2, 64, 127),
        (2, 67, 127),
    ]
    assert messages(memory) == [note_on(2, note, 127) for note in (60, 64, 67)]


def test_two_pads_with_one_note_do_not_end_each_other_early(
    voice: Voice, memory: MemoryOutput, clock: Clock, hit: MakeHit
) -> None:
    voice.play(hit("snare"))
    clock.ns += 30 * MS
    voice.play(hit("flam"))
    clock.ns += 30 * MS
    voice.tick()
    assert memory.sounding == {(10, 38)}
    assert messages(memory) == [note_on(10, 38, 64), note_off(10, 38), note_on(10, 38, 64)]


@pytest.mark.parametrize(
    ("strength", "velocity"), [(-1.0, 1), (0.0, 1), (0.001, 1), (0.5, 64), (0.25, 32), (1.0, 127), (3.0, 127)]
)
def test_strength_becomes_a_velocity_within_1_and_127(strength: float, velocity: int) -> None:
    assert velocity_of(strength) == velocity


def test_a_hit_on_a_pad_that_the_kit_lacks_is_counted_and_silent(
    voice: Voice, memory: MemoryOutput, hit: MakeHit
) -> None:
    assert voice.play(hit("gong")) == ()
    assert voice.unknown_pads == 1
    assert memory.sent == []


def test_a_lost_output_does_not_silence_the_others_and_is_named_once(
    kit: KitConfig, clock: Clock, hit: MakeHit
) -> None:
    bad, good = MemoryOutput(), MemoryOutput()
    bad.fail_after(1)
    voice = Voice([bad, good], kit, now_ns=clock)
    voice.open()
    rows = voice.play(hit("chord"))
    assert [row.note for row in rows] == [60, 64, 67]
    with pytest.raises(LostError, match="is lost"):
        voice.tick()
    voice.tick()
    voice.play(hit("snare"))
    assert messages(bad) == [note_on(2, 60, 64)]
    assert good.sounding == {(2, 60), (2, 64), (2, 67), (10, 38)}
    voice.close()
    assert good.sounding == set()
    assert not bad.is_open


def test_two_outputs_lost_at_once_are_both_named(
    kit: KitConfig, clock: Clock, tmp_path: Path, hit: MakeHit
) -> None:
    memory, file = MemoryOutput(), FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    voice = Voice([memory, file], kit, now_ns=clock)
    voice.open()
    memory.fail_after(0)
    file.close()
    assert len(voice.play(hit("snare"))) == 1
    with pytest.raises(LostError, match=r"memory: is lost.*out\.mid is not open"):
        voice.tick()
    voice.close()


def test_an_output_lost_while_closing_leaves_the_others_silent_and_closed(
    kit: KitConfig, clock: Clock, hit: MakeHit
) -> None:
    bad, good = MemoryOutput(), MemoryOutput()
    voice = Voice([bad, good], kit, now_ns=clock)
    voice.open()
    voice.play(hit("chord"))
    bad.fail_after(0)
    with pytest.raises(LostError, match="is lost"):
        voice.close()
    assert good.sounding == set()
    assert (bad.is_open, good.is_open) == (False, False)
    voice.close()


def test_silence_ends_all_notes_and_play_goes_on(voice: Voice, memory: MemoryOutput, hit: MakeHit) -> None:
    voice.play(hit("chord"))
    voice.silence()
    assert memory.sounding == set()
    voice.play(hit("snare"))
    assert memory.sounding == {(10, 38)}


def test_open_names_every_port_and_close_is_safe_twice_and_before(kit: KitConfig, clock: Clock) -> None:
    outputs = [MemoryOutput(), MemoryOutput()]
    voice = Voice(outputs, kit, now_ns=clock)
    voice.close()
    lines = voice.open()
    assert len(lines) == 2
    assert all(line.startswith("memory:") for line in lines)
    voice.close()
    voice.close()
    assert [output.is_open for output in outputs] == [False, False]


def test_when_one_output_cannot_open_those_opened_are_closed_again(
    kit: KitConfig, clock: Clock, tmp_path: Path
) -> None:
    first, last = MemoryOutput(), MemoryOutput()
    unwritable = FileOutput(FileOutputOptions(target=str(tmp_path / "nowhere" / "out.mid")))
    voice = Voice([first, unwritable, last], kit, now_ns=clock)
    with pytest.raises(MissingError, match="no folder"):
        voice.open()
    assert (first.is_open, last.is_open) == (False, False)


def test_a_closed_voice_sends_nothing(voice: Voice, memory: MemoryOutput, hit: MakeHit) -> None:
    voice.close()
    voice.play(hit("snare"))
    voice.tick()
    assert memory.sent == []
