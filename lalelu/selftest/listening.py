"""The other program that hears the notes, and the MIDI system between it and the voice. Starts processes.

Where no JACK server answers but `jackd` is installed, one of our own runs meanwhile, on its dummy device.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lalelu.errors import LostError, MissingError
from lalelu.realtime.requests import CAP_SYS_NICE, capabilities
from lalelu.voice.outputs.rtmidi import Api, why_unavailable

RATE: Final = 48_000  # Hz
PERIOD: Final = 64  # frames, 1.3 ms: what a musician with a sound card would ask for
# 21 ms: at shorter ones a busy machine makes a server without real time drop messages (measured)
SLOW_PERIOD: Final = 1024
PRIORITY: Final = 85  # of the server, SCHED_FIFO: above the voice's
START_S: Final = 20.0  # for a server or a listener, on a slow machine
END_S: Final = 5.0
LOOK_S: Final = 0.05
_SERVER: Final = "JACK_DEFAULT_SERVER"  # the variable by which JACK's clients find their server
_EXTRA: Final = "`pip install 'lalelu[selftest]'`"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the listener has written down."""

    period_ms: float | None  # JACK's; a note may be heard so much later than it was sent
    xruns: int | None  # periods that JACK's server has missed
    messages: tuple[tuple[int, bytes], ...]  # (CLOCK_MONOTONIC ns, MIDI bytes), in the order of arrival
    sounded_ns: tuple[int | None, ...]  # when each message's sound began; None where none was heard


class Listener:
    """The listener's process, which connects itself to a MIDI output; `more` is what jack_witness takes beside it."""

    def __init__(self, api: Api, port: str, *more: str) -> None:
        self._command = [sys.executable, "-m", f"lalelu.selftest.{api}_witness", port, *more]
        self._process: subprocess.Popen[str] | None = None

    def open(self) -> None:
        """Start it, and wait until it listens. Raises MissingError when it cannot."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise MissingError(f"the listener does not start: {self._last_words()}")

    def heard(self) -> Heard:
        """End it and return what it heard. Raises LostError when it died."""
        assert self._process is not None, "open() comes first"
        told, said = self._process.communicate()
        if self._process.returncode != 0:
            raise LostError(f"the listener has died: {_last(said)}; start the self-test again")
        found = json.loads(told)
        return Heard(
            found["period_ms"],
            found["xruns"],
            tuple((at_ns, bytes.fromhex(text)) for at_ns, text, _ in found["messages"]),
            tuple(began_ns for _, _, began_ns in found["messages"]),
        )

    def close(self) -> None:
        """End it; safe to call twice and before `open()`."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _last_words(self) -> str:
        assert self._process is not None
        return _last(self._process.communicate()[1])


def choose() -> tuple[Api, bool]:
    """Return the MIDI system through which another program can hear, and whether its server must be started first.

    Raises MissingError where there is none.
    """
    has_client = find_spec("jack") is not None
    jack = why_unavailable("jack")
    if has_client and (jack is None or shutil.which("jackd")):
        return "jack", jack is not None
    alsa = why_unavailable("alsa")
    if alsa is None:
        return "alsa", False
    if has_client:
        raise MissingError(
            f"no other program could hear the notes here: {jack}, and jackd is not installed (Debian: jackd2). {alsa}"
        )
    raise MissingError(
        f"no other program could hear the notes here: JACK needs the module 'jack' ({_EXTRA}). {alsa}"
    )


@contextmanager
def listening(port: str, say: Callable[[str], None], *sound: str) -> Iterator[tuple[Api, Listener]]:
    """Have another program listen to the MIDI output `port`; give the system to play through, and the listener.

    `sound` is a synthesiser's MIDI input and the audio output on which it is heard, of a JACK server that runs.
    """
    api, needs_server = choose()
    if sound and (needs_server or api != "jack"):
        raise MissingError(
            "to hear sound, a JACK server must run with your sound card; start one (qjackctl, PipeWire)"
        )
    with ExitStack() as opened:
        if needs_server:
            say(f"JACK: {opened.enter_context(_server())}")
        listener = Listener(api, port, *sound)
        opened.callback(listener.close)
        listener.open()
        yield api, listener


@contextmanager
def _server() -> Iterator[str]:
    """Run a JACK server of our own, which this process and its children find; give what it is in words."""
    is_real_time = _may_be_real_time()
    period = PERIOD if is_real_time else SLOW_PERIOD
    mode = ("-R", "-P", str(PRIORITY)) if is_real_time else ("-r",)
    name = f"lalelu-selftest-{os.getpid()}"
    before = os.environ.get(_SERVER)
    os.environ[_SERVER] = name
    server = subprocess.Popen(
        ["jackd", "-n", name, *mode, "-d", "dummy", "-r", str(RATE), "-p", str(period)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends it in order, after its clients
    )
    try:
        give_up_s = time.monotonic() + START_S
        while why_unavailable("jack") is not None:
            if server.poll() is not None or time.monotonic() > give_up_s:
                raise MissingError(
                    "jackd does not start here; start a JACK server yourself (qjackctl, PipeWire)"
                )
            time.sleep(LOOK_S)
        yield (
            "no server answers, so one of our own runs meanwhile, on its dummy device, "
            f"{'real-time' if is_real_time else 'not real-time'}, period {1000 * period / RATE:.2f} ms"
        )
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(END_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if before is None:
            del os.environ[_SERVER]
        else:
            os.environ[_SERVER] = before


def _may_be_real_time() -> bool:
    limit, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    held = capabilities(Path("/proc/self/status").read_text(encoding="utf-8"))
    return CAP_SYS_NICE in held or limit == resource.RLIM_INFINITY or limit >= PRIORITY


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1]
