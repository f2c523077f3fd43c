"""A fleet's table says of all rows together what each run's own rows say."""

import json
import math

import numpy as np
import pytest
from ledger.ledgers import a_run

from lalelu.cli import main
from lalelu.errors import UsageError
from lalelu.ledger import fleet, parquet
from lalelu.ledger.fleet import Tally, survey
from lalelu.ledger.parquet import export
from lalelu.ledger.reader import read_ledger


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Three runs on two machines, each with its own long tail; their frames' durations, by machine."""
    monkeypatch.setattr(fleet, "CHUNK_ROWS", 300)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 300)
    random = np.random.default_rng(3)
    taken = {"stage": [], "study": []}
    for number, machine in enumerate(("stage", "study", "stage")):
        ms = np.round(5.0 + random.lognormal(0.0, 1.0, 1000), 6)
        a_run(tmp_path / "runs" / f"{number}.ledger", frames=1000, machine=machine, frame_ms=ms)
        taken[machine].append(ms)
    return tmp_path / "runs", {machine: np.concatenate(parts) for machine, parts in taken.items()}


def exported(folder, to):
    for path in sorted(folder.glob("*.ledger")):
        export(read_ledger(path), to)
    return to


@pytest.mark.parametrize("how", ["ledgers", "exports"])
def test_percentiles_and_sums_are_those_of_all_rows_together(runs, tmp_path, how):
    folder, taken = runs
    found = survey([folder if how == "ledgers" else exported(folder, tmp_path / "out")])
    assert list(found.lines) == [("stage", "0.1.0", "2026-11-23"), ("study", "0.1.0", "2026-11-23")]
    assert found.problems == []
    for (machine, *_), line in found.lines.items():
        ms = taken[machine]
        tally = line.tallies["frame"]
        assert (line.frames, line.skipped, line.ledgers) == (len(ms), 2 * len(ms) // 1000, len(ms) // 1000)
        assert (tally.count, line.tallies["hit"].count) == (len(ms), 101 * line.ledgers)
        assert (line.tallies["note"].count, line.late) == (100 * line.ledgers, line.ledgers)
        assert (tally.low, tally.high) == pytest.approx((ms.min(), ms.max()))
        assert tally.sd == pytest.approx(ms.std(), rel=1e-6)
        for permille in (500, 990, 999):
            exact = np.sort(ms)[len(ms) * permille // 1000 - 1]
            assert tally.percentile(permille / 10) == pytest.approx(exact, rel=1e-3)


def test_an_export_stands_for_its_ledger(runs):
    folder, taken = runs
    exported(folder, folder)
    assert sum(line.frames for line in survey([folder]).lines.values()) == sum(map(len, taken.values()))


def test_a_ledger_that_cannot_be_read_is_said_and_the_others_count(runs, capsys):
    folder, _ = runs
    (folder / "0.ledger" / "header.json").write_text('{"lalelu_ledger": 99}')
    assert main(["ledger", "fleet", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [line["frames"] for line in told["lines"]] == [1000, 1000]
    assert ["99" in problem for problem in told["problems"]] == [True]


def test_the_table_has_a_line_for_each_group(runs, capsys):
    assert main(["ledger", "fleet", str(runs[0])]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["machine", "version", "day", "runs"]
    assert [line.split()[:5] for line in lines[:2]] == [
        ["stage", "0.1.0", "2026-11-23", "2", "2000"],
        ["study", "0.1.0", "2026-11-23", "1", "1000"],
    ]


def test_a_folder_without_ledgers_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no ledger and no export"):
        survey([tmp_path])
    assert main(["ledger", "fleet", str(tmp_path / "nowhere")]) == 2


def test_nothing_counted_is_nothing_told():
    assert math.isnan(Tally().percentile(50.0))
    assert math.isnan(Tally().sd)
