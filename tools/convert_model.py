#!/usr/bin/env python3
"""Convert a TF.js graph model's two files to ONNX: `convert_model.py MODEL.json MODEL.bin OUT.onnx`."""

import argparse
import sys
from pathlib import Path

from lalelu.errors import LaleluError
from lalelu.models import onnx_export, tfjs
from lalelu.replacement import not_written, replacing


def main() -> int:
    """Convert one model; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topology", type=Path, help="the JSON file")
    parser.add_argument("weights", type=Path, help="the binary file")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    args = parser.parse_args()
    try:
        data = onnx_export.to_onnx(tfjs.read(args.topology, args.weights), args.output.stem)
        with replacing(args.output, not_written) as temporary:
            temporary.write_bytes(data)
    except LaleluError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
