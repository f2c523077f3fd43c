"""A measure chooses one of several pads: the right one, soon, and none of those that an arm only passes."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from drummer import stamps
from hypothesis import given, settings
from hypothesis import strategies as st
from onlooker import NOISE, START_NS, acts, body, dropped, glide, sights

from lalelu.config.gestures import Chord
from lalelu.gesture.act import End, Sight, Sound, StandIn
from lalelu.gesture.chord import ChordPlayer

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

RATES = [24, 30, 60, 100, 200]
STEP = 0.3  # body units
PADS = ["c", "f", "g", "am"]
ACROSS = {
    "gesture": "chord",
    "by": {"x": "left_wrist"},
    "between": [0.0, STEP * len(PADS)],
    "pads": PADS,
}
OUTSIDE = -0.6


def chord(**more) -> ChordPlayer:
    return ChordPlayer(Chord.model_validate(ACROSS | more))


def middle(pad: str) -> float:
    return (PADS.index(pad) + 0.5) * STEP


def visits(t, *places, seconds=0.25, **more):
    """Film a wrist at (begin s, pad or x)."""
    stops = [(begin, middle(place) if isinstance(place, str) else place, 0.0) for begin, place in places]
    return sights(t, {"left_wrist": glide(t, stops, seconds=seconds)}, **more)


def sounds(gesture, film):
    return [(at, act.pad) for at, act in acts(gesture, film) if isinstance(act, Sound)]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one hears: a pad from its sound to its end."""

    pad: str
    begin: float
    end: float | None = None


def heard(gesture, film) -> list[Piece]:
    """Pair every sound with its end; fails where one sounds twice, or ends without sounding."""
    pieces: list[Piece] = []
    now = None
    for at, act in acts(gesture, film):
        if isinstance(act, Sound):
            assert now is None
            now = Piece(act.pad, at)
        else:
            assert isinstance(act, End)
            assert now is not None
            assert (now.pad, act.at_ns) == (act.pad, START_NS + round(at * 1e9))
            pieces.append(Piece(now.pad, now.begin, at))
            now = None
    return pieces if now is None else [*pieces, now]


def test_a_chord_sounds_with_its_limb_and_velocity_as_soon_as_it_is_sure():
    film = visits(stamps(1.0), (0.0, "f"))
    ((at, act),) = acts(chord(velocity=77), film)
    assert act == Sound("f", "left_wrist", START_NS + round(at * 1e9), None, 77)
    assert at == pytest.approx(0.04)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fps", RATES)
def test_every_chord_of_a_song_sounds_once_and_in_its_order(fps, seed):
    t = stamps(16.0, fps, phase=seed / 3)
    song = [
        "c",
        "f",
        "g",
        "am",
        "f",
        "g",
        "c",
        "f",
        "c",
        "f",
        "g",
        "f",
        "am",
        "g",
        "f",
    ]  # neighbours and leaps
    film = visits(t, *enumerate(song), seconds=0.2, sd=NOISE, seed=seed)
    pieces = heard(chord(), film)
    assert [piece.pad for piece in pieces] == song
    assert all(before.end == after.begin for before, after in pairwise(pieces))


@pytest.mark.parametrize("fps", RATES)
def test_a_chord_sounds_within_a_tenth_of_a_second_of_the_arms_arrival(fps):
    film = visits(stamps(3.0, fps), (0.0, "c"), (1.0, "f"), (2.0, "am"), sd=NOISE)
    late = [at - begin - 0.25 for (at, _), begin in zip(sounds(chord(), film)[1:], (1.0, 2.0), strict=True)]
    assert max(late) < 0.1


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seconds", [0.12, 0.2, 0.25])
def test_an_arm_that_moves_from_one_end_to_the_other_sounds_nothing_between(fps, seconds):
    for seed in range(4):
        t = stamps(3.0, fps, phase=seed / 4)
        film = visits(t, (0.0, "c"), (1.0, "am"), (2.0, "c"), seconds=seconds, sd=NOISE, seed=seed)
        assert [pad for _, pad in sounds(chord(), film)] == ["c", "am", "c"]


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seconds", [0.9, 3.0])
def test_a_slow_arm_plays_every_chord_on_its_way(fps, seconds):
    film = visits(stamps(5.0, fps), (0.0, "c"), (1.0, "am"), seconds=seconds, sd=NOISE)
    assert [pad for _, pad in sounds(chord(), film)] == PADS


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("at", [STEP, STEP + 0.05, 2 * STEP - 0.04])
def test_an_arm_that_rests_at_the_edge_of_two_chords_keeps_one(fps, at):
    for seed in range(4):
        film = visits(stamps(20.0, fps), (0.0, at), sd=NOISE, seed=seed)
        assert len(sounds(chord(), film)) <= 2


@pytest.mark.parametrize("fps", RATES)
def test_a_chord_that_is_left_to_the_outside_ends(fps):
    film = visits(stamps(4.0, fps), (0.0, OUTSIDE), (1.0, "c"), (2.0, OUTSIDE), sd=NOISE)
    (piece,) = heard(chord(), film)
    assert piece.pad == "c"
    assert piece.end is not None
    assert 2.0 < piece.end < 2.3


def test_the_outer_edges_have_hysteresis_as_well():
    within, beyond = -0.1 * STEP, -0.2 * STEP
    film = visits(stamps(4.0), (0.0, within), (1.0, "c"), (2.0, within), (3.0, beyond))
    (piece,) = heard(chord(), film)
    assert piece.begin > 1.0
    assert piece.end is not None
    assert piece.end > 3.0


@pytest.mark.parametrize("frames", [1, 5, 20])
def test_a_chord_goes_on_while_the_limb_is_not_known_for_a_moment(frames):
    hidden = {"left_wrist": range(100, 100 + frames)}
    film = visits(stamps(3.0), (0.0, "g"), sd=NOISE, hidden=hidden)
    assert [(piece.pad, piece.end) for piece in heard(chord(), film)] == [("g", None)]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_chord_ends_when_its_limb_has_gone_and_sounds_again_when_it_is_back(frozen):
    film = visits(stamps(3.0), (0.0, "g"), hidden={"left_wrist": range(100, 200)})
    if frozen:  # no frames came meanwhile
        film = film[:100] + film[200:]
    first, second = heard(chord(), film)
    assert first.end == pytest.approx(2.0 if frozen else 1.24)
    assert (second.pad, second.begin, second.end) == ("g", pytest.approx(2.04), None)


def test_a_jump_of_the_keypoint_changes_nothing():
    film = visits(stamps(3.0), (0.0, "c"), sd=NOISE)
    for frame in (100, 101, 150, 200):
        film[frame].points["left_wrist"] = (middle("am"), 0.0)
    assert [pad for _, pad in sounds(chord(), film)] == ["c"]


def test_dropped_frames_cost_no_chord():
    song = ["c", "f", "g", "am", "f", "g", "c"]
    film = dropped(visits(stamps(8.0, 60), *enumerate(song), seconds=0.2, sd=NOISE), 0.3, seed=1)
    assert [piece.pad for piece in heard(chord(), film)] == song


def test_an_elbows_angle_chooses_as_a_place_does():
    t = stamps(4.0)
    turn = np.radians(glide(t, [(0.0, 55.0, 0.0), (1.0, 85.0, 0.0), (2.0, 145.0, 0.0)], seconds=0.25)[:, 0])
    elbow = np.tile([-0.5, -0.7], (len(t), 1))
    wrist = elbow + 0.7 * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    limbs = {"left_shoulder": elbow + np.array([0.0, 0.7]), "left_elbow": elbow, "left_wrist": wrist}
    by = {"angle": list(limbs)}
    gesture = chord(by=by, between=[40, 160], pads=PADS)
    assert gesture.limbs == tuple(limbs)
    assert [pad for _, pad in sounds(gesture, sights(t, limbs, sd=NOISE))] == ["c", "f", "am"]


def test_ends_that_are_exchanged_turn_the_order_round():
    film = visits(stamps(3.0), (0.0, "c"), (1.0, "g"))
    assert [pad for _, pad in sounds(chord(between=[4 * STEP, 0.0]), film)] == ["am", "f"]


def test_with_struck_the_chosen_pad_stands_in_and_nothing_sounds_by_itself():
    film = visits(stamps(4.0), (0.0, "c"), (1.0, "am"), (2.0, OUTSIDE), (3.0, "f"), sd=NOISE)
    told = [act for _, act in acts(chord(struck="strings"), film)]
    assert told == [StandIn("strings", pad) for pad in ("c", "am", None, "f")]


@pytest.mark.parametrize(
    ("struck", "end"), [(None, [End("g", 9 * START_NS)]), ("strings", [StandIn("strings", None)])]
)
def test_a_rest_ends_what_sounds_and_the_next_frame_begins_anew(struck, end):
    gesture = chord(struck=struck)
    film = visits(stamps(2.0), (0.0, "g"))
    assert len(acts(gesture, film[:100])) == 1
    assert list(gesture.rest(9 * START_NS)) == end
    assert list(gesture.rest(9 * START_NS)) == []
    assert len(acts(gesture, film[100:])) == 1


def test_only_the_time_between_frames_counts():
    film = visits(stamps(4.0), (0.0, "c"), (1.0, "g"), (2.0, OUTSIDE), (3.0, "f"), sd=NOISE)
    later = [Sight(sight.captured_ns + 10**15, sight.points, sight.body) for sight in film]
    now, then = acts(chord(), film), acts(chord(), later)
    assert [act.pad for _, act in then] == [act.pad for _, act in now]
    assert [at - 1e6 for at, _ in then] == pytest.approx([at for at, _ in now], abs=1e-6)


@MANY
@given(
    st.lists(st.tuples(st.integers(1, 4 * 10**8), st.none() | st.floats(-1.0, 2.0)), max_size=80),
    st.sampled_from([0.0, 0.15, 0.5]),
    st.integers(1, 4),
)
def test_whatever_is_shown_every_end_has_its_sound_and_no_two_pads_sound_at_once(frames, hysteresis, count):
    gesture = chord(hysteresis=hysteresis, pads=PADS[:count])
    now_ns = START_NS
    film = []
    for gap_ns, x in frames:
        now_ns += gap_ns
        film.append(Sight(now_ns, {"left_wrist": None if x is None else (x, 0.0)}, body()))
    pieces = heard(gesture, film)
    open_pads = [piece.pad for piece in pieces if piece.end is None]
    assert list(gesture.rest(now_ns)) == [End(pad, now_ns) for pad in open_pads]
