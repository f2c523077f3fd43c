"""What a running instrument opens to others: no socket that listens but the page's, no file that others may write."""

import os
import socket
import stat
from pathlib import Path

import psutil
import pytest
from system.played import Played
from system.stage import lalelu


@pytest.fixture
def careless():
    """A user whose own rule is that everybody may write everything."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def writable_by_others(folder):
    """What is in a folder, and at any depth below it, that others may write to."""
    return [path for path in folder.rglob("*") if mode(path) & (stat.S_IWGRP | stat.S_IWOTH)]


def processes(played):
    """The instrument's processes, and whatever these have started."""
    found = [psutil.Process(played.process.pid), *(psutil.Process(pid) for pid in played.pids())]
    return {process for each in found for process in (each, *each.children(recursive=True))}


def sockets(process):
    """The inodes of a process's sockets."""
    links = [
        str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir() if entry.is_symlink()
    ]
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}


def known(table, inode_at, state_at):
    """The state of every socket of one of /proc/net's tables, by its inode."""
    path = Path("/proc/net") / table
    rows = [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []
    return {row[inode_at]: row[state_at] for row in rows}


def test_a_running_instrument_without_a_page_listens_nowhere_and_lets_nobody_write(place, careless):
    played = Played(place)
    played.wait_for_notes()
    running = processes(played)
    assert len(running) >= 4
    inodes = {inode for process in running for inode in sockets(process)}
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        assert inodes & known(table, 9, 3).keys() == set(), f"a socket of {table}"
    listening = {inode for inode, flags in known("unix", 6, 3).items() if int(flags, 16) & 0x10000}
    named = {inode for inode in listening & inodes if known("unix", 6, -1)[inode].endswith("/asks")}
    assert len(named) == 1  # what the desk is asked through
    assert mode(played.session / "asks") & 0o022 == 0  # to connect is to write
    assert inodes & listening == named, "another local socket that listens"

    rings = played.session.folder.parent
    assert len(list(rings.rglob("*"))) > 10
    assert writable_by_others(rings) == []
    assert (mode(rings), mode(played.session.folder)) == (0o700, 0o750)
    assert played.end().code == 0
    told = lalelu("latency", place / "ledger", "--html", place / "page.html")
    assert told.code == 0, told.err
    theirs = {
        place / "source.take",
        place / "stage.yaml",
        place / "lalelu.yaml",
    }  # which the test has written
    assert {path.name for path in place.iterdir()} >= {"out.mid", "out.take.gz", "ledger", "page.html"}
    assert set(writable_by_others(place)) - theirs == set()


def test_the_table_of_sockets_is_read_right():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert sockets(psutil.Process()) & known("tcp", 9, 3).keys() != set()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0lalelu-test")
        server.listen()
        flags = {inode: int(flags, 16) for inode, flags in known("unix", 6, 3).items()}
        assert any(flags.get(inode, 0) & 0x10000 for inode in sockets(psutil.Process()))
