"""What `lalelu latency` writes beside its text is there, or is refused before anything is read."""

import json

import numpy as np
import pytest
from ledger.ledgers import a_run

from lalelu.cli import main
from lalelu.commands import latency_files


@pytest.fixture
def run(tmp_path):
    frame_ms = np.where(np.arange(2000) % 500 == 499, 30.0, 8.0)
    return a_run(tmp_path / "evening.ledger", frames=2000, frame_ms=frame_ms)


def test_page_picture_and_trace_are_written(run, tmp_path, capsys):
    page, chart, trace = (tmp_path / name for name in ("page.html", "chart.png", "trace.json"))
    arguments = ["--html", str(page), "--chart", str(chart), "--trace", str(trace), "--between", "5:7.5"]
    assert main(["latency", str(run), *arguments]) == 0
    assert "<title>Latency of evening.ledger</title>" in page.read_text()
    assert chart.read_bytes()[:4] == b"\x89PNG"
    events = json.loads(trace.read_text())["traceEvents"]
    assert sum(event["name"] == "frame" for event in events) == 250
    assert "evening.ledger" in capsys.readouterr().out


def test_a_trace_that_nobody_could_look_at_is_refused(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(latency_files, "MOST_TRACED", 1999)
    assert main(["latency", str(run), "--trace", str(tmp_path / "trace.json")]) == 2
    assert "2000 frames are too many for a trace" in capsys.readouterr().err
    assert not (tmp_path / "trace.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--between", "1:2"], "--between cuts what --trace writes"),
        (["--trace", "t.json", "--between", "2:1"], "--between is '2:1'"),
        (["--trace", "t.json", "--between", "noon"], "--between is 'noon'"),
        (["--chart", "c.pdf"], "--chart c.pdf: a chart is a .png or .svg file"),
        (["--html", "nowhere/page.html"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_reading(tmp_path, capsys, arguments, told):
    assert main(["latency", str(tmp_path / "no.ledger"), *arguments]) == 2
    assert told in capsys.readouterr().err


def test_one_page_cannot_tell_of_two_runs(tmp_path, capsys):
    assert main(["latency", "a", "b", "--html", str(tmp_path / "page.html")]) == 2
    assert "2 ledgers are named" in capsys.readouterr().err
