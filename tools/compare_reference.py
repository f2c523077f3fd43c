"""Compare MoveNet here with Google's own: FILM.mp4 and the keypoints.json that its test expects (pixels).

    python tools/compare_reference.py FILM.mp4 KEYPOINTS.json [--model lightning] [--crop follow]

Prints the distance per keypoint scored 0.4 or more: median, 95th percentile and worst, in pixels.
"""

import argparse
import json
import sys
from pathlib import Path

from lalelu.errors import LaleluError
from lalelu.models.store import onnx_path
from lalelu.pose.reference import distances, summary


def main() -> int:
    """Run the comparison; 0 when done, else the error's exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("film", type=Path)
    parser.add_argument("keypoints", type=Path)
    parser.add_argument("--model", default="lightning")
    parser.add_argument("--onnx", type=Path, help="this file instead of the catalogue's model")
    parser.add_argument("--crop", choices=("follow", "whole"), default="follow")
    parser.add_argument("--precision", choices=("auto", "f32", "bf16"), default="auto")
    args = parser.parse_args()
    try:
        model = args.onnx or onnx_path(args.model)
        found = distances(args.film, args.keypoints, model, crop_mode=args.crop, precision=args.precision)
    except LaleluError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    print(json.dumps({"model": args.model, "crop": args.crop, "precision": args.precision, **summary(found)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
