import json

import pytest

from lalelu.errors import UsageError
from lalelu.hits import HitRecord, read_hits, write_hits

FULL = HitRecord(1.2345, "right_wrist", "snare", 0, 96, 38, 10, 1.25, 1.26)
PLAIN = HitRecord(0.5, "left_wrist")


def test_what_was_written_is_read_by_time(tmp_path):
    write_hits(tmp_path / "hits.jsonl", [FULL, PLAIN])
    assert read_hits(tmp_path / "hits.jsonl") == (PLAIN, FULL)


def test_a_line_holds_what_the_contract_says(tmp_path):
    write_hits(tmp_path / "hits.jsonl", [FULL])
    assert json.loads((tmp_path / "hits.jsonl").read_text()) == {
        "time_s": 1.2345,
        "limb": "right_wrist",
        "pad": "snare",
        "player": 0,
        "velocity": 96,
        "note": 38,
        "channel": 10,
        "decided_s": 1.25,
        "note_s": 1.26,
    }


def test_truth_needs_time_and_limb_only_and_other_keys_are_ignored(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"time_s": 1, "limb": "left_wrist", "tagged_by": "ear"}\n\n')
    assert read_hits(tmp_path / "t.jsonl") == (HitRecord(1, "left_wrist"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"t.jsonl:1: not JSON"),
        ("3", r"t.jsonl:1: is not a JSON object"),
        ('{"time_s": 1}', r"t.jsonl:1: limb is missing"),
        ('{"time_s": null, "limb": "x"}', r"t.jsonl:1: time_s is missing"),
        ('{"time": 1, "limb": "x"}', r"t.jsonl:1: time_s is missing.*did you mean \"time\""),
        ("[" * 100_000, r"t.jsonl:1: not JSON \(maximum recursion"),
        (f'{{"time_s": {"9" * 5000}, "limb": "x"}}', r":1: not JSON \(Exceeds the limit"),
        (f'{{"time_s": 1{"0" * 400}, "limb": "x"}}', r":1: time_s is 10{39}; it must be a finite number"),
        ('{"time_s": NaN, "limb": "x"}', r":1: time_s is nan"),
        ('{"time_s": "1", "limb": "x"}', r":1: time_s is '1'"),
        ('{"time_s": 1, "limb": 4}', r":1: limb is 4"),
        ('{"time_s": 1, "limb": "x", "note": 200}', r":1: note is 200; allowed are whole numbers 0..127"),
        ('{"time_s": 1, "limb": "x"}\n{"time_s": 1, "limb": "x", "channel": 0}', r":2: channel is 0"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path, text, message):
    (tmp_path / "t.jsonl").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_hits(tmp_path / "t.jsonl")


def test_unusable_paths_are_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read hits"):
        read_hits(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="cannot write hits"):
        write_hits(tmp_path / "none" / "hits.jsonl", [PLAIN])
