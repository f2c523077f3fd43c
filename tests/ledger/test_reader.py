import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.errors import UsageError
from lalelu.ledger.files import claim, config_digest, create_ledger, name_at, new_header
from lalelu.ledger.reader import Ledger, read_ledger
from lalelu.ledger.schema import (
    EVENT,
    EVENT_DTYPE,
    FRAME,
    FRAME_DTYPE,
    NOTE,
    NOTE_DTYPE,
    RECORDS,
    SAMPLE_DTYPE,
    STAMPS,
    fixed_text,
)

MS = 1_000_000


def a_header():
    return new_header(
        {"kit": "rock"}, camera={"source": "sim"}, model="lightning", runtime={"name": "scripted"}
    )


def a_ledger(directory: Path, frames: int = 3) -> Path:
    create_ledger(directory, {**a_header(), "closed": True})
    rows = np.zeros(frames, FRAME_DTYPE)
    rows["seq"] = np.arange(frames)
    for step, name in enumerate(STAMPS):
        rows[name] = np.arange(frames) * 10 * MS + step * MS
    (directory / "frames").write_bytes(rows.tobytes())
    event = np.zeros(1, EVENT_DTYPE)
    event[0] = (5, b"reload", "Pauke für links".encode())
    (directory / "events").write_bytes(event.tobytes())
    return directory


def test_rows_have_the_sizes_of_the_contract_and_packers_agree_with_dtypes():
    sizes = [dtype.itemsize for dtype in (FRAME_DTYPE, NOTE_DTYPE, EVENT_DTYPE, SAMPLE_DTYPE)]
    assert sizes == [112, 56, 128, 116]
    assert [FRAME.size, NOTE.size, EVENT.size] == sizes[:3]
    frame = np.frombuffer(FRAME.pack(*range(1, 22)), FRAME_DTYPE)[0]
    assert frame.tolist() == tuple(range(1, 22))
    note = np.frombuffer(NOTE.pack(*range(1, 14)), NOTE_DTYPE)[0]
    assert note.tolist()[:13] == tuple(range(1, 14))
    assert [note[name] for name in ("woken_ns", "late", "limb", "pad")] == [5, 11, 12, 13]


def test_a_whole_ledger_is_read_without_problems(tmp_path):
    ledger = read_ledger(a_ledger(tmp_path / "run.ledger"))
    assert ledger.problems == ()
    assert ledger.frames["seq"].tolist() == [0, 1, 2]
    assert len(ledger.notes) == 0
    assert [(e.at_ns, e.kind, e.text) for e in ledger.events] == [(5, "reload", "Pauke für links")]
    assert ledger.header["model"] == "lightning"
    assert ledger.header["host"]["cores"] >= 1
    assert ledger.header["epochs"][0]["digest"] == config_digest({"kit": "rock"})


def test_a_truncated_last_row_is_left_out_and_said(tmp_path):
    directory = a_ledger(tmp_path)
    data = (directory / "frames").read_bytes()
    (directory / "frames").write_bytes(data[:-1])
    ledger = read_ledger(directory)
    assert ledger.frames["seq"].tolist() == [0, 1]
    assert [p for p in ledger.problems if "111 of 112 bytes" in p]


def test_samples_are_read_and_an_older_ledger_that_has_none_is_whole(tmp_path):
    directory = a_ledger(tmp_path / "run.ledger")
    rows = np.zeros(2, SAMPLE_DTYPE)
    rows["stolen_ms"] = 7, -1
    (directory / "samples").write_bytes(rows.tobytes())
    ledger = read_ledger(directory)
    assert ledger.samples["stolen_ms"].tolist() == [7, -1]
    (directory / "samples").unlink()
    ledger = read_ledger(directory)
    assert (len(ledger.samples), ledger.problems) == (0, ())
    header = {**a_header(), "closed": True, "counts": {"samples": 2}}
    (directory / "header.json").write_text(json.dumps(header))
    assert (
        "samples cannot be read (No such file or directory); taken as empty"
        in read_ledger(directory).problems[0]
    )


@pytest.mark.parametrize(
    ("overruns", "told"),
    [
        ({"frames": 0, "notes": 3, "events.lead": 1}, ["3 rows of notes", "1 rows of events.lead"]),
        (7, ["7 rows of the recording"]),
        (0, []),
        ({"frames": "many"}, []),
        ("many", []),
    ],
)
def test_lost_rows_are_told(tmp_path, overruns, told):
    directory = a_ledger(tmp_path / "run.ledger")
    header = {**a_header(), "closed": True, "overruns": overruns}
    (directory / "header.json").write_text(json.dumps(header))
    assert read_ledger(directory).problems == tuple(
        f"{directory / 'header.json'}: {what} were lost before they reached the disk" for what in told
    )


def test_ledgers_are_named_after_their_beginning():
    assert name_at(datetime(2026, 11, 22, 19, 5, 7, tzinfo=UTC)) == "20261122-190507.ledger"


def test_ledgers_that_begin_in_the_same_second_never_share_a_folder(tmp_path):
    moment = datetime(2026, 11, 22, 19, 5, 7, tzinfo=UTC)
    names = [claim(tmp_path / "ledgers", moment).name for _ in range(3)]
    assert names == ["20261122-190507.ledger", "20261122-190507-2.ledger", "20261122-190507-3.ledger"]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"no ledger can begin in .*file"):
        claim(tmp_path / "file", moment)


def test_a_missing_header_is_said_and_the_rows_are_still_read(tmp_path):
    directory = a_ledger(tmp_path)
    (directory / "header.json").unlink()
    ledger = read_ledger(directory)
    assert len(ledger.frames) == 3
    assert ledger.header == {}
    assert "header.json cannot be read" in ledger.problems[0]


def test_a_ledger_that_was_not_closed_says_so(tmp_path):
    create_ledger(tmp_path, a_header())
    assert "was not closed" in read_ledger(tmp_path).problems[0]


def test_stamps_that_run_backwards_are_counted(tmp_path):
    directory = a_ledger(tmp_path)
    rows = np.frombuffer((directory / "frames").read_bytes(), FRAME_DTYPE).copy()
    rows["inferred_ns"][1] = 0
    (directory / "frames").write_bytes(rows.tobytes())
    assert "1 rows have stamps that run backwards" in read_ledger(directory).problems[0]


@pytest.mark.parametrize("name", ["no such thing", "a file", "an empty directory"])
def test_what_is_no_ledger_is_refused_with_the_rule(tmp_path, name):
    path = tmp_path / name
    if name == "a file":
        path.write_text("x")
    elif name == "an empty directory":
        path.mkdir()
    with pytest.raises(UsageError, match=r"a ledger is a directory with header\.json"):
        read_ledger(path)


def test_another_version_is_refused(tmp_path):
    directory = a_ledger(tmp_path)
    (directory / "header.json").write_text(json.dumps({"lalelu_ledger": 1}))
    with pytest.raises(UsageError, match="lalelu_ledger is 1; this lalelu reads version 2"):
        read_ledger(directory)


def test_a_folder_of_other_things_is_not_turned_into_a_ledger(tmp_path):
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(UsageError, match=r"already holds 'holiday\.jpg'"):
        create_ledger(tmp_path, a_header())
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_ledger_that_cannot_be_written_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        create_ledger(tmp_path / "file" / "ledger", a_header())


def test_long_text_is_cut_between_characters():
    assert fixed_text("ü" * 50, 96) == ("ü" * 48).encode()
    assert fixed_text("a" + "ü" * 50, 96) == ("a" + "ü" * 47).encode()
    assert fixed_text("\udcff", 96) == b"?"


HEADERS = st.one_of(
    st.binary(max_size=200),
    st.just(b"[" * 100_000),
    st.just(b'{"lalelu_ledger": 2}'),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda v: st.lists(v, max_size=3)).map(
        lambda v: json.dumps({"lalelu_ledger": v}).encode()
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    header=HEADERS,
    frames=st.binary(max_size=400),
    notes=st.binary(max_size=200),
    events=st.binary(max_size=300),
)
def test_random_bytes_are_read_or_refused_but_never_crash(tmp_path_factory, header, frames, notes, events):
    directory = tmp_path_factory.mktemp("ledger")
    for name, data in {"header.json": header, "frames": frames, "notes": notes, "events": events}.items():
        (directory / name).write_bytes(data)
    try:
        ledger = read_ledger(directory)
    except UsageError:
        return
    assert isinstance(ledger, Ledger)
    assert len(ledger.frames) == len(frames) // RECORDS["frames"].itemsize
    assert len(ledger.events) == len(events) // RECORDS["events"].itemsize
