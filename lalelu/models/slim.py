"""Simplify an ONNX model with the tool onnxslim: fewer operations, the same numbers. Needs the slim extra."""

import onnx

from lalelu.errors import MissingError


def slimmed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model as onnxslim leaves it. Raises MissingError without the slim extra."""
    try:
        import onnxslim
    except ModuleNotFoundError as exc:
        raise MissingError(
            "--slim needs the module 'onnxslim', which is not installed; `pip install 'lalelu[slim]'` brings it, "
            "or leave --slim out"
        ) from exc
    slim: onnx.ModelProto = onnxslim.slim(model)
    onnx.checker.check_model(slim, full_check=True)
    return slim
