from dataclasses import replace

import numpy as np
import pytest
from tuning.lessons import rock, times

from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.tuning.lesson import Judge
from lalelu.tuning.outcome import together
from lalelu.tuning.parameters import GROUPS, Parameter, changes, parameters_of, with_values
from lalelu.tuning.practice import movements, practised
from lalelu.tuning.study import search, spared

ROCK = load_kit("rock", None)
DEAF = with_values(ROCK, {"strike.min_speed": 3.4})  # the right hand's strokes are 2.3 body units/s fast
JUDGE = Judge(Config(), 50.0, "pad")
ANYWHERE = {"limb": "left_wrist", "zone": {"half_plane": [0, -5, 90]}}


class Here:
    """Plays in this process."""

    def __init__(self, *lessons, count=2):
        self.count = count
        self.lessons = lessons
        self.kits = []

    def play(self, kits):
        self.kits += kits
        return [[JUDGE.play(lesson, kit) for lesson in self.lessons] for kit in kits]


@pytest.fixture(scope="module")
def soft():
    return rock(height=0.18)


def test_a_kit_that_is_deaf_to_soft_strokes_is_tuned_to_hear_them(soft):
    workers = Here(soft)
    tuned = search(DEAF, parameters_of(DEAF, {}, ["strike"]), workers, window_ms=50.0, trials=12, seed=1)
    before, after = (
        [together([parts[held] for parts in each]) for held in (0, 1)] for each in (tuned.before, tuned.after)
    )
    assert max(part.f1 for part in before) < 0.5
    assert min(part.f1 for part in after) > 0.95
    assert tuned.kit.strike.min_speed < 2.4
    assert (tuned.trials, len(workers.kits)) == (12, 13)


def test_what_does_not_help_stays_as_it_was(soft):
    workers = Here(soft)
    pads = dict.fromkeys(("hihat", "snare"), 9)
    tuned = search(DEAF, parameters_of(DEAF, pads, GROUPS), workers, window_ms=50.0, trials=12, seed=1)
    kept = spared(DEAF, tuned, workers)
    assert changes(DEAF, kept.kit).keys() == {("strike", "min_speed")} < changes(DEAF, tuned.kit).keys()
    assert kept.after == workers.play([kept.kit])[0]
    f1, f1_of_all = (together([tuned_on for tuned_on, _ in each.after]).f1 for each in (kept, tuned))
    assert f1 >= f1_of_all


def test_the_same_seed_finds_the_same_kit(soft):
    space = parameters_of(DEAF, {}, ["strike"])
    found = [search(DEAF, space, Here(soft), window_ms=50.0, trials=6, seed=4).kit for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] != search(DEAF, space, Here(soft), window_ms=50.0, trials=6, seed=5).kit


def test_where_nothing_is_better_the_kit_stays_as_it_is(soft):
    kit = with_values(ROCK, {"strike.min_speed": 1.0})
    space = (Parameter("strike.min_speed", 3.0, 3.5, 3.2),)  # all of them deaf
    assert search(kit, space, Here(soft), window_ms=50.0, trials=4).kit == kit


def test_no_time_is_no_trial(soft):
    workers = Here(soft)
    tuned = search(DEAF, parameters_of(DEAF, {}, ["strike"]), workers, window_ms=50.0, trials=9, seconds=0.0)
    assert (tuned.trials, workers.kits) == (0, [DEAF])


def test_a_pattern_that_was_played_along_with_gives_the_truth(soft):
    found = practised("soft", soft.take, Config(), DEAF, "rock", 120.0)
    for limb, pad in (("left_wrist", "snare"), ("right_wrist", "hihat")):
        mine, real = ([hit for hit in hits if hit.limb == limb] for hits in (found.truth, soft.truth))
        assert {hit.pad for hit in mine} == {pad}
        assert len(mine) == len(real)
        assert np.abs(times(mine) - times(real)).max() < 0.02
    assert found.alignment.extra == ()


def test_what_was_done_is_found_whatever_the_kit_foresees_or_has_learned(soft):
    plain = movements(soft.take, Config(), DEAF)
    foresees = Config.model_validate({"timing": {"lead_ms": 30}})
    learned = DEAF.model_copy(update={"detector": "learned"})
    assert movements(soft.take, foresees, learned) == plain
    assert {hit.pad for hit in plain} == {"snare", "hihat"}


def test_with_a_pattern_only_its_limbs_count_an_open_hihat_is_one_and_no_spread_is_told(soft):
    gestures = {
        "pedal": {"gesture": "hihat", "pad": "hihat", "open_pad": "open_hihat"},
        "stomp": {"gesture": "kick", "pad": "kick"},
        "rest": {
            "gesture": "hold",
            "command": "standby",
            "where": [{"limb": "left_wrist", "zone": {"half_plane": [0, -5, 90]}}],
        },
    }
    data = ROCK.model_dump(mode="json")
    pads = {**data["pads"], "open_hihat": {"note": 46}, "kick": {"note": 36}}
    kit = KitConfig.model_validate({**data, "pads": pads, "gestures": gestures})
    by_truth = JUDGE.play(soft, ROCK)
    by_pattern = JUDGE.play(replace(soft, by_pattern=True), kit)
    assert [part.f1 for part in by_pattern] == [part.f1 for part in by_truth]
    assert [part.sd_ms for part in by_pattern] == [None, None]
    assert by_truth[0].sd_ms > 0.0


@pytest.mark.parametrize(("pattern", "bpm"), [("rock", 97.0), ("single", 120.0)])
def test_another_pattern_or_tempo_than_was_played_is_refused(soft, pattern, bpm):
    with pytest.raises(UsageError, match="check pattern and tempo"):
        practised("soft", soft.take, Config(), DEAF, pattern, bpm)
