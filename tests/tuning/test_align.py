from dataclasses import replace

import numpy as np
import pytest

from lalelu.config.loader import load_kit
from lalelu.errors import UsageError
from lalelu.hits import HitRecord
from lalelu.tuning.align import align
from lalelu.tuning.pattern import PATTERNS, bar_of, bar_s

ROCK = load_kit("rock", None)
BPM = 100.0
BAR_S = bar_s(BPM)


def performance(name, *, bars=8, begins_s=1.7, jitter_s=0.015, missed=(), extra=(), bpm=BPM, seed=1):
    """What somebody plays: (hits by time, the (time meant, limb, pad) of each stroke that was played)."""
    rng = np.random.default_rng(seed)
    strokes = [
        (begins_s + number * bar_s(bpm) + one.time_s, one)
        for number in range(bars)
        for one in bar_of(name, bpm, ROCK)
    ]
    kept = [stroke for place, stroke in enumerate(strokes) if place not in missed]
    played = [(time_s + float(rng.normal(0.0, jitter_s)), time_s, one) for time_s, one in kept]
    hits = [HitRecord(at_s, one.limb, one.pad) for at_s, _, one in played]
    hits += [HitRecord(*each) for each in extra]
    meant = sorted((at_s, one.limb, one.pad) for at_s, _, one in played)
    return sorted(hits, key=lambda hit: hit.time_s), meant


def truth_of(name, hits, bpm=BPM):
    found = align(bar_of(name, bpm, ROCK), bar_s(bpm), hits)
    return found, sorted((hit.time_s, hit.limb, hit.pad) for hit in found.truth(hits))


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
def test_every_stroke_is_the_one_that_was_meant(name, jitter_s):
    hits, meant = performance(name, jitter_s=jitter_s)
    found, truth = truth_of(name, hits)
    assert truth == meant
    assert found.extra == ()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("extra", [(), ((0.9, "left_wrist"),)], ids=["clean", "moved before"])
def test_hands_that_alternate_play_the_pads_that_were_meant(seed, extra):
    hits, meant = performance("fill", jitter_s=0.02, seed=seed, extra=extra)
    _, truth = truth_of("fill", hits)
    assert truth == meant


def test_some_strokes_may_be_heard_on_other_pads():
    hits, meant = performance("fill", jitter_s=0.02)
    heard = [replace(hit, pad=("snare", None, hit.pad)[place % 3]) for place, hit in enumerate(hits)]
    assert truth_of("fill", heard)[1] == meant


def test_a_first_and_a_last_stroke_that_are_early_make_no_bar_of_their_own():
    hits, _ = performance("rock", jitter_s=0.0, bars=4)
    late_s = hits[-1].time_s + 0.5 * 60.0 / BPM
    hits = [replace(hit, time_s=hit.time_s - 0.03 * (place < 1)) for place, hit in enumerate(hits)]
    found, truth = truth_of("rock", [*hits, HitRecord(late_s - 0.02, "right_wrist", "hihat")])
    assert len(truth) == len(hits) + 1
    assert found.fit > 0.95


def test_half_of_what_was_asked_for_is_not_the_pattern():
    hits, _ = performance("rock", jitter_s=0.0)
    alone = [hit for hit in hits if hit.pad == "snare"]
    assert align(bar_of("rock", BPM, ROCK), BAR_S, alone) is None
    found = align(bar_of("rock", BPM, ROCK), BAR_S, [hit for hit in hits if hit.time_s < 4.0] + alone[4:])
    assert found.fit < 1.0


def test_the_beginning_is_found_within_a_few_milliseconds():
    hits, _ = performance("rock", begins_s=1.7)
    found, _ = truth_of("rock", hits)
    assert found.begins_s == pytest.approx(1.7 % BAR_S, abs=0.01)


def test_a_missed_stroke_is_true_at_the_patterns_time():
    hits, meant = performance("rock", jitter_s=0.0, missed=(13, 24))
    _, truth = truth_of("rock", hits)
    added = [hit for hit in truth if hit not in meant]
    assert len(added) == 2
    all_meant = performance("rock", jitter_s=0.0)[1]
    assert [hit[1:] for hit in truth] == [hit[1:] for hit in all_meant]
    assert [hit[0] for hit in truth] == pytest.approx([hit[0] for hit in all_meant], abs=1e-6)


def test_extra_strokes_are_none_of_the_pattern():
    extra = ((3.05, "left_wrist"), (5.43, "right_wrist"), (0.2, "right_wrist"))
    hits, meant = performance("rock", extra=extra)
    found, truth = truth_of("rock", hits)
    assert truth == meant
    assert {(hits[index].time_s, hits[index].limb) for index in found.extra} == set(extra)


def test_what_is_missed_extra_and_late_at_once_is_told_apart():
    hits, meant = performance(
        "fill", jitter_s=0.025, missed=(5, 17, 18, 40), extra=((4.0, "left_wrist"), (7.5, "right_wrist"))
    )
    found, truth = truth_of("fill", hits)
    assert set(meant) <= set(truth)
    assert len(truth) == len(meant) + 4
    assert len(found.extra) == 2


def test_a_fast_pattern_is_told_apart_by_its_order():
    hits, meant = performance("rock", bpm=150.0, jitter_s=0.03, seed=3)
    _, truth = truth_of("rock", hits, bpm=150.0)
    assert truth == meant


def test_a_rest_between_is_no_missed_bar():
    first, meant = performance("rock", bars=3)
    later, more = performance("rock", bars=3, begins_s=1.7 + 6 * BAR_S, seed=2)
    _, truth = truth_of("rock", first + later)
    assert truth == meant + more


def test_where_nothing_was_played_nothing_is_found():
    bar = bar_of("rock", BPM, ROCK)
    assert align(bar, BAR_S, []) is None
    assert align(bar, BAR_S, [HitRecord(1.0, "left_ankle")]) is None


def test_a_left_handed_player_plays_with_the_other_hands():
    right, left = bar_of("rock", BPM, ROCK), bar_of("rock", BPM, ROCK, left_handed=True)
    assert {one.limb for one in right if one.pad == "snare"} == {"left_wrist"}
    assert {one.limb for one in left if one.pad == "snare"} == {"right_wrist"}


@pytest.mark.parametrize(
    ("name", "bpm", "rule"), [("polka", 100.0, "allowed are"), ("rock", 20.0, "30 to 300")]
)
def test_a_pattern_or_tempo_that_nobody_plays_is_refused(name, bpm, rule):
    with pytest.raises(UsageError, match=rule):
        bar_of(name, bpm, ROCK)


def test_a_pattern_needs_its_pads():
    with pytest.raises(UsageError, match="ride"):
        bar_of("ride", BPM, load_kit("minimal", None))
