import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posed_people import person

from lalelu.config.schema import PlayerSection
from lalelu.pose.multipose import Person
from lalelu.pose.people import DOUBLE, ENTRY_FRAMES, SAME, People, best_match, similarity
from lalelu.skeleton import COCO17

FRAME_NS = 10_000_000
SIZE = 0.12  # shoulder width, image heights
LEGS = ("left_knee", "right_knee", "left_ankle", "right_ankle", "left_hip", "right_hip")


def sight(x, y=0.3, size=SIZE, *, score=0.6, hidden=(), rng=None, **moved):
    """What the network tells of somebody with mid-shoulder at x, y (image heights)."""
    places = person(x, y, size, **moved).astype(float)
    if rng is not None:
        places += rng.normal(0.0, 0.03 * size, places.shape)
    scores = [0.05 if name in hidden else 0.7 for name in COCO17]
    left, top, right, bottom = *places.min(axis=0), *places.max(axis=0)
    return Person(tuple(places.reshape(-1).tolist()), tuple(scores), score, (left, top, right, bottom))


def numbers(people, at_ns, seen):
    """Return the number of each of `seen`, None for those who do not play."""
    given_to = {who: number for number, who in people.see(at_ns, seen)}
    return [given_to.get(who) for who in seen]


def let_in(people, *seen, from_ns=0):
    """Show the same people until they play; return the next frame's stamp."""
    for frame in range(ENTRY_FRAMES):
        people.see(from_ns + frame * FRAME_NS, seen)
    return from_ns + ENTRY_FRAMES * FRAME_NS


def test_a_newcomer_plays_once_seen_in_enough_frames_in_a_row():
    people = People(PlayerSection())
    found = [numbers(people, n * FRAME_NS, [sight(0.6)]) for n in range(ENTRY_FRAMES + 2)]
    assert found == [[None]] * (ENTRY_FRAMES - 1) + [[0]] * 3


def test_a_false_sighting_that_flickers_never_plays():
    people = People(PlayerSection())
    seen = [[sight(0.6)] if n % ENTRY_FRAMES else [] for n in range(100)]
    assert [people.see(n * FRAME_NS, each) for n, each in enumerate(seen)] == [[]] * 100


def test_those_who_come_together_are_numbered_from_the_pictures_left():
    people = People(PlayerSection())
    right, middle, left = sight(1.1), sight(0.6), sight(0.2)
    at_ns = let_in(people, right, middle, left)
    assert numbers(people, at_ns, [right, middle, left]) == [2, 1, 0]


def walk_past(people, *, rng, speed, stamps, behind=None):
    """Let two people of one size walk past each other; return who has which number in the end.

    Within 0.7 shoulder widths only the first is seen. `speed` in shoulder widths a second.
    """
    end_s = stamps[-1]
    at_ns = 0
    for time_s in stamps:
        way = speed * SIZE * (time_s - 0.5 * end_s)
        first, second = sight(0.7 + way, rng=rng), sight(0.7 - way, behind or 0.3, rng=rng)
        seen = [first] if abs(2 * way) < 0.7 * SIZE else [first, second]
        at_ns = round(time_s * 1e9)
        told = numbers(people, at_ns, seen)
    return told


@pytest.mark.parametrize("speed", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("seed", range(5))
def test_two_who_walk_past_each_other_keep_their_numbers(speed, seed):
    rng = np.random.default_rng(seed)
    stamps = np.arange(0.0, 3.0, 0.01)
    assert walk_past(People(PlayerSection()), rng=rng, speed=speed, stamps=stamps) == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_two_who_walk_past_each_other_keep_their_numbers_while_frames_come_unevenly(seed):
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.choice([0.01, 0.017, 0.033, 0.066], 90))
    assert walk_past(People(PlayerSection()), rng=rng, speed=2.0, stamps=stamps) == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_two_who_are_both_seen_while_they_cross_keep_their_numbers(seed):
    rng = np.random.default_rng(seed)
    people = People(PlayerSection())
    for n in range(300):
        way = 3.0 * SIZE * (n / 100 - 1.5)
        seen = [sight(0.7 + way, rng=rng), sight(0.7 - way, 0.36, 1.15 * SIZE, rng=rng)]
        told = numbers(people, n * FRAME_NS, seen)
    assert told == [0, 1]


def test_one_who_is_hidden_while_drumming_keeps_the_number():
    people = People(PlayerSection())
    at_ns = let_in(people, sight(0.4), sight(0.9))
    assert numbers(people, at_ns, [sight(0.9)]) == [1]
    assert numbers(people, at_ns + 400_000_000, [sight(0.42), sight(0.9)]) == [0, 1]


def test_one_who_walks_faster_while_hidden_is_known_again():
    people = People(PlayerSection())
    at_ns = let_in(people, sight(0.4), sight(0.9))
    for n in range(1, 41):
        people.see(at_ns + n * FRAME_NS, [sight(0.9)])
    back = sight(0.4 + 2.0 * SIZE, hidden=LEGS)  # two shoulder widths from where anybody expects them
    seen = [back, sight(0.9)]
    told = [numbers(people, at_ns + n * FRAME_NS, seen) for n in range(41, 41 + ENTRY_FRAMES)]
    assert told == [[None, 1]] * (ENTRY_FRAMES - 1) + [[0, 1]]


def test_somebody_who_was_seen_beside_a_player_is_not_taken_for_them():
    people = People(PlayerSection(lost_ms=1000), limit=1)
    at_ns = let_in(people, sight(0.5), sight(0.8))
    told = [numbers(people, at_ns + n * FRAME_NS, [sight(0.8 - 0.003 * n)]) for n in range(90)]
    assert told == [[None]] * 90


def test_somebody_who_leaves_frees_the_number_only_after_lost_ms():
    people = People(PlayerSection(lost_ms=500))
    at_ns = let_in(people, sight(0.3), sight(0.8))
    came = sight(1.2)
    for n in range(40):
        told = numbers(people, at_ns + n * FRAME_NS, [sight(0.8), came])
    assert told == [1, 2]
    people.see(at_ns + 600_000_000, [sight(0.8), came])
    at_ns += 610_000_000
    third = sight(0.5)
    for n in range(ENTRY_FRAMES):
        told = numbers(people, at_ns + n * FRAME_NS, [sight(0.8), came, third])
    assert told == [1, 2, 0]


def test_no_more_play_than_may_and_the_next_one_follows_when_a_number_is_free():
    people = People(PlayerSection(lost_ms=200), limit=1)
    at_ns = let_in(people, sight(0.3), sight(0.8))
    assert numbers(people, at_ns, [sight(0.3), sight(0.8)]) == [0, None]
    told = [numbers(people, at_ns + n * FRAME_NS, [sight(0.8)]) for n in range(1, 30)]
    assert told[0] == [None]
    assert told[-1] == [0]


def test_a_player_half_behind_a_table_keeps_the_number_and_the_hands():
    people = People(PlayerSection())
    at_ns = let_in(people, sight(0.6))
    for n in range(100):
        seen = [sight(0.6 + 0.001 * n, hidden=LEGS if n % 7 else (*LEGS, "left_shoulder", "left_elbow"))]
        assert numbers(people, at_ns + n * FRAME_NS, seen) == [0]


def test_fast_strokes_do_not_cost_a_player_the_number():
    people = People(PlayerSection())
    at_ns = let_in(people, sight(0.6))
    for n in range(200):
        lift = 0.9 * np.sin(2 * np.pi * 6 * n * 0.033)
        moved = {"left_wrist": (0.6, 0.6 + lift), "right_wrist": (-0.6, 0.6 - lift)}
        assert numbers(people, at_ns + n * 33_000_000, [sight(0.6, **moved)]) == [0]


def test_each_player_must_begin_in_the_region_and_be_large_enough():
    people = People(PlayerSection(region=(0.0, 0.0, 1.0, 0.6), min_size=0.1))
    seen = [sight(0.3), sight(1.2), sight(0.7, size=0.08), sight(0.9, size=0.105)]
    at_ns = let_in(people, *seen)
    assert numbers(people, at_ns, seen) == [0, None, None, 1]
    at_ns += FRAME_NS
    for n in range(100):  # once in, a player may leave the region
        told = numbers(people, at_ns + n * FRAME_NS, [sight(0.3), sight(0.9 + 0.003 * n, size=0.105)])
    assert told == [0, 1]


def test_one_person_seen_twice_plays_once():
    people = People(PlayerSection())
    twice = [sight(0.6), sight(0.607, score=0.4)]
    at_ns = let_in(people, *twice)
    assert numbers(people, at_ns, twice) == [0, None]


def test_a_small_person_behind_does_not_take_over():
    people = People(PlayerSection())
    at_ns = let_in(people, sight(0.6))
    for n in range(60):
        assert numbers(people, at_ns + n * FRAME_NS, [sight(0.6, size=0.05)]) in ([None], [1])
    assert numbers(people, at_ns + 600_000_000, [sight(0.6)]) == [0]


def test_faint_people_do_not_begin_to_play_but_players_may_become_faint():
    people = People(PlayerSection())
    assert numbers(people, let_in(people, sight(0.6, score=0.15)), [sight(0.6, score=0.15)]) == [None]
    at_ns = let_in(people, sight(0.6), from_ns=10**9)
    assert numbers(people, at_ns, [sight(0.6, score=0.15)]) == [0]


def test_similarity_is_what_its_names_say():
    here = sight(0.6)
    unit = 2.0 * SIZE

    def alike(other):
        return similarity(here.places, here.scores, other, unit, 0.0, 0.0)

    assert alike(here) == 1.0
    assert alike(sight(0.6 + 0.05 * SIZE)) > DOUBLE
    assert alike(sight(0.6 + SIZE)) < SAME
    assert similarity(here.places, here.scores, sight(0.6, hidden=COCO17[:14]), unit, 0.0, 0.0) == 0.0


@st.composite
def performances(draw):
    """Frames of up to four people who walk, hide and overlap, with uneven stamps, in two different orders."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ways = rng.uniform(0.2, 1.2, 4), rng.uniform(-0.4, 0.4, 4), rng.uniform(0.06, 0.15, 4)
    time_s, frames = 0.0, []
    for _ in range(draw(st.integers(1, 40))):
        time_s += float(rng.uniform(0.005, 0.3))
        seen = [
            sight(x + v * time_s, size=size, score=round(float(rng.uniform(0.1, 0.9)), 1), rng=rng)
            for x, v, size in zip(*ways, strict=True)
            if rng.random() < 0.9
        ]
        frames.append((round(time_s * 1e9), seen, [seen[at] for at in rng.permutation(len(seen))]))
    return frames


@settings(max_examples=60, deadline=None)
@given(performances())
def test_the_order_in_which_the_network_names_people_changes_nothing(frames):
    one, other = People(PlayerSection()), People(PlayerSection())
    for at_ns, seen, shuffled in frames:
        told = one.see(at_ns, seen)
        assert told == other.see(at_ns, shuffled)
        assert len({number for number, _ in told}) == len(told)
        assert {who for _, who in told} <= set(seen)


@given(st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), max_size=4))
def test_the_best_match_is_the_best_of_all(table):
    found = best_match(table)
    taken = [column for column in found if column is not None]
    assert len(set(taken)) == len(taken)
    assert all(table[row][column] > 0 for row, column in enumerate(found) if column is not None)
    every = itertools.permutations([0, 1, 2, 3], len(table))
    best = max(sum(table[row][column] for row, column in enumerate(way)) for way in every)
    assert sum(table[row][column] for row, column in enumerate(found) if column is not None) == best
