"""A kit, hits, and a JACK server of the test's own."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from lalelu.config.schema import KitConfig
from lalelu.types import Hit
from lalelu.voice.outputs.rtmidi import why_unavailable

# 21 ms a period: at shorter ones a busy machine makes an ordinary (not real-time) JACK server drop messages
PERIOD = 1024


@pytest.fixture
def kit() -> KitConfig:
    box = {"box": (-1.0, -1.0, 1.0, 1.0)}
    return KitConfig.model_validate(
        {
            "name": "test",
            "channel": 10,
            "note_ms": 50,
            "pads": {
                "snare": {"zone": box, "note": 38},
                "flam": {"zone": box, "note": 38},
                "chord": {"zone": box, "note": [60, 64, 67, 64], "channel": 2},
            },
        }
    )


@pytest.fixture
def hit() -> Callable[..., Hit]:
    def make(pad: str = "snare", *, struck_ns: int = 0, strength: float = 0.5, seq: int = 7) -> Hit:
        return Hit(
            seq=seq,
            captured_ns=struck_ns + 5_000_000,
            struck_ns=struck_ns,
            player=0,
            limb="right_wrist",
            pad=pad,
            strength=strength,
        )

    return make


@pytest.fixture
def jack_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expect: Callable[[str, str], NoReturn]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a JACK server on a dummy device, which clients in this process find; the process is given."""
    jackd = shutil.which("jackd")
    if jackd is None:
        expect("jack", "jackd is not installed")
    name = f"lalelu-test-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    log = tmp_path / "jackd.log"
    command = [jackd, "-n", name, "-r", "-d", "dummy", "-r", "48000", "-p", str(PERIOD)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            deadline = time.monotonic() + 20
            while why_unavailable("jack") is not None:
                if server.poll() is not None or time.monotonic() > deadline:
                    expect("jack", f"jackd does not start here: {log.read_text().strip()}")
                time.sleep(0.05)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()


@pytest.fixture
def no_jack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no JACK server be found, whatever runs on this machine."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "lalelu-nobody")
