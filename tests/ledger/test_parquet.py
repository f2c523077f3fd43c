"""An export holds what the ledger holds, and what people ask for beside it."""

import json
import sys
from datetime import UTC, datetime

import duckdb
import pytest
from ledger.ledgers import BEGAN_NS, a_run

from lalelu.cli import main
from lalelu.errors import MissingError, UsageError
from lalelu.ledger import parquet
from lalelu.ledger.parquet import export, origin_of
from lalelu.ledger.reader import read_ledger
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, SAMPLE_DTYPE


def column(path, name, what):
    return [row[0] for row in duckdb.sql(f"SELECT {what} FROM '{path}/{name}-*.parquet'").fetchall()]


def test_every_field_of_every_row_comes_through(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 40)
    run = read_ledger(a_run(tmp_path / "evening.ledger"))
    path = export(run, tmp_path / "out")
    assert path == tmp_path / "out" / "evening"
    assert len(list(path.glob("frames-*.parquet"))) == 3
    for name, dtype, rows in (
        ("frames", FRAME_DTYPE, run.frames),
        ("notes", NOTE_DTYPE, run.notes),
        ("samples", SAMPLE_DTYPE, run.samples),
    ):
        for key in dtype.names:
            told = rows[key].tolist()
            if dtype[key].kind == "S":
                told = [text.decode() for text in told]
            if key == "queued_ns":
                told = [-1 if value == 0xFFFFFFFF else value for value in told]
            assert column(path, name, key) == told, key
    assert column(path, "events", "text") == ["Pauke für links"]
    assert json.loads((path / "header.json").read_text()) == run.header


def test_durations_and_the_moment_on_the_calendar_stand_beside_the_fields(tmp_path):
    run = read_ledger(a_run(tmp_path / "evening.ledger"))
    path = export(run, tmp_path)
    frames, notes = run.frames, run.notes
    assert column(path, "frames", "frame_ms") == ((frames["sent_ns"] - frames["arrived_ns"]) * 1e-6).tolist()
    assert column(path, "notes", "hit_ms") == ((notes["sent_ns"] - notes["struck_ns"]) * 1e-6).tolist()
    note_ms = column(path, "notes", "note_ms")
    assert note_ms[-1] is None  # its frame's row is missing
    assert note_ms[0] == pytest.approx(9.0)
    said = "machine || ' ' || version || ' ' || day || ' ' || ledger"
    assert set(column(path, "frames", said)) == {"stage 0.1.0 2026-11-23 evening.ledger"}
    first = column(path, "frames", "epoch_ns(utc)")[0]
    began = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    assert first == round(began.timestamp()) * 10**9 + int(frames["captured_ns"][0]) - BEGAN_NS


def test_a_silent_run_has_columns_without_rows(tmp_path):
    path = export(read_ledger(a_run(tmp_path / "silent.ledger", frames=0)), tmp_path)
    assert column(path, "frames", "count(*)") == column(path, "notes", "count(*)") == [0]
    assert column(path, "notes", "hit_ms") == []


def test_a_second_export_replaces_the_first_and_nothing_else_is_replaced(tmp_path):
    run = read_ledger(a_run(tmp_path / "evening.ledger"))
    path = export(run, tmp_path)
    (path / "frames-000.parquet").write_bytes(b"")
    assert export(run, tmp_path) == path
    assert column(path, "frames", "count(*)") == [100]
    for file in path.iterdir():
        file.unlink()
    (path / "photos").mkdir()
    with pytest.raises(UsageError, match="evening is there and is no export of a ledger"):
        export(run, tmp_path)
    assert [entry.name for entry in path.iterdir()] == ["photos"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["evening", "evening.ledger"]


@pytest.mark.parametrize(
    "header",
    [{}, {"host": [], "versions": 3, "began": {"utc": "soon"}}, {"began": {"utc": 9, "monotonic_ns": 1}}],
)
def test_what_a_header_does_not_tell_is_unknown(header):
    origin = origin_of(header)
    assert (origin.machine, origin.version, origin.day) == ("unknown", "unknown", "unknown")


def test_without_duckdb_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingError, match=r"lalelu\[parquet\]"):
        export(read_ledger(a_run(tmp_path / "evening.ledger")), tmp_path)


def test_two_ledgers_of_one_name_are_refused_before_anything_is_written(tmp_path, capsys):
    runs = [str(a_run(tmp_path / folder / "evening.ledger")) for folder in ("a", "b")]
    assert main(["ledger", "export", *runs, "--to", str(tmp_path / "out")]) == 2
    assert "two of the ledgers are called evening" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
