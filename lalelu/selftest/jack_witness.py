"""Write down what arrives on a JACK MIDI input, and when. A process of its own; opens a port.

`python -m lalelu.selftest.jack_witness PORT [SYNTH SOUND]` connects PORT (an output, such as lalelu:out) to itself, as
soon as it is there, and to SYNTH, a MIDI input; SOUND is an audio output (a microphone's system:capture_1, or the
synthesiser's own), on which it listens for what the notes sound. Says `ready` when it listens; when its standard input
closes, prints one JSON object: the period in ms, the overruns (xruns) of the server, and the messages as [time in ns on
CLOCK_MONOTONIC, hex bytes, and when its sound began or null]. A time is that at which JACK hands a period to it, and
the place in that period: sound has then been in the machine for a period or more.
"""

import json
import math
import os
import select
import signal
import sys
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import jack
import numpy as np
from numpy.typing import NDArray

from lalelu.selftest.sound import AFTER_MS, BEFORE_MS, onset
from lalelu.voice.message import is_note_on

KEPT: Final = 1_000_000  # messages


def main() -> int:
    """Listen until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who closes it
    client = jack.Client("witness", no_start_server=True)
    port = client.midi_inports.register("in")
    source, targets = sys.argv[1], [port.name, *sys.argv[2:3]]
    sound = sys.argv[3] if len(sys.argv) > 3 else None
    recording = Recording(client) if sound else None
    frame_ns = 1e9 / client.samplerate
    arrived: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
    xruns = 0
    told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def process(_frames: int) -> None:
        handed_ns = time.monotonic_ns()
        for offset, data in port.incoming_midi_events():
            arrived.append((handed_ns + round(offset * frame_ns), bytes(data)))
        if recording is not None:
            recording.take(handed_ns, arrived[-1] if arrived else None)

    def count(_delayed: float) -> None:
        nonlocal xruns
        xruns += 1

    client.set_process_callback(process)
    client.set_xrun_callback(count)
    # A look now and then would hold Python's lock, and whoever takes the processor meanwhile holds up JACK's thread.
    client.set_port_registration_callback(lambda _port, _is_new: os.write(tell, b"."))
    with client:
        if recording is not None:
            client.connect(sound, recording.port)
        connect(client, source, targets)
        print("ready", flush=True)
        while sys.stdin not in select.select([sys.stdin, told], [], [])[0]:
            os.read(told, 4096)
            connect(client, source, targets)
        period_ms = 1000 * client.blocksize / client.samplerate
    messages = [
        [at_ns, data.hex(), None if recording is None else recording.began_ns(at_ns, data)]
        for at_ns, data in arrived
    ]
    print(json.dumps({"period_ms": period_ms, "xruns": xruns, "messages": messages}))
    return 0


def connect(client: Any, source: str, targets: Iterable[str]) -> None:  # noqa: ANN401 - a vendor's object without types
    """Connect the MIDI output `source` to those targets that it is not connected to, as far as they are there."""
    for output in client.get_ports(source, is_midi=True, is_output=True):
        connected = {port.name for port in client.get_all_connections(output)}
        for target in targets:
            if target not in connected:
                with suppress(jack.JackError):  # gone again
                    client.connect(output, target)


class Recording:
    """What is heard around the notes."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - a vendor's object without types
        self.port = client.inports.register("sound")
        self._rate: int = client.samplerate
        self._frame_ns: float = 1e9 / client.samplerate
        self._block: int = client.blocksize
        before = BEFORE_MS * 1e6 / (self._block * self._frame_ns)
        self._recent: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=math.ceil(before) + 1)
        self._kept: list[tuple[int, NDArray[np.float32]]] = []
        self._until_ns = 0

    def take(self, handed_ns: int, newest: tuple[int, bytes] | None) -> None:
        """Keep this period's sound if a note was played before it, not long ago; `newest` is the last message."""
        if newest is not None and is_note_on(newest[1]):
            self._until_ns = max(self._until_ns, newest[0] + round(AFTER_MS * 1e6))
        self._recent.append((handed_ns, self.port.get_array().copy()))
        if handed_ns < self._until_ns:
            self._kept += self._recent
            self._recent.clear()

    def began_ns(self, at_ns: int, data: bytes) -> int | None:
        """Return when the sound of the message began that came at `at_ns`, None where it was not heard."""
        if not is_note_on(data):
            return None
        first, last = at_ns - round(2 * BEFORE_MS * 1e6), at_ns + round(AFTER_MS * 1e6)
        low, high = (bisect_left(self._kept, edge, key=lambda block: block[0]) for edge in (first, last))
        near = self._kept[low:high]
        if not near:
            return None
        handed = [when for when, _ in near]
        own = max(bisect_right(handed, at_ns) - 1, 0)
        note = own * self._block + min(max(round((at_ns - handed[own]) / self._frame_ns), 0), self._block - 1)
        found = onset(np.concatenate([block for _, block in near]), self._rate, note)
        if found is None:
            return None
        block, offset = divmod(found, self._block)
        return int(handed[block]) + round(offset * self._frame_ns)


if __name__ == "__main__":
    sys.exit(main())
