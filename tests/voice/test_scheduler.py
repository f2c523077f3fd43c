from hypothesis import given
from hypothesis import strategies as st

from lalelu.voice.message import note_off, note_on
from lalelu.voice.scheduler import Note, Owner, Scheduler

ANN, BOB = Owner(player=0, pad=1), Owner(player=1, pad=1)


class Table(Scheduler[str]):
    """A scheduler whose notes last 50 ns and are of Ann's pad, if nothing else is said."""

    def keep(self, due_ns: int, name: str, *, owner: Owner = ANN, held: bool = False, key: int = 60) -> None:
        """Add a note that was struck when it is due."""
        self.add(due_ns, Note(1, key, owner, due_ns, None if held else 50, name))

    def hit(
        self,
        channel: int,
        key: int,
        velocity: int,
        now_ns: int,
        *,
        owner: Owner = ANN,
        note_ns: int | None = 50,
    ) -> tuple[bytes, ...]:
        """Strike a note now."""
        return self.strike(Note(channel, key, owner, now_ns, note_ns, ""), velocity, now_ns)

    def popped(self, now_ns: int) -> list[tuple[int, str]]:
        """Everything that has fallen due, in the order in which it comes out."""
        notes = []
        while (entry := self.pop(now_ns)) is not None:
            notes.append((entry[0], entry[1].told))
        return notes


def test_a_note_waits_until_it_is_due_and_comes_out_once() -> None:
    table = Table()
    table.keep(1000, "snare")
    assert table.next_due_ns == 1000
    assert table.pop(999) is None
    assert table.popped(1000) == [(1000, "snare")]
    assert table.pop(9999) is None
    assert table.next_due_ns is None


def test_notes_come_out_by_due_time_and_those_of_one_time_in_the_order_of_adding() -> None:
    table = Table()
    for due_ns, name in ((30, "c"), (10, "z"), (20, "b"), (10, "a"), (10, "m")):
        table.keep(due_ns, name)
    assert table.popped(25) == [(10, "z"), (10, "a"), (10, "m"), (20, "b")]
    assert table.popped(30) == [(30, "c")]


@given(st.lists(st.integers(-100, 100), max_size=40), st.integers(-100, 100))
def test_what_has_fallen_due_comes_out_sorted_and_the_rest_waits(due: list[int], now_ns: int) -> None:
    table = Table()
    for number, due_ns in enumerate(due):
        table.keep(due_ns, str(number))
    ordered = [(due_ns, str(number)) for due_ns, number in sorted(zip(due, range(len(due)), strict=True))]
    assert table.popped(now_ns) == [entry for entry in ordered if entry[0] <= now_ns]
    assert table.popped(100) == [entry for entry in ordered if entry[0] > now_ns]


def test_the_next_due_time_is_that_of_a_note_or_of_an_end_whichever_is_earlier() -> None:
    table = Table()
    table.hit(10, 38, 100, now_ns=0)
    assert table.next_due_ns == 50
    table.keep(60, "later")
    assert table.next_due_ns == 50
    table.keep(40, "earlier")
    assert table.next_due_ns == 40


def test_a_note_is_refused_and_counted_when_too_many_wait() -> None:
    table = Table(max_waiting=2)
    for name in "abc":
        table.keep(10, name)
    assert table.refused == 1
    assert table.popped(10) == [(10, "a"), (10, "b")]
    table.keep(10, "d")
    assert table.refused == 1


def test_a_note_ends_when_its_time_is_over_and_not_before() -> None:
    table = Table()
    assert table.hit(10, 38, 100, now_ns=1000) == (note_on(10, 38, 100),)
    assert table.next_due_ns == 1050
    assert table.ended(1049) == ()
    assert table.ended(1050) == ((10, 38),)
    assert table.ended(9999) == ()
    assert table.next_due_ns is None


def test_a_note_struck_again_while_sounding_ends_first_and_then_ends_once() -> None:
    table = Table()
    table.hit(10, 38, 100, now_ns=0)
    assert table.hit(10, 38, 90, now_ns=30) == (note_off(10, 38), note_on(10, 38, 90))
    assert table.ended(50) == ()  # the older note-off is cancelled
    assert table.ended(80) == ((10, 38),)
    assert table.sounding == ()


def test_the_same_note_on_two_channels_is_two_notes() -> None:
    table = Table()
    assert table.hit(1, 60, 100, now_ns=0) == (note_on(1, 60, 100),)
    assert table.hit(2, 60, 100, now_ns=10) == (note_on(2, 60, 100),)
    assert table.ended(55) == ((1, 60),)
    assert table.sounding == ((2, 60),)


def test_what_sounds_is_told_in_the_order_of_the_last_striking() -> None:
    table = Table()
    for now_ns, note in enumerate((60, 61, 60)):
        table.hit(1, note, 100, now_ns)
    assert table.sounding == ((1, 61), (1, 60))
    assert table.clear() == ((1, 61), (1, 60))


def test_clearing_names_what_sounds_once_and_forgets_what_waits() -> None:
    table = Table()
    for note in (60, 64, 67):
        table.hit(1, note, 100, now_ns=0)
    table.keep(10, "waits")
    assert table.clear() == ((1, 60), (1, 64), (1, 67))
    assert table.clear() == ()
    assert table.ended(1000) == ()
    assert table.pop(1000) is None
    assert table.next_due_ns is None


def test_a_full_table_refuses_new_notes_and_still_takes_those_it_knows() -> None:
    table = Table(max_sounding=2)
    table.hit(1, 60, 100, now_ns=0)
    table.hit(1, 61, 100, now_ns=0)
    assert table.hit(1, 62, 100, now_ns=0) == ()
    assert table.refused == 1
    assert table.hit(1, 60, 99, now_ns=1) == (note_off(1, 60), note_on(1, 60, 99))
    assert table.ended(50) == ((1, 61),)
    assert table.hit(1, 62, 100, now_ns=50) == (note_on(1, 62, 100),)
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
    table = Table(max_sounding=5)
    now_ns = 0
    sent: list[bytes] = []
    for gap, what, channel, note in plan:
        now_ns += gap
        if what == "strike":
            sent += table.hit(channel, note, 64, now_ns, note_ns=note_ns)
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


# -- held notes and releases --


def test_a_held_note_sounds_until_it_is_released_and_nothing_falls_due_meanwhile() -> None:
    table = Table()
    table.hit(1, 60, 100, now_ns=0, note_ns=None)
    assert (table.ended(10**15), table.next_due_ns) == ((), None)
    table.release(ANN, at_ns=900, end_ns=1000)
    assert table.next_due_ns == 1000
    assert table.ended(999) == ()
    assert table.ended(1000) == ((1, 60),)


def test_a_release_ends_an_ordinary_note_sooner_and_never_later() -> None:
    table = Table()
    table.hit(1, 60, 100, now_ns=0, note_ns=50)
    table.release(ANN, at_ns=40, end_ns=70)
    assert table.next_due_ns == 50
    table.release(ANN, at_ns=20, end_ns=30)
    assert table.ended(30) == ((1, 60),)


def test_a_release_drops_what_waits_and_was_struck_at_its_moment_or_later() -> None:
    table = Table()
    for due_ns in (30, 10, 20):
        table.keep(due_ns, str(due_ns))
    table.keep(25, "bob's", owner=BOB)
    table.release(ANN, at_ns=20, end_ns=20)
    assert table.popped(100) == [(10, "10"), (25, "bob's")]


def test_what_waits_and_was_struck_before_a_release_sounds_until_then() -> None:
    table = Table()
    table.keep(10, "chord", held=True)
    table.release(ANN, at_ns=40, end_ns=45)
    entry = table.pop(10)
    assert entry is not None
    table.strike(entry[1], 64, 10)
    assert (table.ended(44), table.ended(45)) == ((), ((1, 60),))


def test_a_release_ends_only_what_its_own_player_and_pad_struck_last() -> None:
    table = Table()
    other = Owner(player=0, pad=2)
    for key, owner in ((60, ANN), (61, BOB), (62, other), (63, ANN)):
        table.hit(1, key, 100, now_ns=0, owner=owner, note_ns=None)
    table.hit(1, 63, 100, now_ns=1, owner=BOB, note_ns=None)  # Ann's before
    table.release(ANN, at_ns=5, end_ns=5)
    assert table.ended(5) == ((1, 60),)
    assert table.sounding == ((1, 61), (1, 62), (1, 63))


def test_notes_that_are_added_after_a_release_sound() -> None:
    table = Table()
    table.release(ANN, at_ns=100, end_ns=130)
    table.keep(100, "struck again", held=True)
    table.keep(99, "a drum that was known late")
    assert [name for _, name in table.popped(200)] == ["a drum that was known late", "struck again"]


def test_a_held_note_that_is_known_only_after_its_release_never_sounds() -> None:
    table = Table()
    table.release(ANN, at_ns=100, end_ns=130)
    table.release(ANN, at_ns=50, end_ns=80)
    table.keep(99, "held", held=True)
    assert (table.popped(200), table.refused) == ([], 0)


orders = st.lists(
    st.tuples(
        st.integers(0, 30),  # ns that pass before
        st.sampled_from(["strike", "strike", "held", "release", "advance"]),
        st.sampled_from([ANN, BOB, Owner(0, 2)]),
        st.integers(60, 62),
        st.integers(-40, 40),  # from now to the stroke or release
    ),
    max_size=60,
)


@given(orders, st.integers(0, 40))
def test_after_everybody_has_released_no_note_hangs_and_no_release_ends_anothers_note(
    plan: list[tuple[int, str, Owner, int, int]], delay_ns: int
) -> None:
    table = Table()
    now_ns = 0
    last_struck: dict[tuple[int, int], tuple[Owner, int | None]] = {}  # who, and when it ends by itself
    releases: dict[Owner, list[int]] = {ANN: [], BOB: [], Owner(0, 2): []}

    def advance() -> None:
        while (entry := table.pop(now_ns)) is not None:
            note = entry[1]
            table.strike(note, 64, now_ns)
            end_ns = None if note.note_ns is None else now_ns + note.note_ns
            last_struck[(note.channel, note.note)] = (note.owner, end_ns)
        for key in table.ended(now_ns):
            owner, end_ns = last_struck.pop(key)
            by_itself = end_ns is not None and end_ns <= now_ns
            assert by_itself or any(at_ns <= now_ns for at_ns in releases[owner])

    for gap_ns, what, owner, key, ahead_ns in plan:
        now_ns += gap_ns
        at_ns = now_ns + ahead_ns
        if what == "advance":
            advance()
        elif what == "release":
            table.release(owner, at_ns, at_ns + delay_ns)
            releases[owner].append(at_ns + delay_ns)
        else:
            length = None if what == "held" else 50
            table.add(at_ns + delay_ns, Note(1, key, owner, at_ns, length, ""))
    now_ns += 40
    for owner in releases:
        table.release(owner, now_ns + 1, now_ns + 1)
        releases[owner].append(now_ns + 1)
    now_ns += 200
    advance()
    assert (table.sounding, table.next_due_ns) == ((), None)
