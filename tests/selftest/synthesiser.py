"""A synthesiser for the tests: a JACK client that clicks one period after each note that begins.

`python synthesiser.py`: says `ready`, and ends with its standard input.
"""

import sys

import jack


def main():
    client = jack.Client("clicker", no_start_server=True)
    notes, out = client.midi_inports.register("in"), client.outports.register("out")
    waiting = 0

    def process(_frames):
        nonlocal waiting
        samples = out.get_array()
        samples[:] = 0.0
        if waiting:
            samples[:8] = 0.8
        waiting = sum(bytes(data)[0] & 0xF0 == 0x90 for _, data in notes.incoming_midi_events())

    client.set_process_callback(process)
    with client:
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
