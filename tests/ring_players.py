"""Processes for the tests of rings and boards: `python ring_players.py write|read|show PATH SECONDS`.

A record is one number over and over: where they differ, it is torn. `read` reads until its standard input ends, and
prints what it has counted.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lalelu.channel import BoardWriter, RingReader, RingWriter

WORDS = 10
RECORD_BYTES = 8 * WORDS


def record(number: int) -> bytes:
    return number.to_bytes(8, "little") * WORDS


def number_of(data: bytes) -> int | None:
    """Return a record's number, None for a torn one."""
    number = int.from_bytes(data[:8], "little")
    return number if data == record(number) else None


def value(number: int) -> dict:
    return {"number": number, "again": [number] * (number % 500)}


def started(what: str, path: Path, seconds: float = 3600.0) -> subprocess.Popen:
    """Start a player and wait until it plays."""
    command = [sys.executable, __file__, what, str(path), str(seconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"plays\n"
    return process


def killed(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def killed_in_the_middle(play: Callable[[Path, float], None], path: Path) -> None:
    """Play in a process of its own, and kill that at any moment of its first 30 ms."""
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.pipe()[0], 0)  # an input that does not end
            play(path, 3600.0)
        finally:
            os._exit(1)
    time.sleep(random.uniform(0.0, 0.03))
    os.kill(pid, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def told(process: subprocess.Popen) -> dict:
    """End a reader and return what it has counted."""
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def write(path: Path, seconds: float) -> None:
    ring = RingWriter(path)
    number, end = ring.head, time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            ring.write(record(number))
            number += 1


def read(path: Path, _seconds: float) -> None:
    ring = RingReader(path)
    counted = {"read": 0, "lost": 0, "next": 0, "torn": 0, "disorder": 0, "backwards": 0}
    newest = -1
    ends = False
    while not ends:
        ends = bool(select.select([0], [], [], 0)[0])  # what is there by now is still read
        before = ring.head
        batch = ring.read(counted["next"])
        counted["backwards"] += ring.head < before
        counted["disorder"] += batch.next - counted["next"] != len(batch.records) + batch.lost
        for data in batch.records:
            number = number_of(data)
            if number is None:
                counted["torn"] += 1
            else:
                counted["disorder"] += number <= newest
                newest = number
        counted["read"] += len(batch.records)
        counted["lost"] += batch.lost
        counted["next"] = batch.next
    print(json.dumps(counted))


def show(path: Path, seconds: float) -> None:
    board = BoardWriter(path)
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        board.show(value(number))
        number += 1


if __name__ == "__main__":
    print("plays", flush=True)
    {"write": write, "read": read, "show": show}[sys.argv[1]](Path(sys.argv[2]), float(sys.argv[3]))
