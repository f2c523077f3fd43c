"""The pure parts of the proof that the analyser finds causes."""

import numpy as np
import pytest

from lalelu.ledger.schema import FRAME_DTYPE

MS = 1_000_000


@pytest.fixture
def tool(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import prove_causes

    return prove_causes


def frames(longest=()):
    """Ten seconds at 100 fps; the rows `longest` take 30 ms, the others 6."""
    rows = np.zeros(1000, FRAME_DTYPE)
    rows["seq"] = np.arange(1000)
    rows["captured_ns"] = rows["seq"] * 10 * MS
    rows["sent_ns"] = rows["captured_ns"] + 6 * MS
    rows["sent_ns"][list(longest)] += 24 * MS
    return rows


def test_of_each_disturbance_the_row_that_took_longest_is_taken(tool):
    bursts = [{"begin_ns": at * MS, "end_ns": (at + 15) * MS} for at in (5000, 7000)]
    worst, untouched = tool.worst(frames(longest=[501, 700]), "captured_ns", bursts)
    assert worst["seq"].tolist() == [501, 700]
    assert not {500, 501, 700, 701} & set(untouched["seq"].tolist())
    assert untouched["seq"].min() * 10 * MS >= tool.WARM_UP_S / 2 * 1e9 - 10 * MS  # not from the warm-up


def test_a_disturbance_that_met_no_row_has_none(tool):
    worst, untouched = tool.worst(frames(), "captured_ns", [{"begin_ns": 10**12, "end_ns": 10**12 + 1}])
    assert len(worst) == 0
    assert len(untouched) > 700


@pytest.mark.parametrize(
    ("kind", "causes", "count", "said"),
    [
        (
            "hog",
            [("queued", 0.6), ("woken_late", 0.3), ("hypervisor", 0.1)],
            5,
            ["queued 60%", "90%", "right"],
        ),
        ("hog", [("hypervisor", 0.6), ("queued", 0.4)], 5, ["hypervisor 60%", "40%", "WRONG"]),
        ("gc", [], 5, ["none", "0%", "WRONG"]),
        ("frequency", [("hypervisor", 1.0)], 0, ["hypervisor 100%", "-", "-"]),  # the machine has none
        ("clean", [], 0, ["none", "-", "-"]),
    ],
)
def test_the_main_cause_is_held_against_what_was_done(tool, kind, causes, count, said):
    ranking = [{"cause": cause, "share": share} for cause, share in causes]
    line = tool.verdict(kind, {"frames": {"count": 7, "of": 900, "ranking": ranking}}, count)
    assert line.startswith(kind)
    assert "7 of 900 frames" in line
    assert " ".join(line.split()).endswith(" ".join(said))
