"""What becomes of a small network's numbers, and that runtimes still read it."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pointwise
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from lalelu.errors import UsageError
from lalelu.models import quantize
from lalelu.pose.runtimes.onnxruntime import OnnxRuntime
from lalelu.pose.runtimes.openvino import OpenVINORuntime

POINTWISE = ["Conv_c", "Conv_g", "Conv_h"]


@pytest.fixture
def model(tmp_path):
    return quantize.read(pointwise.write(tmp_path / "small.onnx"))


@pytest.fixture
def needs_onnxruntime(expect):
    if find_spec("onnxruntime") is None:
        expect("onnxruntime", "it is not installed")


def ops(data):
    return [node.op_type for node in onnx.load_model_from_string(data).graph.node]


def run(runtime_class, data, tmp_path: Path, precision="f32"):
    file = tmp_path / "made.onnx"
    file.write_bytes(data)
    runtime = runtime_class(file, precision=precision, threads=1)
    runtime.open()
    found = [runtime.infer(picture[None])[0].copy() for picture in pointwise.pictures(6)]
    runtime.close()
    return np.array(found)


def test_pointwise_convolutions_can_become_int8_and_no_others(model):
    assert [(layer.name, layer.weights) for layer in quantize.layers(model)] == [
        ("Conv_c", 32 * 16),
        ("Conv_g", 16 * 32),
        ("Conv_h", 51 * 16),
    ]


def test_nodes_without_a_name_get_one(tmp_path):
    model = quantize.read(pointwise.write(tmp_path / "nameless.onnx", named=False))
    assert [layer.name for layer in quantize.layers(model)] == ["Conv_5", "Conv_9", "Conv_10"]


@pytest.mark.parametrize(
    ("keep", "left"), [([], POINTWISE), (["Conv_g"], ["Conv_c", "Conv_h"]), (["Conv_[cg]"], ["Conv_h"])]
)
def test_kept_layers_are_left_out(model, keep, left):
    assert [layer.name for layer in quantize.chosen(quantize.layers(model), keep)] == left


@pytest.mark.parametrize(
    ("keep", "text"), [(["Conv_x"], r"'Conv_x' is no layer .*Conv_c, Conv_g"), (["*"], "no layer is left")]
)
def test_a_wrong_keep_is_refused_in_words(model, keep, text):
    with pytest.raises(UsageError, match=text):
        quantize.chosen(quantize.layers(model), keep)


@pytest.mark.parametrize(
    ("kind", "dtype"), [("f16", onnx.TensorProto.FLOAT16), ("bf16", onnx.TensorProto.BFLOAT16)]
)
def test_weights_in_16_bits_keep_names_shapes_and_nearly_the_numbers(model, tmp_path, kind, dtype):
    data = quantize.narrowed(model, kind)
    slim = onnx.load_model_from_string(data)
    kinds = {tensor.name: tensor.data_type for tensor in slim.graph.initializer}
    wide = ["first", "wide", "depthwise", "slim", "last"]
    assert {name for name, each in kinds.items() if each == dtype} == {f"{name}/{kind}" for name in wide}
    assert kinds["scale"] == onnx.TensorProto.FLOAT
    assert [value.name for value in slim.graph.output] == ["output_0"]
    assert len(data) < 0.7 * len(model.SerializeToString())
    before = run(OpenVINORuntime, model.SerializeToString(), tmp_path)
    assert np.abs(run(OpenVINORuntime, data, tmp_path) - before).max() < 0.004
    assert np.ptp(before) > 0.05  # it does compute something


def test_bf16_is_rounded_to_the_nearest_ties_to_even(model):
    bits = np.array([0x3F800000, 0x3F808000, 0x3F818000, 0x3F808001, 0xBF808000] * 16, np.uint32)
    numbers = numpy_helper.from_array(bits.view(np.float32), "numbers")
    model.graph.initializer.append(numbers)
    slim = onnx.load_model_from_string(quantize.narrowed(model, "bf16"))
    (found,) = (tensor for tensor in slim.graph.initializer if tensor.name == "numbers/bf16")
    assert np.frombuffer(found.raw_data, "<u2")[:5].tolist() == [0x3F80, 0x3F80, 0x3F82, 0x3F81, 0xBF80]


def test_numbers_too_large_for_f16_become_its_largest(model):
    model.graph.initializer.append(numpy_helper.from_array(np.full(64, 1e6, np.float32), "numbers"))
    slim = onnx.load_model_from_string(quantize.narrowed(model, "f16"))
    (found,) = (tensor for tensor in slim.graph.initializer if tensor.name == "numbers/f16")
    assert numpy_helper.to_array(found).tolist() == [65504.0] * 64


@pytest.mark.usefixtures("needs_onnxruntime")
@pytest.mark.parametrize("keep", [[], ["Conv_g"]])
def test_static_int8_rounds_inputs_and_weights_of_the_chosen_layers_only(model, tmp_path, keep):
    quantiser = quantize.StaticQuantiser(model)
    quantiser.calibrate(pointwise.pictures(20))
    data = quantiser.written(quantize.chosen(quantiser.layers, keep))
    made = onnx.load_model_from_string(data)
    makers = {name: node for node in made.graph.node for name in node.output}
    rounded = {
        node.name
        for node in made.graph.node
        if node.op_type == "Conv"
        and all(makers[n].op_type == "DequantizeLinear" for n in node.input[:2] if n in makers)
        and node.input[1] in makers
    }
    assert rounded == set(POINTWISE) - set(keep)
    assert ops(data).count("QuantizeLinear") == len(rounded)
    stored = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert stored["first"] == stored["depthwise"] == onnx.TensorProto.FLOAT
    assert ("slim" in stored) == ("Conv_g" in keep)
    before = run(OpenVINORuntime, model.SerializeToString(), tmp_path)
    after = run(OpenVINORuntime, data, tmp_path)
    assert 0.0 < np.abs(after - before).max() < 0.05
    np.testing.assert_allclose(run(OnnxRuntime, data, tmp_path), after, atol=0.02)


@pytest.mark.usefixtures("needs_onnxruntime")
def test_int8_layers_run_where_the_rest_computes_in_bf16(model, tmp_path, expect):
    from lalelu.errors import MissingError

    quantiser = quantize.StaticQuantiser(model)
    quantiser.calibrate(pointwise.pictures(20))
    data = quantiser.written(quantiser.layers)
    try:
        found = run(OpenVINORuntime, data, tmp_path, "bf16")
    except MissingError as exc:
        expect("bf16", str(exc))
    assert np.abs(found - run(OpenVINORuntime, model.SerializeToString(), tmp_path)).max() < 0.05


@pytest.mark.usefixtures("needs_onnxruntime")
def test_the_model_that_was_given_is_not_changed(model):
    before = model.SerializeToString()
    quantiser = quantize.StaticQuantiser(model)
    quantiser.calibrate(pointwise.pictures(2))
    assert quantiser.written(quantiser.layers[:1]) != quantiser.written(quantiser.layers)
    quantize.narrowed(model, "f16")
    quantize.dynamic(model, quantize.layers(model))
    assert model.SerializeToString() == before


@pytest.mark.usefixtures("needs_onnxruntime")
def test_dynamic_int8_measures_its_inputs_as_they_come(model, tmp_path):
    data = quantize.dynamic(model, quantize.chosen(quantize.layers(model), ["Conv_g"]))
    assert ops(data).count("ConvInteger") == 2
    assert "QuantizeLinear" not in ops(data)
    before = run(OpenVINORuntime, model.SerializeToString(), tmp_path)
    assert 0.0 < np.abs(run(OnnxRuntime, data, tmp_path) - before).max() < 0.05


@pytest.mark.usefixtures("needs_onnxruntime")
def test_a_model_in_int8_is_not_rounded_again(model):
    data = quantize.dynamic(model, quantize.layers(model))
    with pytest.raises(UsageError, match="in int8 already"):
        quantize.layers(onnx.load_model_from_string(data))


def test_a_file_that_is_no_model_and_one_of_an_old_opset_are_refused_in_words(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"\x08nothing")
    with pytest.raises(UsageError, match=r"no\.onnx cannot be read as an ONNX model"):
        quantize.read(tmp_path / "no.onnx")
    with pytest.raises(UsageError, match=r"old\.onnx has opset 12; quantising needs 13"):
        quantize.read(pointwise.write(tmp_path / "old.onnx", opset=12))


def test_weights_in_16_bits_are_valid_for_the_reference_evaluator_too(model):
    narrow = ReferenceEvaluator(onnx.load_model_from_string(quantize.narrowed(model, "f16")))
    picture = pointwise.pictures(1)[0][None]
    (expected,) = ReferenceEvaluator(model).run(None, {"bgr": picture})
    np.testing.assert_allclose(narrow.run(None, {"bgr": picture})[0], expected, atol=0.004)
