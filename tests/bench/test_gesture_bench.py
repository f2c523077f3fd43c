import json
import os

import pytest

from lalelu.bench import leads
from lalelu.bench.gesture import LOADS, Costs, Drill, Load, LoadWorker, Row, kit, measure, table
from lalelu.bench.turns import Spread
from lalelu.cli import main
from lalelu.errors import LostError

CORE = max(os.sched_getaffinity(0))


@pytest.mark.parametrize("pads", [1, 6, 16, 32, 64])
def test_a_kit_has_as_many_pads_as_asked_for(pads):
    assert len(kit(pads).pads) == pads


@pytest.mark.parametrize(("players", "detector"), [(1, "model"), (6, "model"), (2, "learned")])
def test_every_player_s_strokes_are_found_while_the_clock_runs(players, detector):
    drill = Drill(Load(players, 16, CORE, detector))
    assert len(drill.block(300)) == 300
    in_three_seconds = players * 3 * (4 + 5)  # strokes of both hands
    assert 0.9 * in_three_seconds <= drill.hits <= in_three_seconds


def test_loads_take_turns_and_every_frame_is_counted():
    news = []
    found = measure(
        [(1, 6, "model"), (2, 16, "learned")],
        core=CORE,
        warmups=3,
        runs=53,
        progress=news.append,
        leads_ms=(),
    )
    assert [(row.variant, row.players, row.pads) for row in found.rows] == [
        ("1 player, 6 pads", 1, 6),
        ("2 players, 16 pads, learned", 2, 16),
    ]
    assert [row.spread.count for row in found.rows] == [53, 53]
    assert found.sleeper.count == 53
    assert found.leads == ()
    assert news[-1] == "gesture: run 50 of 53"


def test_the_table_names_every_load_and_the_sleeper():
    spread = Spread.of([60_000] * 3)
    rows = (Row("1 player, 16 pads", 1, 16, 7, spread), Row("6 players, 16 pads", 6, 16, 40, spread))
    lines = table(Costs(1, 0, 3, rows, spread)).splitlines()
    assert "core 1: 3 frames" in lines[0]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "1 player, 16 pads",
        "6 players, 16 pads",
        "sleeper, late",
    ]
    assert lines[2].split()[-7:] == ["0.060", "0.060", "0.060", "0.000", "0.060", "0.060", "7"]


def test_a_worker_that_dies_is_reported_with_its_last_words():
    worker = LoadWorker(Load(1, 6, CORE))
    worker.open()
    try:
        with pytest.raises(LostError, match="'1 player, 6 pads' ended with status 1: ValueError"):
            worker.block("rubbish", keep=True)
    finally:
        worker.close()
        worker.close()


def test_json_is_one_object_and_news_go_to_stderr(capsys, monkeypatch):
    monkeypatch.setattr(leads, "SECONDS", 4.0)
    assert main(["bench", "gesture", "--warmups", "1", "--runs", "3", "--json"]) == 0
    printed = capsys.readouterr()
    costs = json.loads(printed.out)["gesture"]
    assert [(row["players"], row["pads"]) for row in costs["rows"]] == [load[:2] for load in LOADS]
    assert {row["spread"]["count"] for row in costs["rows"]} == {costs["sleeper"]["count"]} == {3}
    assert [each["lead_ms"] for each in costs["leads"]] == [0, 10, 20, 30, 40]
    for each in costs["leads"]:
        assert each["score"]["true"] > 10
        assert {"false", "missed", "foreseen", "error_ms", "note_delay_ms"} <= set(each["score"])
    assert "warm-up" in printed.err


@pytest.mark.parametrize(
    ("words", "sentence"), [(["--runs", "0"], "--runs is 0"), (["--core", "1023"], "--core is 1023")]
)
def test_wrong_use_is_refused_before_anything_runs(capsys, words, sentence):
    assert main(["bench", "gesture", *words]) == 2
    assert sentence in capsys.readouterr().err
