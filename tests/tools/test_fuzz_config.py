"""The fuzzer of configurations can fail: it finds a reader that crashes, hangs, or takes nonsense."""

import pytest

from lalelu.config import loader, positions

CASES = 200
RANGE = b"left_handed: true\npose: {threads: 3}\n"


@pytest.fixture
def tool(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import fuzz_config

    return fuzz_config


@pytest.fixture
def judge(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import judge_config

    return judge_config


def test_nothing_but_reasons_comes_out_and_no_nonsense_is_accepted(tool):
    outcomes = tool.run(CASES, 7)
    assert sum(outcomes.values()) >= CASES
    assert {"bytes", "lines", "structure", "schema"} == {outcome.split()[0] for outcome in outcomes}
    assert {"refused", "accepted,"} == {outcome.split()[2] for outcome in outcomes}
    assert any("played" in outcome for outcome in outcomes)


def test_the_ranges_are_those_of_the_comments(judge):
    ranges = judge.documented()
    assert len(ranges) >= 15
    assert ranges["timing", "delay_ms"] == (-200, 500)
    assert ranges["pose", "threads"] == (1, 64)
    assert ranges["pose", "tensorrt", "workspace_mib"] == (64, 65536)


def spoil(monkeypatch, change):
    """Have the loader take something else from a file than what stands in it."""
    read = positions.read_document

    def spoilt(text, file):
        document = read(text, file)
        change(document.root)
        return document

    monkeypatch.setattr(loader, "read_document", spoilt)


def raising(root):
    raise KeyError("zone")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: root.pop("left_handed", None), "left_handed is True, taken as False"),
        (lambda root: root.get("pose", {}).update(threads=4), "threads is 3, taken as 4"),
    ],
)
def test_a_reader_that_takes_something_else_is_found(judge, tmp_path, monkeypatch, change, message):
    assert judge.judge(tmp_path, RANGE, is_kit=False) == "accepted, played"
    spoil(monkeypatch, change)
    with pytest.raises(AssertionError, match=message):
        judge.judge(tmp_path, RANGE, is_kit=False)


def test_a_value_beyond_its_documented_range_is_found(judge, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "documented", lambda: {("pose", "threads"): (1, 2)})
    with pytest.raises(AssertionError, match=r"\('pose', 'threads'\) is 3; documented: \(1, 2\)"):
        judge.judge(tmp_path, RANGE, is_kit=False)


def test_a_reader_that_crashes_is_found(tool, monkeypatch):
    spoil(monkeypatch, raising)
    with pytest.raises(KeyError, match="zone"):
        tool.run(20, 1)


def test_a_reader_that_hangs_is_found(tool, monkeypatch, capsysbinary):
    monkeypatch.setattr(tool, "MOST_CPU_S", 0.1)

    def endless(*_, **__):
        while True:
            pass

    monkeypatch.setattr(tool.judge_config, "judge", endless)
    with pytest.raises(tool.HangError, match=r"a case took more than 0\.1 s"):
        tool.run(1, 1)
