"""Who has a camera, in words: found by real processes that hold a file open."""

import subprocess
import sys

import pytest

from lalelu.camera.v4l2 import holders
from lalelu.camera.v4l2.holders import AGAIN_NS, Holder, holder_of

HOLDER = "import sys; held = open(sys.argv[-1]); print(flush=True); sys.stdin.read()"


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "video0"
    path.touch()
    return path


def held(device, *arguments):
    """Who holds `device` while another process does, and that process's id."""
    command = [sys.executable, "-c", HOLDER, *arguments, str(device)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        try:
            return holder_of(str(device)), holder.pid
        finally:
            holder.stdin.close()


def test_a_program_is_named_with_its_process(device):
    said, pid = held(device)
    assert said.startswith("python")
    assert said.endswith(f" (process {pid})")


def test_another_lalelu_is_named_by_its_leader(device, tmp_path):
    said, _ = held(device, "-m", "lalelu.instrument", str(tmp_path / "lalelu" / "4711"), "7")
    assert said == "the lalelu that process 4711 leads"


def test_a_link_to_the_device_is_followed(device, tmp_path):
    (tmp_path / "by-id").symlink_to(device)
    said, pid = held(device)
    assert str(pid) in said
    command = [sys.executable, "-c", HOLDER, str(device)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert f"(process {holder.pid})" in holder_of(str(tmp_path / "by-id"))
        holder.stdin.close()


def test_nobody_that_can_be_seen_is_another_program_and_oneself_does_not_count(device):
    with device.open():
        assert holder_of(str(device)) == "another program"


def test_all_processes_are_gone_through_once_in_five_seconds(monkeypatch):
    at_ns, looks = [0], []
    monkeypatch.setattr(holders, "now_ns", lambda: at_ns[0])
    monkeypatch.setattr(holders, "holder_of", lambda path: looks.append(at_ns[0]) or f"{path} {len(looks)}")
    holder = Holder("video0")
    names = []
    for at_ns[0] in (0, AGAIN_NS // 20, AGAIN_NS - 1, AGAIN_NS, AGAIN_NS + 1):
        names.append(holder.name())
    assert names == ["video0 1"] * 3 + ["video0 2"] * 2
    assert looks == [0, AGAIN_NS]
