"""Write down what arrives on a JACK MIDI input, with frame-accurate times: a listener that knows nothing of lalelu.

    tools/jack_witness.py PORT      connects PORT (an output, such as lalelu:out) to itself, as soon as it is there

Says `ready` when it listens; when its standard input closes, prints one JSON object: the period in ms, the overruns
(xruns) of the server, and the messages as [time in ns on CLOCK_MONOTONIC, hex bytes]. JACK's own frame times are
turned into the clock's by pairs of both that are taken all along. Needs the Python package JACK-Client.
"""

import json
import select
import sys
import time
from collections import deque
from typing import Any

import jack
import numpy as np

LOOK_S = 0.05  # between two pairs of frame time and clock
KEPT = 1_000_000  # messages
PAIRS = 3  # before and after a message: a pair that was taken while another process ran is off


def main() -> int:
    """Listen until standard input closes."""
    client = jack.Client("witness", no_start_server=True)
    port = client.midi_inports.register("in")
    arrived: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
    xruns = 0

    @client.set_process_callback
    def process(_frames: int) -> None:
        for offset, data in port.incoming_midi_events():
            arrived.append((client.last_frame_time + offset, bytes(data)))

    @client.set_xrun_callback
    def xrun(_delayed: float) -> None:
        nonlocal xruns
        xruns += 1

    pairs = []
    with client:
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], LOOK_S)[0]:
            before = time.monotonic_ns()
            frame = client.frame_time
            pairs.append((frame, (before + time.monotonic_ns()) // 2))
            if not client.get_all_connections(port):
                connect(client, port, sys.argv[1])
        frames, clock = np.array(pairs, np.int64).T
        begins = clock - np.round(frames * (1e9 / client.samplerate)).astype(np.int64)  # of JACK's frame 0
        messages = [
            # an overrun moves JACK's frames against the clock: only the pairs around a message speak for it
            [round(frame * 1e9 / client.samplerate) + int(np.median(begins[near(frames, frame)])), data.hex()]
            for frame, data in arrived
        ]
        period_ms = 1000 * client.blocksize / client.samplerate
    print(json.dumps({"period_ms": period_ms, "xruns": xruns, "messages": messages}))
    return 0


def near(frames: np.ndarray[Any, Any], frame: int) -> slice:
    """Return which pairs are the nearest to a frame."""
    at = int(np.searchsorted(frames, frame))
    return slice(max(at - PAIRS, 0), at + PAIRS)


def connect(client: jack.Client, port: jack.OwnMidiPort, name: str) -> None:
    """Connect to the port `name` if it is there."""
    for source in client.get_ports(name, is_midi=True, is_output=True):
        try:
            client.connect(source, port)
        except jack.JackError:  # gone again
            continue


if __name__ == "__main__":
    sys.exit(main())
