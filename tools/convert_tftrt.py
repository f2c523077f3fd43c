"""Make a model for `pose.runtime: tensorflow` on `pose.device: tensorrt`, and print how long each step took.

    python tools/convert_tftrt.py MODEL [--precision f32|f16|int8] [--calibrate FOLDER]

Needs an NVIDIA card and TensorFlow up to 2.17. int8 finds its ranges by the JPEG and PNG pictures of FOLDER.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from lalelu.errors import LaleluError, UsageError
from lalelu.models import catalogue, store, tftrt

PICTURES = (".jpg", ".jpeg", ".png")


def read(folder: Path | None, size: int) -> list[np.ndarray]:
    """Return the pictures of a folder as inputs of a network of this size; a grey one without a folder."""
    if folder is None:
        return [np.full((1, size, size, 3), 128, np.uint8)]
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURES]
    if not files:
        raise UsageError(f"{folder} holds no picture ({', '.join(PICTURES)}); give a folder that does")
    return [cv2.resize(cv2.imread(str(file)), (size, size))[None] for file in files]


def main() -> int:
    """Convert one model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=[name for name, row in catalogue.MODELS.items() if row.heads])
    parser.add_argument("--precision", choices=list(tftrt.MODES), default="f16")
    parser.add_argument("--calibrate", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    try:
        if args.precision == "int8" and args.calibrate is None:
            raise UsageError("--precision int8 needs pictures to find its ranges by; give --calibrate FOLDER")
        tftrt.require()
        pictures = read(args.calibrate, catalogue.find(args.model).size)
        folder = store.tftrt_folder(args.model, args.precision)
        times = tftrt.convert(store.saved_model_path(args.model), folder, args.precision, pictures)
    except LaleluError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    print(
        f"converted in {times.convert_s:.1f} s, engines built in {times.build_s:.1f} s, "
        f"saved in {times.save_s:.1f} s: {folder}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
