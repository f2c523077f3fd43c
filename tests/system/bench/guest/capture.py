"""Read frames by lalelu's own camera adapter and tell them as JSON. Run by the package's Python.

capture.py URI FRAMES
"""

import json
import sys

from lalelu.camera.port import ADAPTERS
from lalelu.clock import now_ns
from lalelu.errors import LaleluError
from lalelu.registry import from_uri


def main(uri: str, count: int) -> None:
    """Print what the camera promised and what came."""
    camera = from_uri("camera", ADAPTERS, uri)
    try:
        facts = camera.open()
    except LaleluError as exc:
        print(json.dumps({"refused": type(exc).__name__, "why": str(exc)}))
        return
    rows = []
    for _ in range(count):
        frame = camera.read()
        image = frame.image
        rows.append(
            {
                "seq": frame.seq,
                "captured_ns": frame.captured_ns,
                "arrived_ns": frame.arrived_ns,
                "read_ns": now_ns(),
                "skipped": frame.skipped,
                "shape": image.shape,
                "spread": float(image.std()),
                "sum": int(image.sum()),
            }
        )
    camera.close()
    print(json.dumps({"fps": facts.fps, "source": facts.source, "clock": facts.clock, "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
