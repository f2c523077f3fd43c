"""The fuzzer of ledgers can fail: it finds a reader that keeps damage to itself."""

import json

import numpy as np
import pytest

from lalelu.ledger import reader

CASES = 60


@pytest.fixture
def tool(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import fuzz_ledgers

    return fuzz_ledgers


def outcomes(tool, tmp_path):
    found = set()
    for seed in range(CASES):
        (tmp_path / str(seed)).mkdir()
        found.add(tool.case(tmp_path / str(seed), seed)[1])
    return found


def test_damaged_ledgers_are_refused_told_or_as_they_were(tool, tmp_path):
    assert outcomes(tool, tmp_path) == {"told", "as it was"}


def test_a_reader_that_trusts_every_byte_is_found(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_changed", lambda *_: [])
    with pytest.raises(AssertionError, match="and no problem is told"):
        outcomes(tool, tmp_path)


def test_a_reader_that_loses_a_row_is_found(tool, tmp_path, monkeypatch):
    read = tool.read_ledger

    def lossy(path):
        whole = read(path)
        if len(whole.frames) < 2 or not whole.problems:
            return whole
        kept = (whole.frames[1:], whole.notes, whole.samples, whole.events, whole.problems)
        return type(whole)(whole.path, whole.header, *kept)

    monkeypatch.setattr(tool, "read_ledger", lossy)
    with pytest.raises(AssertionError, match="figures of a cut ledger"):
        outcomes(tool, tmp_path)


def test_a_closed_ledger_names_the_file_that_has_changed(tool, tmp_path):
    directory = tmp_path / "run.ledger"
    tool.make(directory, np.random.default_rng(2))
    assert sorted(json.loads((directory / "header.json").read_text())["crc32"]) == sorted(reader.RECORDS)
    frames = bytearray((directory / "frames").read_bytes())
    frames[100] ^= 1
    (directory / "frames").write_bytes(frames)
    assert "frames has changed since it was closed" in " ".join(reader.read_ledger(directory).problems)
