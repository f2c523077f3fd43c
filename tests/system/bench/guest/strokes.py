"""Tell how far a run's notes lie from what the simulated drummer played, as JSON. Run by the package's Python.

strokes.py LEDGER CAMERA CONFIG
"""

import json
import sys
from pathlib import Path

from lalelu.camera.port import ADAPTERS
from lalelu.config.loader import load_config
from lalelu.ledger.reader import read_ledger
from lalelu.registry import from_uri


def main(ledger: str, uri: str, config: str) -> None:
    """Print each note sent, with the seconds from the nearest stroke on a pad of this note; null: there is none."""
    camera = from_uri("camera", ADAPTERS, uri)
    pads = load_config(Path(config)).kit.pads
    run = read_ledger(Path(ledger))
    first, last = run.frames[0], run.frames[-1]
    start_ns = int(first["captured_ns"]) - round(int(first["seq"]) * camera.period_ns)
    strokes = camera.truth(int(last["captured_ns"]) - start_ns)
    told = []
    for sent in run.notes:
        struck_ns, note = int(sent["struck_ns"]) - start_ns, int(sent["note"])
        offs_s = [(struck_ns - stroke.time_ns) * 1e-9 for stroke in strokes if pads[stroke.pad].note == note]
        told.append({"note": note, "off_s": min(offs_s, key=abs, default=None)})
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
