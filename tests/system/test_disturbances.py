"""What the rows of a playing instrument say of known disturbances: tools/disturb.py, done to a recorded player."""

import os

import numpy as np
import pytest
from system.played import Played
from system.stage import finish

MS = 1_000_000
EDGE_NS = 5 * MS  # a signal takes effect a little after it was sent


@pytest.fixture
def disturb(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import disturb

    return disturb


def disturbed(disturb, place, kind, for_ms):
    """Play, disturb for a while, and return the bursts and the ledger."""
    played = Played(place)
    played.wait_for_notes()
    bursts = list(disturb.disturb(kind, disturb.find(played.process.pid), 2.0, for_ms=for_ms, every_ms=203))
    played.process.terminate()
    told = finish(played.process)
    assert told.code == 0, told.err
    assert len(bursts) >= 3
    return bursts, played.ledger()


def within(stamps, burst):
    """How many of the stamps lie well within a burst."""
    return int(((stamps > burst["begin_ns"] + EDGE_NS) & (stamps < burst["end_ns"] - EDGE_NS)).sum())


def test_a_stopped_engine_marks_nothing_and_the_voice_goes_on(disturb, place):
    bursts, ledger = disturbed(disturb, place, "stop", 40)
    for burst in bursts:
        for moment in ("decoded_ns", "sent_ns"):
            assert within(ledger.frames[moment], burst) == 0
    took_ns = (ledger.frames["sent_ns"] - ledger.frames["arrived_ns"]).max()
    skipped_ns = int(ledger.frames["skipped"].max()) * 10 * MS
    assert max(took_ns, skipped_ns) >= 20 * MS


def test_a_stopped_voice_sends_nothing_and_the_engine_goes_on(disturb, place):
    bursts, ledger = disturbed(disturb, place, "voice", 60)
    assert [within(ledger.notes["sent_ns"], burst) for burst in bursts] == [0] * len(bursts)
    assert sum(within(ledger.frames["sent_ns"], burst) for burst in bursts) > 0


def test_a_collection_in_the_engines_thread_stands_in_its_rows(disturb, place, project, monkeypatch):
    monkeypatch.setenv("LALELU_DISTURBED", str(place / "stamps"))
    path = os.pathsep.join((str(project / "tools" / "disturbed"), str(project)))
    monkeypatch.setattr("system.played.start", with_path(path))
    bursts, ledger = disturbed(disturb, place, "gc", 0)
    collected_ns = int(ledger.frames["gc_ns"].astype(np.int64).sum())
    took_ns = sum(burst["end_ns"] - burst["begin_ns"] for burst in bursts)
    assert 0 < collected_ns <= took_ns


def with_path(path):
    """The stage's start, with another PYTHONPATH."""
    from system.stage import start

    return lambda *arguments, environment=None, **more: start(
        *arguments, environment={**(environment or {}), "PYTHONPATH": path}, **more
    )
