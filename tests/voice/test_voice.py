from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.errors import LostError, MissingError, PortLostError
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs.file import FileOutput, FileOutputOptions
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.sounding import SoundingTable
from lalelu.voice.voice import NoteSent, Strike, Voice, velocity_of

MakeStrike = Callable[..., Strike]
MS = 1_000_000
NOW = 1_000 * MS


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.ns = NOW

    def __call__(self) -> int:
        return self.ns


class Interrupted(MemoryOutput):
    """An output in whose `send` a signal arrives once, after `after` messages, as SIGTERM's handler raises it."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def send(self, message: bytes, at_ns: int) -> None:
        self._after -= 1
        if self._after == -1:
            raise SystemExit(0)
        super().send(message, at_ns)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory() -> MemoryOutput:
    return MemoryOutput()


@pytest.fixture
def make(memory: MemoryOutput, kit: KitConfig, clock: Clock) -> Callable[..., Voice]:
    """An open voice on `memory`."""

    def open_voice(**options: object) -> Voice:
        voice = Voice([memory], [kit], now_ns=clock, **options)
        voice.open()
        return voice

    return open_voice


@pytest.fixture
def voice(make: Callable[..., Voice]) -> Voice:
    return make()


def messages(output: MemoryOutput) -> list[bytes]:
    return [message for _, message in output.sent]


def played(voice: Voice, clock: Clock, *strikes: Strike) -> list[NoteSent]:
    """What sounds now of `strikes` and of what waited."""
    for strike in strikes:
        voice.add(strike)
    return voice.advance(clock.ns)


def test_a_hit_that_is_due_sounds_at_once_and_leaves_its_row(
    voice: Voice, memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    hit = strike("snare", struck_ns=990 * MS, strength=0.5)
    voice.add(hit)
    assert memory.sent == []  # advance() sounds it
    assert voice.advance(999 * MS) == [
        NoteSent(
            strike=hit,
            due_ns=990 * MS,
            woken_ns=999 * MS,
            sent_ns=1000 * MS,
            channel=10,
            note=38,
            velocity=64,
        )
    ]
    assert memory.sent == [(1000 * MS, note_on(10, 38, 64))]
    assert voice.advance(1000 * MS) == []


@pytest.mark.parametrize(("behind_ns", "late"), [(0, False), (MS, False), (MS + 1, True)])
def test_a_note_is_late_when_sent_more_than_a_millisecond_after_it_was_due(
    voice: Voice, clock: Clock, strike: MakeStrike, behind_ns: int, late: bool
) -> None:
    (row,) = played(voice, clock, strike(struck_ns=clock.ns - behind_ns))
    assert row.late is late


def test_a_note_sounds_the_delay_after_the_stroke_and_not_before(
    make: Callable[..., Voice], memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    voice = make(delay_ns=30 * MS)
    hit = strike(struck_ns=clock.ns - 10 * MS)
    assert played(voice, clock, hit) == []
    assert voice.next_due_ns == clock.ns + 20 * MS
    clock.ns += 20 * MS - 1
    assert voice.advance(clock.ns) == []
    assert memory.sent == []
    clock.ns += 1
    (row,) = voice.advance(clock.ns)
    assert (row.due_ns, row.sent_ns, row.late) == (clock.ns, clock.ns, False)
    assert row.due_ns == hit.struck_ns + 30 * MS


def test_a_note_whose_delay_has_passed_sounds_at_once_and_is_flagged_late(
    make: Callable[..., Voice], clock: Clock, strike: MakeStrike
) -> None:
    voice = make(delay_ns=5 * MS)
    (row,) = played(voice, clock, strike(struck_ns=clock.ns - 20 * MS))
    assert (row.due_ns, row.sent_ns, row.late) == (clock.ns - 15 * MS, clock.ns, True)


def test_with_a_delay_below_zero_a_note_sounds_that_much_before_its_stroke(
    make: Callable[..., Voice], clock: Clock, strike: MakeStrike
) -> None:
    voice = make(delay_ns=-20 * MS)
    ahead = strike(struck_ns=clock.ns + 30 * MS)  # predicted
    assert played(voice, clock, ahead) == []
    assert voice.next_due_ns == clock.ns + 10 * MS
    clock.ns += 10 * MS
    (row,) = voice.advance(clock.ns)
    assert (row.due_ns, row.late) == (ahead.struck_ns - 20 * MS, False)
    (behind,) = played(voice, clock, strike(struck_ns=clock.ns))
    assert (behind.due_ns, behind.late) == (clock.ns - 20 * MS, True)


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=30),
    st.integers(-50, 150),
    st.lists(st.integers(1, 60), max_size=20),
)
def test_notes_sound_in_due_order_whatever_the_order_of_their_arrival(
    struck_ms: list[int], delay_ms: int, gaps_ms: list[int]
) -> None:
    clock, memory = Clock(), MemoryOutput()
    kit = KitConfig.model_validate({"name": "k", "pads": {"a": {"zone": {"box": (0, 0, 1, 1)}, "note": 38}}})
    voice = Voice([memory], [kit], now_ns=clock, delay_ns=delay_ms * MS)
    voice.open()
    strikes = [Strike(number, 0, NOW + at_ms * MS, 0.5, 0, 1, 1) for number, at_ms in enumerate(struck_ms)]
    rows = played(voice, clock, *strikes)
    for gap_ms in [*gaps_ms, 1000]:
        clock.ns += gap_ms * MS
        rows += voice.advance(clock.ns)
    expected = sorted(strikes, key=lambda strike: strike.struck_ns)  # stable: equal ones as they arrived
    assert [row.strike for row in rows] == expected
    assert all(row.due_ns == row.strike.struck_ns + delay_ms * MS <= row.sent_ns for row in rows)
    assert [row.late for row in rows] == [row.sent_ns > row.due_ns + MS for row in rows]


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "advance", "advance", "silence"]),
        st.integers(0, 40),  # ms that pass before
        st.integers(1, 3),  # pad
        st.integers(-30, 60),  # ms from now to the stroke
    ),
    max_size=60,
)


@settings(deadline=None)
@given(steps, st.integers(-50, 100), st.integers(5, 80))
def test_whatever_is_played_every_note_on_has_exactly_one_note_off_after_it(
    plan: list[tuple[str, int, int, int]], delay_ms: int, note_ms: int
) -> None:
    clock, memory, table = Clock(), MemoryOutput(), SoundingTable(None)
    zone = {"box": (0, 0, 1, 1)}
    pads = {
        "a": {"zone": zone, "note": 38},
        "b": {"zone": zone, "note": [38, 42]},
        "c": {"zone": zone, "note": 50},
    }
    kit = KitConfig.model_validate({"name": "k", "note_ms": note_ms, "pads": pads})
    voice = Voice([memory], [kit], now_ns=clock, delay_ns=delay_ms * MS, table=table)
    voice.open()
    rows = 0
    for what, gap_ms, pad, ahead_ms in plan:
        clock.ns += gap_ms * MS
        if what == "add":
            voice.add(Strike(0, 0, clock.ns + ahead_ms * MS, 0.5, 0, 1, pad))
        elif what == "advance":
            rows += len(voice.advance(clock.ns))
        else:
            voice.silence()
            assert (memory.sounding, voice.next_due_ns) == (set(), None)
        assert set(voice.sounding) == set(table.left()) == memory.sounding
    clock.ns += 1000 * MS
    rows += len(voice.advance(clock.ns))
    voice.close()
    sounding: set[int] = set()
    started = 0
    for status, note, _ in messages(memory):
        if status & 0xF0 == 0x90:
            assert note not in sounding
            sounding.add(note)
            started += 1
        else:
            sounding.remove(note)
    assert sounding == set()
    assert started == rows


def test_notes_that_wait_when_all_is_silenced_never_sound(
    make: Callable[..., Voice], memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    voice = make(delay_ns=30 * MS)
    assert played(voice, clock, strike("chord", struck_ns=clock.ns)) == []
    voice.silence()
    assert voice.next_due_ns is None
    clock.ns += 1000 * MS
    assert voice.advance(clock.ns) == []
    assert memory.sent == []


def test_a_note_ends_after_the_kits_note_time(
    voice: Voice, memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    played(voice, clock, strike())
    assert voice.next_due_ns == clock.ns + 50 * MS
    clock.ns += 49 * MS
    voice.advance(clock.ns)
    assert memory.sounding == {(10, 38)}
    clock.ns += MS
    voice.advance(clock.ns)
    assert messages(memory) == [note_on(10, 38, 64), note_off(10, 38)]
    assert voice.next_due_ns is None


def test_a_chord_sounds_on_its_pads_channel_each_note_once(
    voice: Voice, memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    rows = played(voice, clock, strike("chord", strength=1.0))
    assert [(row.channel, row.note, row.velocity) for row in rows] == [
        (2, 60, 127),
        (2, 64, 127),
        (2, 67, 127),
    ]
    assert messages(memory) == [note_on(2, note, 127) for note in (60, 64, 67)]


def test_two_pads_with_one_note_do_not_end_each_other_early(
    voice: Voice, memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    played(voice, clock, strike("snare"))
    clock.ns += 30 * MS
    played(voice, clock, strike("flam"))
    clock.ns += 30 * MS
    voice.advance(clock.ns)
    assert memory.sounding == {(10, 38)}
    assert messages(memory) == [note_on(10, 38, 64), note_off(10, 38), note_on(10, 38, 64)]


@pytest.mark.parametrize(
    ("strength", "velocity"), [(-1.0, 1), (0.0, 1), (0.001, 1), (0.5, 64), (0.25, 32), (1.0, 127), (3.0, 127)]
)
def test_strength_becomes_a_velocity_within_1_and_127(strength: float, velocity: int) -> None:
    assert velocity_of(strength) == velocity


def test_a_lost_output_does_not_silence_the_others_and_is_named_once(
    kit: KitConfig, clock: Clock, strike: MakeStrike
) -> None:
    bad, good = MemoryOutput(), MemoryOutput()
    bad.fail_after(1)
    voice = Voice([bad, good], [kit], now_ns=clock)
    voice.open()
    rows = played(voice, clock, strike("chord"))
    assert [row.note for row in rows] == [60, 64, 67]
    with pytest.raises(PortLostError, match="is lost"):
        voice.check()
    voice.check()
    assert not voice.silent
    played(voice, clock, strike("snare"))
    assert messages(bad) == [note_on(2, 60, 64)]
    assert good.sounding == {(2, 60), (2, 64), (2, 67), (10, 38)}
    voice.close()
    assert good.sounding == set()
    assert not bad.is_open


def test_two_outputs_lost_at_once_are_both_named(
    kit: KitConfig, clock: Clock, tmp_path: Path, strike: MakeStrike
) -> None:
    memory, file = MemoryOutput(), FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    voice = Voice([memory, file], [kit], now_ns=clock)
    voice.open()
    memory.fail_after(0)
    file.close()
    assert played(voice, clock, strike("snare")) == []
    assert voice.unheard == 1
    with pytest.raises(LostError, match=r"memory: is lost.*out\.mid is not open"):
        voice.check()
    assert voice.silent
    voice.close()


def test_an_output_lost_while_closing_leaves_the_others_silent_and_closed(
    kit: KitConfig, clock: Clock, strike: MakeStrike
) -> None:
    bad, good = MemoryOutput(), MemoryOutput()
    voice = Voice([bad, good], [kit], now_ns=clock)
    voice.open()
    played(voice, clock, strike("chord"))
    bad.fail_after(0)
    with pytest.raises(LostError, match="is lost"):
        voice.close()
    assert good.sounding == set()
    assert (bad.is_open, good.is_open) == (False, False)
    voice.close()


def test_silence_ends_all_notes_and_play_goes_on(
    voice: Voice, memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    played(voice, clock, strike("chord"))
    voice.silence()
    assert memory.sounding == set()
    played(voice, clock, strike("snare"))
    assert memory.sounding == {(10, 38)}


def test_open_names_every_port_and_close_is_safe_twice_and_before(kit: KitConfig, clock: Clock) -> None:
    outputs = [MemoryOutput(), MemoryOutput()]
    voice = Voice(outputs, [kit], now_ns=clock)
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
    voice = Voice([first, unwritable, last], [kit], now_ns=clock)
    with pytest.raises(MissingError, match="no folder"):
        voice.open()
    assert (first.is_open, last.is_open) == (False, False)


def test_a_closed_voice_sends_nothing(
    voice: Voice, memory: MemoryOutput, clock: Clock, strike: MakeStrike
) -> None:
    voice.close()
    clock.ns += 1000 * MS
    played(voice, clock, strike("snare"))
    assert memory.sent == []


@pytest.mark.parametrize("after", range(7))  # three note-ons, three note-offs, and none
def test_a_signal_in_the_middle_of_sending_leaves_no_note_sounding(
    kit: KitConfig, clock: Clock, strike: MakeStrike, after: int
) -> None:
    output = Interrupted(after)
    voice = Voice([output], [kit], now_ns=clock)
    voice.open()
    try:
        played(voice, clock, strike("chord"))
        voice.silence()
    except SystemExit:
        voice.close()
    assert output.sounding == set()
    assert len([message for message in messages(output) if message[0] & 0xF0 == 0x90]) == min(after, 3)
