"""Several kits and players on one voice: whose pad sounds what on which channel, and what is held until released."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.voice.message import CLOCK, note_off, note_on
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.sounding import SoundingTable
from lalelu.voice.voice import Strike, Voice

MS = 1_000_000
BOX = {"box": (-1.0, -1.0, 1.0, 1.0)}
ROCK = KitConfig.model_validate(
    {
        "name": "rock",
        "note_ms": 50,
        "pads": {
            "snare": {"zone": BOX, "note": 38},
            "open": {"zone": BOX, "note": 46, "choke": "hat", "note_ms": 400},
            "closed": {"zone": BOX, "note": 42, "choke": "hat"},
        },
    }
)
CHORDS = KitConfig.model_validate(
    {
        "name": "chords",
        "channel": 2,
        "pads": {
            "c": {"note": [60, 64], "note_ms": "hold"},
            "f": {"note": [60, 65], "note_ms": "hold"},
            "bell": {"note": 84, "channel": 5, "note_ms": 100},
            "open": {"zone": BOX, "note": 46, "channel": 10, "choke": "hat", "note_ms": 400},
            "closed": {"zone": BOX, "note": 42, "channel": 10, "choke": "hat"},
        },
        "gestures": {
            "left": {
                "gesture": "chord",
                "by": {"y": "left_wrist"},
                "between": [-1, 1],
                "pads": ["c", "f", "bell"],
            }
        },
    }
)
KITS = (ROCK, CHORDS)
SNARE, OPEN, CLOSED, C, F, BELL, OPEN_2, CLOSED_2 = range(1, 9)


class Stage:
    """A voice on a memory output, with a clock that is set."""

    def __init__(self, *, channels: Sequence[int | None] = (), delay_ms: int = 0) -> None:
        self.ns = 0
        self.output = MemoryOutput()
        self.table = SoundingTable(None)
        self.voice = Voice(
            [self.output],
            KITS,
            now_ns=lambda: self.ns,
            channels=channels,
            delay_ns=delay_ms * MS,
            table=self.table,
        )
        self.voice.open()

    def hit(self, pad: int, at_ms: int = 0, *, player: int = 0) -> list[bytes]:
        """What is sent when `pad` is hit at `at_ms`, strength 0.5."""
        self.ns = at_ms * MS
        self.voice.add(Strike(0, self.ns, self.ns, 0.5, player, 10, pad))
        return self.go_on(at_ms)

    def release(self, pad: int, at_ms: int, *, player: int = 0) -> list[bytes]:
        """What is sent when `pad` is released now and at `at_ms`."""
        self.voice.release(player, pad, at_ms * MS)
        return self.go_on(self.ns // MS)

    def go_on(self, at_ms: int) -> list[bytes]:
        """What is sent at `at_ms`."""
        self.ns = at_ms * MS
        before = len(self.output.sent)
        self.voice.advance(self.ns)
        assert set(self.voice.sounding) == set(self.table.left()) == self.output.sounding
        return [message for _, message in self.output.sent[before:]]


def on(channel: int, *notes: int) -> list[bytes]:
    return [note_on(channel, note, 64) for note in notes]


def off(channel: int, *notes: int) -> list[bytes]:
    return [note_off(channel, note) for note in notes]


# -- pads and channels --


def test_pads_are_numbered_over_all_kits() -> None:
    stage = Stage()
    assert [stage.hit(pad) for pad in (SNARE, C, BELL, OPEN_2)] == [
        on(10, 38),
        on(2, 60, 64),
        on(5, 84),
        on(10, 46),
    ]


@pytest.mark.parametrize(
    ("player", "snare", "chord"), [(0, 11, 11), (1, 10, 2), (2, 12, 12), (3, 10, 2), (255, 10, 2)]
)
def test_a_players_own_channel_replaces_the_kits_where_the_pad_names_none(
    player: int, snare: int, chord: int
) -> None:
    stage = Stage(channels=[11, None, 12])
    assert stage.hit(SNARE, player=player) == on(snare, 38)
    assert stage.hit(C, player=player) == on(chord, 60, 64)
    assert stage.hit(BELL, player=player) == on(5, 84)


def test_the_row_tells_the_channel_that_was_played_on() -> None:
    stage = Stage(channels=[None, 7])
    stage.voice.add(Strike(0, 0, 0, 0.5, 1, 10, SNARE))
    assert [(row.channel, row.note) for row in stage.voice.advance(0)] == [(7, 38)]


def test_players_of_one_kit_choke_their_own_hi_hats_only() -> None:
    stage = Stage(channels=[11, 12])
    stage.hit(OPEN, player=0)
    stage.hit(OPEN, player=1)
    assert stage.hit(CLOSED, 10, player=0) == [*off(11, 46), *on(11, 42)]
    assert (12, 46) in stage.voice.sounding


def test_players_who_share_a_channel_share_the_hi_hat() -> None:
    stage = Stage()
    stage.hit(OPEN, player=0)
    assert stage.hit(CLOSED, 10, player=1) == [*off(10, 46), *on(10, 42)]


def test_a_choke_group_does_not_reach_into_another_kit() -> None:
    stage = Stage()
    stage.hit(OPEN)
    assert stage.hit(CLOSED_2, 10) == on(10, 42)
    assert stage.hit(OPEN_2, 20) == [*off(10, 42), *off(10, 46), *on(10, 46)]
    assert stage.hit(CLOSED, 30) == on(10, 42)


# -- what is held --


def test_a_held_chord_sounds_until_it_is_released() -> None:
    stage = Stage()
    assert stage.hit(C) == on(2, 60, 64)
    assert (stage.voice.next_due_ns, stage.voice.busy) == (None, False)
    assert stage.go_on(100_000) == []
    assert stage.release(C, 100_000) == off(2, 60, 64)


def test_a_release_comes_as_late_as_the_notes_do() -> None:
    stage = Stage(delay_ms=60)
    stage.hit(C, 0)
    assert stage.go_on(60) == on(2, 60, 64)
    stage.ns = 130 * MS
    assert stage.release(C, 100) == []
    assert stage.voice.next_due_ns == 160 * MS
    assert stage.go_on(159) == []
    assert stage.go_on(160) == off(2, 60, 64)


def test_what_was_struck_after_a_release_and_waits_is_dropped_and_what_was_struck_before_sounds_shortly() -> (
    None
):
    stage = Stage(delay_ms=60)
    stage.hit(C, 10)
    stage.hit(F, 30)  # of another pad
    stage.hit(C, 40)
    assert stage.release(C, 40) == []
    assert stage.go_on(70) == on(2, 60, 64)
    assert stage.go_on(90) == [*off(2, 60), *on(2, 60, 65)]
    assert stage.go_on(100) == off(2, 64)  # 60 is F's by now
    assert stage.voice.sounding == ((2, 60), (2, 65))


def test_from_chord_to_chord_the_notes_change_at_once() -> None:
    stage = Stage(delay_ms=60)
    stage.hit(C, 0)
    stage.go_on(60)
    stage.ns = 200 * MS
    stage.voice.release(0, C, 200 * MS)
    stage.voice.add(Strike(0, 200 * MS, 200 * MS, 0.5, 0, 10, F))
    assert stage.go_on(260) == [*off(2, 60), *on(2, 60, 65), *off(2, 64)]


def test_a_release_ends_no_other_players_and_no_other_pads_notes() -> None:
    stage = Stage(channels=[None, 3])
    for player in (0, 1):
        stage.hit(C, player=player)
    stage.hit(BELL)
    assert stage.release(C, 10, player=1) == []
    assert stage.go_on(10) == off(3, 60, 64)
    assert stage.voice.sounding == ((2, 60), (2, 64), (5, 84))


def test_a_note_that_another_player_has_struck_again_is_theirs() -> None:
    stage = Stage()
    stage.hit(C, player=0)
    stage.hit(C, 5, player=1)
    assert stage.release(C, 5, player=0) == []
    assert stage.release(C, 5, player=1) == off(2, 60, 64)


def test_a_predicted_stroke_that_did_not_happen_never_sounds() -> None:
    stage = Stage(delay_ms=60)
    stage.hit(SNARE, 100)
    assert stage.release(SNARE, 100) == []
    assert (stage.go_on(1000), stage.voice.next_due_ns) == ([], None)


@pytest.mark.parametrize("ends", ["silence", "close"])
def test_held_notes_are_ended_with_all_others(ends: str) -> None:
    stage = Stage()
    stage.hit(C)
    getattr(stage.voice, ends)()
    assert (stage.output.sounding, stage.table.left()) == (set(), ())


def test_what_a_killed_voice_held_is_ended_by_the_next_one() -> None:
    killed = Stage()
    killed.hit(C)
    output = MemoryOutput()
    Voice([output], KITS, now_ns=lambda: 1, table=killed.table).open()
    assert [message for _, message in output.sent] == off(2, 60, 64)
    assert killed.table.left() == ()


# -- the clock --


def test_the_clock_ticks_with_the_notes_that_are_struck_on_the_beat_and_goes_on_when_all_is_silenced() -> (
    None
):
    stage = Stage(delay_ms=60)
    for tap_ms in (0, 480):
        stage.ns = (tap_ms + 40) * MS  # when a tap is known
        stage.voice.tap(tap_ms * MS)
    assert (stage.voice.next_due_ns, stage.voice.busy) == (540 * MS, False)
    stage.hit(SNARE, 480)
    assert stage.go_on(540) == [CLOCK, *on(10, 38)]
    stage.voice.silence()
    assert stage.voice.next_due_ns == 560 * MS
    assert stage.go_on(560) == [CLOCK]
    assert (stage.voice.bpm(), stage.go_on(2541)) == (None, [CLOCK])
    assert stage.voice.bpm() == 125.0
    assert stage.output.sounding == set()


def test_without_taps_no_clock_runs() -> None:
    stage = Stage()
    stage.voice.tap(0)
    assert (stage.voice.next_due_ns, stage.go_on(5000), stage.voice.bpm()) == (None, [], None)


Plan = list[tuple[str, int, int, int, int]]
steps: st.SearchStrategy[Plan] = st.lists(
    st.tuples(
        st.sampled_from(["hit", "hit", "hit", "release", "release", "silence", "tap", "delay"]),
        st.integers(0, 60),  # ms that pass before
        st.integers(SNARE, CLOSED_2),
        st.integers(0, 2),  # player
        st.integers(-60, 60),  # ms from now to the stroke or release
    ),
    max_size=50,
)


@given(steps, st.integers(-50, 100))
def test_whatever_is_played_and_released_nothing_is_left_when_all_have_let_go(
    plan: Plan, delay_ms: int
) -> None:
    stage = Stage(channels=[None, 3, None], delay_ms=delay_ms)
    at_ms = 1000
    for what, gap_ms, pad, player, ahead_ms in plan:
        at_ms += gap_ms
        stage.go_on(at_ms)
        at_ns = (at_ms + ahead_ms) * MS
        if what == "hit":
            stage.voice.add(Strike(0, 0, at_ns, 0.5, player, 1, pad))
        elif what == "release":
            stage.voice.release(player, pad, at_ns)
        elif what == "tap":
            stage.voice.tap(at_ns)
        elif what == "delay":
            stage.voice.delay_ns = ahead_ms * MS
        else:
            stage.voice.silence()
    for player in range(3):
        for pad in (C, F):
            stage.voice.release(player, pad, (at_ms + 200) * MS)
    stage.go_on(at_ms + 1000)  # longer than any delay and note
    stage.go_on(at_ms + 2000)
    assert (stage.voice.sounding, stage.voice.busy) == ((), False)
    sounding: set[tuple[int, int]] = set()
    for _, message in stage.output.sent:
        key = (message[0] & 0x0F, message[len(message) // 2])
        if message[0] & 0xF0 == 0x90:
            assert key not in sounding
            sounding.add(key)
        elif message != CLOCK:
            sounding.remove(key)
    assert sounding == set()
