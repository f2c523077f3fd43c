"""Make a model for `pose.runtime: tensorflow` on `pose.device: tensorrt`, and print how long each step took.

    python tools/convert_tftrt.py MODEL [--precision f32|f16|int8] [--calibrate FOLDER]

Needs an NVIDIA card and TensorFlow up to 2.17. int8 finds its ranges by the pictures of FOLDER.
"""

import argparse
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np

from lalelu.errors import LaleluError, UsageError
from lalelu.models import catalogue, looks, store, tftrt


def read(folder: Path | None, size: int) -> list[np.ndarray]:
    """Return the pictures of a folder as inputs of a network of this size; a grey one without a folder."""
    if folder is None:
        return [np.full((1, size, size, 3), 128, np.uint8)]
    if not folder.is_dir():
        raise UsageError(f"--calibrate is {folder}, which is no folder; give one that holds pictures")
    return [cv2.resize(shown.image, (size, size))[None] for shown in looks.pictures(str(folder))]


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
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        times = tftrt.convert(store.saved_model_path(args.model), unfinished, args.precision, pictures)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)  # what is there is whole
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
