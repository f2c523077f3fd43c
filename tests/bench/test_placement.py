import os

import pytest

from lalelu.bench.placement import cores_for, isolated_cores
from lalelu.errors import MissingError
from lalelu.realtime import cores


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine of four cores, 2 and 3 of them isolated, so that this process may use 0 and 1."""
    path = tmp_path / "devices/system/cpu/isolated"
    path.parent.mkdir(parents=True)
    path.write_text("2-3\n")
    monkeypatch.setattr(cores, "ISOLATED", path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return path


def test_a_pinned_thread_has_the_core_that_was_asked_for_and_a_second_one_another():
    assert cores_for("pinned", 1, 0) == (0,)
    assert set(cores_for("pinned", 2, 0)) == {0, 1}


def test_unpinned_threads_have_all_cores_however_many_they_are():
    assert set(cores_for("unpinned", 7, 0)) == {0, 1}


def test_isolated_threads_have_the_cores_that_the_kernel_keeps_free():
    assert cores_for("isolated", 1, 2) == (2,)
    assert cores_for("isolated", 1, 0) == (3,)
    assert set(cores_for("isolated", 2, 0)) == {2, 3}


@pytest.mark.parametrize(("kind", "told"), [("pinned", r"\[0, 1\]"), ("isolated", r"\[2, 3\]")])
def test_more_threads_than_cores_are_refused(kind, told):
    with pytest.raises(MissingError, match=f"3 threads need a core each; .*{told}"):
        cores_for(kind, 3, 0)


@pytest.mark.parametrize("text", ["\n", "(null)\n"])
def test_a_machine_without_an_isolated_core_says_so(machine, text):
    machine.write_text(text)
    assert isolated_cores() == ()
    with pytest.raises(MissingError, match="no isolated core"):
        cores_for("isolated", 1, 0)


def test_a_kernel_that_does_not_tell_has_none(machine):
    machine.unlink()
    assert isolated_cores() == ()
