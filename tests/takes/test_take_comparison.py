import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from system.stage import lalelu

from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit
from lalelu.config.schema import Config
from lalelu.hits import HitRecord, read_hits
from lalelu.take import read_take
from lalelu.takes.comparison import compare
from lalelu.takes.replaying import play, traces

GOLDEN = Path(__file__).parents[1] / "golden"
KIT = load_kit(str(GOLDEN / "kit.yaml"), None)
TAKE = read_take(GOLDEN / "rock_100.take.gz")
HITS = [HitRecord(time_s, "left_wrist", "snare", note_s=time_s + 0.02) for time_s in (1.0, 2.0, 2.05, 3.0)]


def shifted(hits, by_s):
    return [replace(hit, note_s=hit.note_s + by_s) for hit in hits]


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        (HITS, "no difference: the same 4 hits"),
        ([], "-3 hits, -1 double"),
        (shifted([HITS[0], HITS[1], HITS[3]], -0.003), "-1 double, 3 ms earlier"),
        ([*HITS, HitRecord(4.0, "left_wrist", "snare")], "+1 hit"),
        ([replace(HITS[0], pad="tom"), *HITS[1:]], "1 on another pad"),
    ],
)
def test_the_difference_is_told_in_a_sentence(after, sentence):
    assert compare(HITS, after).sentence == sentence


def test_every_pad_that_changes_has_a_sentence_of_its_own():
    after = [*HITS, HitRecord(4.0, "right_wrist", "tom"), HitRecord(5.0, "right_wrist", "tom")]
    assert compare(HITS, after).pad_sentences == {"tom": "+2 hits"}


def test_a_kit_that_hears_less_is_worse_against_the_truth():
    data = KIT.model_dump(mode="json")
    deaf = KitConfig.model_validate({**data, "strike": {**data["strike"], "min_speed": 4.0}})
    truth = read_hits(GOLDEN / "rock_100.truth.jsonl")
    before, after = (play(TAKE, Config(), [kit]).hits for kit in (KIT, deaf))
    result = compare(before, after, truth)
    lost = len(before) - len(after)
    assert lost > 0
    assert result.sentence.startswith(f"-{lost} hits; against the truth F1 1.000 -> 0.")
    assert result.after_truth.missed == lost


def test_a_trace_is_the_limbs_height_and_lowest_where_it_strikes():
    (left,) = traces(TAKE, ["left_wrist"], KIT.keypoints)
    assert (left.player, left.limb, len(left.time_s)) == (0, "left_wrist", len(TAKE.frames))
    height = dict(zip(left.time_s, left.height, strict=True))
    for hit in read_hits(GOLDEN / "rock_100.truth.jsonl"):
        if hit.limb == "left_wrist" and hit.time_s > 1.0:
            at, earlier = (height[round(hit.time_s - gap_s, 2)] for gap_s in (0.0, 0.06))
            assert earlier > at + 0.02


def test_the_command_compares_a_take_of_the_folder_and_finds_its_truth(tmp_path):
    folder = tmp_path / "takes"
    folder.mkdir()
    for ending in ("take.gz", "truth.jsonl"):
        (folder / f"mine.{ending}").write_bytes((GOLDEN / f"rock_100.{ending}").read_bytes())
    config = tmp_path / "lalelu.yaml"
    config.write_text(yaml.safe_dump({"kit": "rock", "takes": {"dir": str(folder)}}))
    told = lalelu("take", "list", "--config", config)
    assert told.code == 0
    assert told.out.startswith("mine: ")
    assert "35 true hits" in told.out
    told = lalelu("take", "compare", "mine", "--config", config, "--with", GOLDEN / "kit.yaml", "--json")
    assert told.code == 0, told.err
    result = json.loads(told.out)
    assert result["kits"] == ["rock", "golden"]
    assert result["truth"]["after"]["f1"] == 1.0
    told = lalelu("take", "compare", "none", "--config", config, "--with", "rock")
    assert (told.code, "there is no take 'none'" in told.err) == (2, True)
