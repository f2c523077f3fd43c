"""The loop's benchmark runs the real loop, and its table tells the difference that rows make."""

import json

from lalelu.bench import loop
from lalelu.bench.loop import Costs, Part, Row, start, table
from lalelu.bench.turns import Spread
from lalelu.cli import main


def test_each_block_has_a_duration_for_every_frame(monkeypatch):
    monkeypatch.setattr(loop.os, "sched_setaffinity", lambda *_: None)
    for rows in ("counts", "stamps", "none"):
        _, block = start(Part(rows, 0))
        assert [len(block(frames)["ns"]) for frames in (5, 3)] == [5, 3]


def test_the_command_compares_all_three_beside_a_sleeper(capsys):
    assert main(["bench", "loop", "--runs", "4", "--warmups", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["loop"]
    assert [row["rows"] for row in told["found"]] == ["counts", "stamps", "none"]
    assert {row["spread"]["count"] for row in told["found"]} == {told["sleeper"]["count"]} == {4}


def test_the_table_tells_what_a_row_and_its_counts_cost():
    spreads = {
        rows: Spread.of([ns]) for rows, ns in (("counts", 90_000), ("stamps", 75_000), ("none", 60_000))
    }
    found = tuple(Row(rows, spread) for rows, spread in spreads.items())
    text = table(Costs(1, 0, 1, found, Spread.of([1])))
    assert text.splitlines()[-1] == "a row costs 0.030 ms at p50, of which the counts 0.015"
