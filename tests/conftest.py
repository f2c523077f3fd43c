"""Fixtures that every test may ask for."""

import contextlib
import fcntl
import gc
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeAlias

import pytest

from lalelu.voice.outputs.rtmidi import why_unavailable

PROJECT = Path(__file__).resolve().parent.parent

# 21 ms a period: at shorter ones a busy machine makes an ordinary (not real-time) JACK server drop messages
PERIOD = 1024

Expect: TypeAlias = Callable[[str, str], NoReturn]


def skip_or_fail(name: str, reason: str) -> NoReturn:
    """Skip the test because `name` is not here; fail where LALELU_EXPECT (names apart by spaces) has it."""
    if name in os.environ.get("LALELU_EXPECT", "").split():
        pytest.fail(f"{name} is expected here (LALELU_EXPECT), but {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}")


@pytest.fixture(scope="session")
def expect() -> Expect:
    """`expect(name, reason)`: what a test calls when an adapter or recording that it needs is missing."""
    return skip_or_fail


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the checkout's root."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of recordings beside the checkout; they are never copied into the project."""
    path = PROJECT.parent / "shared"
    if not path.is_dir():
        skip_or_fail("shared", f"there is no folder {path.name}/ beside the project")
    return path


@pytest.fixture
def one_jack() -> Iterator[None]:
    """Keep the tests of other processes from starting a JACK server meanwhile: the servers share their registry."""
    with (Path(tempfile.gettempdir()) / f"lalelu-test-jack-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def jack_server(
    one_jack: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expect: Callable[[str, str], NoReturn],
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a JACK server on a dummy device, which clients in this process find; the process is given."""
    jackd = shutil.which("jackd")
    if jackd is None:
        expect("jack", "jackd is not installed")
    name = f"lalelu-test-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    log = tmp_path / "jackd.log"
    arguments = [jackd, "-n", name, "-r", "-d", "dummy", "-r", "48000", "-p", str(PERIOD)]

    @contextlib.contextmanager
    def running() -> Iterator[subprocess.Popen[bytes]]:
        with log.open("wb") as out, subprocess.Popen(arguments, stdout=out, stderr=out) as server:
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

    with running() as server:
        yield server
    if server.returncode == -signal.SIGKILL:
        # JACK knows of eight servers at most, and one that was killed keeps its place until one of its name ends
        with running():
            pass


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        # a library that is used for the first time may leave some of its own
        named = (str(getattr(one, "__module__", type(one).__module__)) for one in gc.garbage)
        assert sorted(name for name in named if name.startswith("lalelu")) == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.fixture
def no_garbage() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """`with no_garbage():` fails if what ran in it leaves objects of ours that only the collector can free."""
    return _no_garbage
