import json
import sys

import pytest

from lalelu.bench.turns import BLOCK, Contestant, opened, take_turns

ECHO = """
import sys
from lalelu.bench.pipe import serve_here
from lalelu.errors import MissingError

def start():
    print("a vendor's banner")
    if sys.argv[1] == "absent":
        raise MissingError("the echo is not there")
    return {"name": sys.argv[1]}, lambda runs: {"ns": [runs], "resident_mb": runs}

serve_here(start)
"""


def echo(name):
    return Contestant(name, [sys.executable, "-c", ECHO, name], "leave it out")


def test_everybody_runs_each_block_before_anybody_runs_the_next():
    turns = []

    class Told(Contestant):
        def block(self, runs, *, keep):
            turns.append((self.name, runs, keep))

    contestants = [Told(name, [], "") for name in "ab"]
    news = []
    take_turns(contestants, warmups=3, runs=BLOCK + 7, say=news.append)
    assert turns == [
        *((name, 3, False) for name in "ab"),
        *((name, BLOCK, True) for name in "ab"),
        *((name, 7, True) for name in "ab"),
    ]
    assert news == ["warm-up 0 of 3", "run 0 of 57", "run 50 of 57"]


def test_what_a_vendor_prints_is_no_answer_and_warm_ups_do_not_count():
    left_out = {}
    with opened([echo("one"), echo("two")], left_out, lambda _: None) as ready:
        take_turns(ready, warmups=4, runs=60, say=lambda _: None)
    assert [each.facts for each in ready] == [{"name": "one"}, {"name": "two"}]
    assert [each.ns for each in ready] == [[50, 10], [50, 10]]
    assert [each.resident_mb for each in ready] == [50, 50]
    assert left_out == {}


def test_who_is_missing_and_who_dies_at_once_is_left_out_with_the_reason():
    left_out = {}
    dead = Contestant("dead", [sys.executable, "-c", "raise SystemExit('no library')"], "leave it out")
    with opened([echo("absent"), dead, echo("here")], left_out, lambda _: None) as ready:
        assert [each.name for each in ready] == ["here"]
    assert left_out["absent"] == "the echo is not there"
    assert "'dead'" not in json.dumps(left_out)
    assert "no library" in left_out["dead"]


def test_the_most_memory_is_none_before_the_first_block():
    assert echo("one").resident_mb == 0.0
    assert echo("one").ns == []
    with pytest.raises(KeyError):
        echo("one").facts["version"]
