"""The reloads' benchmark takes kits over in the engine's own way, and its table tells what each part costs."""

import json

from lalelu.bench import reload
from lalelu.bench.reload import Costs, start, table
from lalelu.bench.turns import Spread
from lalelu.cli import main


def test_every_reload_has_one_change_over_and_leaves_nothing_to_the_collector(monkeypatch):
    monkeypatch.setattr(reload.os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setattr(reload.gc, "freeze", lambda: None)
    monkeypatch.setattr(reload.gc, "disable", lambda: None)
    facts, block = start(0)
    answer = block(3)
    assert (facts["kits"], answer["uncollected"]) == (8, 0)
    assert len(answer["ns"]) == len(answer["running_ns"]) == 3
    assert len(answer["slices"]) > 3


def test_the_command_measures_beside_a_sleeper(capsys):
    assert main(["bench", "reload", "--runs", "2", "--warmups", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["reload"]
    assert (told["changes"]["count"], told["sleeper"]["count"], told["uncollected"]) == (2, 2, 0)


def test_the_table_has_a_row_for_each_part():
    spread = Spread.of([90_000])
    text = table(Costs(1, 200, 8, spread, spread, spread, spread, 65.0, 12, 0, spread))
    assert [line[:20].strip() for line in text.splitlines()[2:7]] == [
        "slices",
        "slices, processor",
        "change-over",
        "change-over, proc.",
        "sleeper, late",
    ]
    assert text.endswith("a reload takes 65 frames; resident memory grew by 12 KiB, 0 objects were left to the "
                         "garbage collector")  # fmt: skip
