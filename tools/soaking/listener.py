"""Write down at once what arrives on a JACK MIDI input, and when. A process of its own; opens a port, writes a file.

    listener.py NAME FILE [SOURCE]

The port is NAME:in. FILE gets a line a message, `ns hex`, ns on CLOCK_MONOTONIC, and one without a message whenever
the port has come into being. SOURCE, an output such as lalelu:out, is connected to it whenever it is there. It ends
with its standard input, or with the server.
"""

import os
import select
import sys
import time
from collections import deque
from contextlib import suppress

import jack

FLUSH_S = 0.05
PRIORITY = 2  # where we may: an ordinary thread that is kept waiting with Python's lock would hold up JACK's


def main() -> int:
    """Listen until standard input or the server ends."""
    name, path, *sources = sys.argv[1:]
    arrived: deque[tuple[int, str]] = deque()
    told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    client = jack.Client(name, no_start_server=True, use_exact_name=True)
    port = client.midi_inports.register("in")
    frame_ns = 1e9 / client.samplerate

    def process(_frames: int) -> None:
        handed_ns = time.monotonic_ns()
        for offset, data in port.incoming_midi_events():
            arrived.append((handed_ns + round(offset * frame_ns), bytes(data).hex()))

    client.set_process_callback(process)
    client.set_shutdown_callback(lambda _status, _reason: os.write(tell, b"!"))
    # not looked for now and then: a look, too, holds up JACK's thread
    client.set_port_registration_callback(lambda _port, _is_new: os.write(tell, b"."))
    with open(path, "a", buffering=1) as file:  # noqa: PTH123 - lines at once
        client.activate()
        file.write(f"{time.monotonic_ns()}\n")
        print("ready", flush=True)
        signs = b"."
        while sys.stdin not in select.select([sys.stdin, told], [], [], FLUSH_S)[0] and b"!" not in signs:
            for source in sources if signs else ():
                connect(client, source, port)
            while arrived:
                at_ns, text = arrived.popleft()
                file.write(f"{at_ns} {text}\n")
            signs = read_all(told)
    os._exit(0)  # a client of a server that was killed may wait for it for ever


def read_all(descriptor: int) -> bytes:
    """Return what a pipe holds now."""
    with suppress(BlockingIOError):
        return os.read(descriptor, 4096)
    return b""


def connect(client: jack.Client, source: str, port: jack.Port) -> None:
    """Connect the output `source` to the port, where it is there and not connected yet."""
    with suppress(jack.JackError):  # gone again
        for output in client.get_ports(f"^{source}$", is_midi=True, is_output=True):
            if port not in client.get_all_connections(output):
                client.connect(output, port)


if __name__ == "__main__":
    sys.exit(main())
