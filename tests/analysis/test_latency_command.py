import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
from recorded import MS, longer, looks, played, steady

from lalelu.analysis.text import sections
from lalelu.commands import latency as command
from lalelu.errors import CheckFailedError, UsageError
from lalelu.ledger import reader
from lalelu.ledger.files import create_ledger
from lalelu.ledger.reader import read_ledger

TOOL = Path(__file__).parents[2] / "tools" / "generate_ledger.py"


def a_ledger(directory: Path, seconds: int = 40, *, more_ms: float = 0.0, seed: int = 1) -> Path:
    """A hog of 6 ms once a second, and a note five times a second."""
    create_ledger(directory, {"lalelu_ledger": 2, "closed": True, "camera": {"fps": 100.0}})
    rows = steady(seconds * 100, seed)
    longer(rows, slice(None), "work", more_ms)
    rows["running_ns"] += round(more_ms * MS)
    hogged = np.arange(50, len(rows), 100)
    longer(rows, hogged, "work", 4)
    rows["queued_ns"][hogged] = 4 * MS
    notes = played(rows[10::20])
    rows["hits"][10::20] = 1
    samples = looks(seconds, competitor_ms=740)
    samples["competitor"] = b"stress-ng"
    for name, array in (("frames", rows), ("notes", notes), ("samples", samples)):
        (directory / name).write_bytes(array.tobytes())
    return directory


def run_command(*arguments: str | Path) -> int:
    parser = ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


def test_the_text_says_first_what_a_player_wants_to_know(tmp_path, capsys):
    assert run_command(a_ledger(tmp_path / "run.ledger")) == 0
    out = capsys.readouterr().out
    beginnings = [
        "Steady: a note sounds", "40 of 4000 frames came", "name", "Where the time goes", "Phases", "Late notes",
        "Late frames: 40 of 4000", "Periodicity: late frames come every 1.000 s", "Camera: 100.000 frames a second",
        "frame → note", "Timeline: 40 s",
    ]  # fmt: skip
    lines = out.splitlines()
    places = [next(i for i, line in enumerate(lines) if line.startswith(begin)) for begin in beginnings]
    assert places == sorted(places)
    assert "mainly: run-queue wait within the work (" in " ".join(out.split())  # however wide the terminal
    assert "stress-ng" in out
    assert "not told here: frequency_khz" in out


def test_json_holds_everything(tmp_path, capsys):
    path = a_ledger(tmp_path / "run.ledger")
    assert run_command(path, "--json", "--compare", path) == 0
    (told,) = json.loads(capsys.readouterr().out)["ledgers"]
    assert told["durations_ms"]["frame"]["p99.99"] == pytest.approx(9.1, abs=0.3)
    assert [phase["number"] for phase in told["phases"]] == [1]
    assert told["causes"]["frames"]["ranking"][0]["cause"] == "queued"
    assert told["causes"]["notes"]["of"] == 200
    assert told["rhythms"]["frames"][0]["period_s"] == pytest.approx(1.0, abs=1e-3)
    assert told["cadence"]["drift_ppm"] == pytest.approx(0.0, abs=0.1)
    assert sum(stage["median_share"] for stage in told["stages"]) == pytest.approx(1.0, abs=1e-4)
    assert len(told["seconds"]["p95_ms"]) == 40
    assert told["comparison"]["verdict"] == "no difference beyond noise"


def test_stages_take_other_shares_of_the_tail_than_of_the_median(tmp_path, capsys):
    run_command(a_ledger(tmp_path / "run.ledger"), "--json")
    stages = {each["stage"]: each for each in json.loads(capsys.readouterr().out)["ledgers"][0]["stages"]}
    assert stages["inference"]["median_ms"] == pytest.approx(4.3, abs=0.1)
    assert stages["inference"]["tail_ms"] == pytest.approx(8.2, abs=0.2)
    assert stages["camera"]["tail_share"] < 0.6 < stages["camera"]["median_share"]


def test_the_share_over_the_frame_period_and_over_a_budget_are_told(tmp_path, capsys):
    path = a_ledger(tmp_path / "run.ledger")
    with pytest.raises(CheckFailedError):
        run_command(path, "--json", "--budget", "frame.max=6ms")
    over = json.loads(capsys.readouterr().out)["ledgers"][0]["over"]
    assert [(each["what"], each["share"]) for each in over] == [
        ("the frame period", 0.0),
        ("frame.max=6ms", 0.01),
    ]


def test_a_slower_run_fails_the_comparison_and_a_faster_one_does_not(tmp_path, capsys):
    fast, slow = a_ledger(tmp_path / "fast"), a_ledger(tmp_path / "slow", more_ms=0.5, seed=2)
    with pytest.raises(CheckFailedError, match=r"frame\.p50 is 0\.\d+ ms slower than in"):
        run_command(slow, "--compare", fast)
    assert "slower" in capsys.readouterr().out
    assert run_command(fast, "--compare", slow) == 0
    assert run_command(slow, "--compare", fast, "--tolerance", "1ms") == 0
    assert run_command(slow, "--compare", fast, "--tolerance", "20%") == 0


@pytest.mark.parametrize("tolerance", ["1", "fast", "-1ms", "5 apples"])
def test_a_tolerance_that_cannot_be_understood_is_refused(tmp_path, tolerance):
    path = a_ledger(tmp_path / "run.ledger")
    with pytest.raises(UsageError, match="tolerance"):
        run_command(path, "--compare", path, f"--tolerance={tolerance}")


@pytest.mark.parametrize("width", [10, 40, 200])
def test_text_fits_every_terminal_it_can(tmp_path, width):
    from lalelu.analysis.diagnosis import diagnose

    timeline = sections(diagnose(read_ledger(a_ledger(tmp_path / "run.ledger"))), width)[-1].splitlines()
    assert all(len(line) <= max(width, 14) for line in timeline[1:])


def test_a_long_ledger_is_mapped_and_tells_the_same(tmp_path, monkeypatch):
    path = a_ledger(tmp_path / "run.ledger", 400)
    held = read_ledger(path)
    monkeypatch.setattr(reader, "_MAPPED", 1000)
    mapped = read_ledger(path)
    assert type(mapped.frames.base) is memoryview
    assert np.array_equal(held.frames, mapped.frames)
    assert np.array_equal(np.concatenate(list(mapped.pieces())), held.frames)
    assert len(mapped) == 40_000


def test_a_generated_ledger_tells_its_own_truth(tmp_path):
    """Phases, spikes of each kind, drift and skipped frames come back as they were made."""
    path = tmp_path / "made.ledger"
    subprocess.run([sys.executable, TOOL, path, "--seconds", "900", "--slow", "8"], check=True)
    truth = json.loads(path.with_suffix(".truth.json").read_text())
    from lalelu.analysis.diagnosis import diagnose

    diagnosis = diagnose(read_ledger(path))
    assert [phase.first_s for phase in diagnosis.phases] == [0, 300, 600]
    assert [phase.explanations[0].name for phase in diagnosis.phases[1:]] == ["frequency", "frequency"]
    assert diagnosis.cadence.drift_ppm == pytest.approx(50.0, abs=1.0)
    found = {each.cause: each.outliers for each in diagnosis.frame_causes.ranking if each.outliers}
    spikes = truth["spikes"]
    # a frame that waits for the one before counts too, under the same cause
    assert set(found) >= set(spikes)
    assert all(spikes[kind] <= found[kind] <= 2.2 * spikes[kind] for kind in spikes)
