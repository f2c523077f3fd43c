"""Write down what arrives on a JACK MIDI input, and when. A process of its own; opens a port.

`python -m lalelu.selftest.jack_witness PORT` connects PORT (an output, such as lalelu:out) to itself, as soon as it is
there; it knows nothing of the rest of lalelu. Says `ready` when it listens; when its standard input closes, prints one
JSON object: the period in ms, the overruns (xruns) of the server, and the messages as [time in ns on CLOCK_MONOTONIC,
hex bytes]. The time is that at which JACK hands a period to it, and the message's place in that period.
"""

import json
import os
import select
import signal
import sys
import time
from collections import deque
from typing import Any, Final

import jack

KEPT: Final = 1_000_000  # messages


def main() -> int:
    """Listen until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who closes it
    client = jack.Client("witness", no_start_server=True)
    port = client.midi_inports.register("in")
    frame_ns = 1e9 / client.samplerate
    arrived: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
    xruns = 0
    told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def process(_frames: int) -> None:
        handed_ns = time.monotonic_ns()
        for offset, data in port.incoming_midi_events():
            arrived.append((handed_ns + round(offset * frame_ns), bytes(data)))

    def count(_delayed: float) -> None:
        nonlocal xruns
        xruns += 1

    client.set_process_callback(process)
    client.set_xrun_callback(count)
    # A look now and then would hold Python's lock, and whoever takes the processor meanwhile holds up JACK's thread.
    client.set_port_registration_callback(lambda _port, _is_new: os.write(tell, b"."))
    with client:
        connect(client, port, sys.argv[1])
        print("ready", flush=True)
        while sys.stdin not in select.select([sys.stdin, told], [], [])[0]:
            os.read(told, 4096)
            connect(client, port, sys.argv[1])
        period_ms = 1000 * client.blocksize / client.samplerate
    messages = [[at_ns, data.hex()] for at_ns, data in arrived]
    print(json.dumps({"period_ms": period_ms, "xruns": xruns, "messages": messages}))
    return 0


def connect(client: Any, port: Any, name: str) -> None:  # noqa: ANN401 - a vendor's objects without types
    """Connect to the port `name` if it is there and not connected yet."""
    connected = {source.name for source in client.get_all_connections(port)}
    for source in client.get_ports(name, is_midi=True, is_output=True):
        if source.name in connected:
            continue
        try:
            client.connect(source, port)
        except jack.JackError:  # gone again
            continue


if __name__ == "__main__":
    sys.exit(main())
