"""Write down what arrives through ALSA's sequencer, and when. A process of its own; opens a port.

`python -m lalelu.selftest.alsa_witness PORT` connects itself to PORT (an output, such as lalelu:out) as soon as it is
there, and then says and prints what `jack_witness` does, without period and overruns. The time is that at which
python-rtmidi's thread hands a message to Python.
"""

import json
import select
import signal
import sys
from typing import Final

import rtmidi

from lalelu.clock import now_ns

LOOK_S: Final = 0.05  # between two looks for the port


def main() -> int:
    """Listen until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who closes it
    midi = rtmidi.MidiIn(rtmidi.API_LINUX_ALSA, "lalelu-witness")
    arrived: list[tuple[int, str, None]] = []  # as the other's: no sound is heard
    midi.set_callback(lambda event, _data: arrived.append((now_ns(), bytes(event[0]).hex(), None)))
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], LOOK_S)[0]:
        if midi.is_port_open():
            continue
        there = [place for place, name in enumerate(midi.get_ports()) if name.startswith(sys.argv[1])]
        if there:
            midi.open_port(there[0])
    midi.cancel_callback()
    print(json.dumps({"period_ms": None, "xruns": None, "messages": arrived}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
