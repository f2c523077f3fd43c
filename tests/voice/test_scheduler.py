from hypothesis import given
from hypothesis import strategies as st

from lalelu.voice.message import note_off, note_on
from lalelu.voice.scheduler import Scheduler


def test_a_note_ends_when_its_time_is_over_and_not_before() -> None:
    scheduler = Scheduler(note_ns=50)
    assert scheduler.strike(10, 38, 100, now_ns=1000) == (note_on(10, 38, 100),)
    assert scheduler.next_due_ns == 1050
    assert scheduler.due(1049) == ()
    assert scheduler.due(1050) == (note_off(10, 38),)
    assert scheduler.due(9999) == ()
    assert scheduler.next_due_ns is None


def test_a_note_struck_again_while_sounding_ends_first_and_then_ends_once() -> None:
    scheduler = Scheduler(note_ns=50)
    scheduler.strike(10, 38, 100, now_ns=0)
    assert scheduler.strike(10, 38, 90, now_ns=30) == (note_off(10, 38), note_on(10, 38, 90))
    assert scheduler.due(50) == ()  # the older note-off is cancelled
    assert scheduler.due(80) == (note_off(10, 38),)
    assert scheduler.sounding == ()


def test_the_same_note_on_two_channels_is_two_notes() -> None:
    scheduler = Scheduler(note_ns=50)
    assert scheduler.strike(1, 60, 100, now_ns=0) == (note_on(1, 60, 100),)
    assert scheduler.strike(2, 60, 100, now_ns=10) == (note_on(2, 60, 100),)
    assert scheduler.due(55) == (note_off(1, 60),)
    assert scheduler.sounding == ((2, 60),)


def test_silence_ends_everything_that_sounds_once() -> None:
    scheduler = Scheduler(note_ns=50)
    for note in (60, 64, 67):
        scheduler.strike(1, note, 100, now_ns=0)
    assert scheduler.silence() == (note_off(1, 60), note_off(1, 64), note_off(1, 67))
    assert scheduler.silence() == ()
    assert scheduler.due(1000) == ()


def test_a_full_table_refuses_new_notes_and_still_takes_those_it_knows() -> None:
    scheduler = Scheduler(note_ns=50, max_sounding=2)
    scheduler.strike(1, 60, 100, now_ns=0)
    scheduler.strike(1, 61, 100, now_ns=0)
    assert scheduler.strike(1, 62, 100, now_ns=0) == ()
    assert scheduler.refused == 1
    assert scheduler.strike(1, 60, 99, now_ns=1) == (note_off(1, 60), note_on(1, 60, 99))
    assert scheduler.due(50) == (note_off(1, 61),)
    assert scheduler.strike(1, 62, 100, now_ns=50) == (note_on(1, 62, 100),)
    assert scheduler.refused == 1


steps = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["strike", "due", "silence"]),
        st.integers(1, 2),
        st.integers(60, 63),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 100))
def test_whatever_is_played_every_note_on_has_exactly_one_note_off_after_it(
    plan: list[tuple[int, str, int, int]], note_ns: int
) -> None:
    scheduler = Scheduler(note_ns=note_ns, max_sounding=5)
    now_ns = 0
    sent: list[bytes] = []
    for gap, what, channel, note in plan:
        now_ns += gap
        if what == "strike":
            sent += scheduler.strike(channel, note, 64, now_ns)
        elif what == "due":
            sent += scheduler.due(now_ns)
        else:
            sent += scheduler.silence()
        assert len(scheduler.sounding) <= 5
    sent += scheduler.silence()
    sounding: set[tuple[int, int]] = set()
    for message in sent:
        key = (message[0] & 0x0F, message[1])
        if message[0] & 0xF0 == 0x90:
            assert key not in sounding
            sounding.add(key)
        else:
            assert key in sounding
            sounding.remove(key)
    assert sounding == set()
