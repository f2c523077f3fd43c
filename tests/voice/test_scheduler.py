from hypothesis import given
from hypothesis import strategies as st

from lalelu.voice.message import note_off, note_on
from lalelu.voice.scheduler import Scheduler


def scheduler(note_ns: int = 50, **limits: int) -> Scheduler[str]:
    return Scheduler(note_ns, **limits)


def popped(table: Scheduler[str], now_ns: int) -> list[tuple[int, str]]:
    """Everything that has fallen due, in the order in which it comes out."""
    notes = []
    while (note := table.pop(now_ns)) is not None:
        notes.append(note)
    return notes


def test_a_note_waits_until_it_is_due_and_comes_out_once() -> None:
    table = scheduler()
    table.add(1000, "snare")
    assert table.next_due_ns == 1000
    assert table.pop(999) is None
    assert table.pop(1000) == (1000, "snare")
    assert table.pop(9999) is None
    assert table.next_due_ns is None


def test_notes_come_out_by_due_time_and_those_of_one_time_in_the_order_of_adding() -> None:
    table = scheduler()
    for due_ns, name in ((30, "c"), (10, "z"), (20, "b"), (10, "a"), (10, "m")):
        table.add(due_ns, name)
    assert popped(table, 25) == [(10, "z"), (10, "a"), (10, "m"), (20, "b")]
    assert popped(table, 30) == [(30, "c")]


@given(st.lists(st.integers(-100, 100), max_size=40), st.integers(-100, 100))
def test_what_has_fallen_due_comes_out_sorted_and_the_rest_waits(due: list[int], now_ns: int) -> None:
    table = scheduler()
    for number, due_ns in enumerate(due):
        table.add(due_ns, str(number))
    ordered = [(due_ns, str(number)) for due_ns, number in sorted(zip(due, range(len(due)), strict=True))]
    assert popped(table, now_ns) == [entry for entry in ordered if entry[0] <= now_ns]
    assert popped(table, 100) == [entry for entry in ordered if entry[0] > now_ns]


def test_the_next_due_time_is_that_of_a_note_or_of_an_end_whichever_is_earlier() -> None:
    table = scheduler(note_ns=50)
    table.strike(10, 38, 100, now_ns=0)
    assert table.next_due_ns == 50
    table.add(60, "later")
    assert table.next_due_ns == 50
    table.add(40, "earlier")
    assert table.next_due_ns == 40


def test_a_note_is_refused_and_counted_when_too_many_wait() -> None:
    table = scheduler(max_waiting=2)
    for name in "abc":
        table.add(10, name)
    assert table.refused == 1
    assert popped(table, 10) == [(10, "a"), (10, "b")]
    table.add(10, "d")
    assert table.refused == 1


def test_a_note_ends_when_its_time_is_over_and_not_before() -> None:
    table = scheduler(note_ns=50)
    assert table.strike(10, 38, 100, now_ns=1000) == (note_on(10, 38, 100),)
    assert table.next_due_ns == 1050
    assert table.ended(1049) == ()
    assert table.ended(1050) == ((10, 38),)
    assert table.ended(9999) == ()
    assert table.next_due_ns is None


def test_a_note_struck_again_while_sounding_ends_first_and_then_ends_once() -> None:
    table = scheduler(note_ns=50)
    table.strike(10, 38, 100, now_ns=0)
    assert table.strike(10, 38, 90, now_ns=30) == (note_off(10, 38), note_on(10, 38, 90))
    assert table.ended(50) == ()  # the older note-off is cancelled
    assert table.ended(80) == ((10, 38),)
    assert table.sounding == ()


def test_the_same_note_on_two_channels_is_two_notes() -> None:
    table = scheduler(note_ns=50)
    assert table.strike(1, 60, 100, now_ns=0) == (note_on(1, 60, 100),)
    assert table.strike(2, 60, 100, now_ns=10) == (note_on(2, 60, 100),)
    assert table.ended(55) == ((1, 60),)
    assert table.sounding == ((2, 60),)


def test_what_sounds_is_told_in_the_order_of_the_last_striking() -> None:
    table = scheduler()
    for now_ns, note in enumerate((60, 61, 60)):
        table.strike(1, note, 100, now_ns)
    assert table.sounding == ((1, 61), (1, 60))
    assert table.clear() == ((1, 61), (1, 60))


def test_clearing_names_what_sounds_once_and_forgets_what_waits() -> None:
    table = scheduler(note_ns=50)
    for note in (60, 64, 67):
        table.strike(1, note, 100, now_ns=0)
    table.add(10, "waits")
    assert table.clear() == ((1, 60), (1, 64), (1, 67))
    assert table.clear() == ()
    assert table.ended(1000) == ()
    assert table.pop(1000) is None
    assert table.next_due_ns is None


def test_a_full_table_refuses_new_notes_and_still_takes_those_it_knows() -> None:
    table = scheduler(note_ns=50, max_sounding=2)
    table.strike(1, 60, 100, now_ns=0)
    table.strike(1, 61, 100, now_ns=0)
    assert table.strike(1, 62, 100, now_ns=0) == ()
    assert table.refused == 1
    assert table.strike(1, 60, 99, now_ns=1) == (note_off(1, 60), note_on(1, 60, 99))
    assert table.ended(50) == ((1, 61),)
    assert table.strike(1, 62, 100, now_ns=50) == (note_on(1, 62, 100),)
    assert table.refused == 1


steps = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["strike", "end", "clear"]),
        st.integers(1, 2),
        st.integers(60, 63),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 100))
def test_whatever_is_struck_every_note_on_has_exactly_one_end_after_it(
    plan: list[tuple[int, str, int, int]], note_ns: int
) -> None:
    table = scheduler(note_ns=note_ns, max_sounding=5)
    now_ns = 0
    sent: list[bytes] = []
    for gap, what, channel, note in plan:
        now_ns += gap
        if what == "strike":
            sent += table.strike(channel, note, 64, now_ns)
        else:
            sent += [note_off(*key) for key in (table.ended(now_ns) if what == "end" else table.clear())]
        assert len(table.sounding) <= 5
    sent += [note_off(*key) for key in table.clear()]
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
