#!/usr/bin/env python3
"""Write a PyTorch pose network, with the weights of a checkpoint, as the ONNX file that `pose.heatmap.file` takes.

python tools/export_torch.py MODULE:FUNCTION OUT.onnx --checkpoint FILE.pth --size 256x192

FUNCTION, called without arguments, returns the network; MODULE is looked for in the current folder, too. Needs `torch`
and `onnxscript`.
"""

import argparse
import pickle
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from lalelu.errors import LaleluError, MissingError, UsageError
from lalelu.replacement import not_written, replacing

WRAPPED = "module."  # what nn.DataParallel puts before every name


def torch_module() -> Any:  # noqa: ANN401 - only users of this script have its types
    """Return PyTorch. Raises MissingError where it, or what it writes ONNX with, is not installed."""
    try:
        import_module("onnxscript")
        return import_module("torch")
    except ModuleNotFoundError as exc:
        raise MissingError(
            f"{exc.name} is not installed; `pip install torch onnxscript` brings both"
        ) from exc


def network(name: str) -> Any:  # noqa: ANN401 - a torch.nn.Module
    """Return the network that MODULE:FUNCTION makes. Raises UsageError where there is none."""
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(import_module(module), function)()
    except (ImportError, AttributeError, ValueError) as exc:
        raise UsageError(f"{name} gives no network ({exc}); name it as package.module:function") from exc


def load(torch: Any, made: Any, checkpoint: Path) -> None:  # noqa: ANN401 - PyTorch's module and a network
    """Give the network the checkpoint's weights. Raises UsageError unless every weight fits."""
    try:
        held = torch.load(checkpoint, map_location="cpu", weights_only=True)
        weights = held.get("state_dict", held)
        made.load_state_dict({name.removeprefix(WRAPPED): value for name, value in weights.items()})
    except (OSError, RuntimeError, AttributeError, ValueError, pickle.UnpicklingError) as exc:
        raise UsageError(f"{checkpoint} does not fit the network ({exc}); give its own checkpoint") from exc


def picture_size(text: str) -> tuple[int, int]:
    """Parse HEIGHTxWIDTH, px."""
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"{text} is no size; write HEIGHTxWIDTH, as 256x192")
    return int(height), int(width)


def main() -> int:
    """Export one network; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", metavar="MODULE:FUNCTION")
    parser.add_argument("output", type=Path, metavar="OUT.onnx")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE")
    parser.add_argument("--size", type=picture_size, required=True, metavar="HxW", help="of its picture, px")
    args = parser.parse_args()
    try:
        torch = torch_module()
        made = network(args.network)
        load(torch, made, args.checkpoint)
        example = (torch.zeros(1, 3, *args.size),)
        with replacing(args.output, not_written) as temporary:
            torch.onnx.export(made.eval(), example, str(temporary), external_data=False, verbose=False)
    except LaleluError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
