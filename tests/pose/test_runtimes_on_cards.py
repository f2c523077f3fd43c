"""What can be seen without an NVIDIA card: start-up refusals, and TensorRT's adapter on a made-up one."""

import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from fake_tensorrt import Card

from lalelu.config.schema import Config
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.models import savedmodel, store, tftrt
from lalelu.pose import build
from lalelu.pose.runtimes.onnxruntime import OnnxRuntime
from lalelu.pose.runtimes.tensorflow import TensorFlowRuntime
from lalelu.pose.runtimes.tensorrt import TensorRTRuntime
from lalelu.pose.runtimes.torch import TorchRuntime

ONE = b"\x08"  # enough of an ONNX file to be looked at


@pytest.fixture
def model(expect):
    try:
        return store.onnx_path("lightning")
    except MissingError as exc:
        expect("model", str(exc))


@pytest.fixture
def card(monkeypatch) -> Card:
    made = Card()
    install(monkeypatch, made)
    return made


def install(monkeypatch, card: Card) -> None:
    for name, module in card.modules().items():
        monkeypatch.setitem(sys.modules, name, module)


def some(tmp_path):
    path = tmp_path / "some.onnx"
    path.write_bytes(ONE)
    return path


def refusal(runtime) -> str:
    with pytest.raises(MissingError) as caught:
        runtime.open()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_tensorrt_that_is_not_installed_is_one_sentence_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    said = refusal(TensorRTRuntime(some(tmp_path), precision="auto", threads=1))
    assert "needs the module 'tensorrt'" in said
    assert "lalelu[tensorrt]" in said


def test_tensorrt_without_a_card_names_cudas_reason(tmp_path, monkeypatch):
    install(monkeypatch, Card(name=""))
    said = refusal(TensorRTRuntime(some(tmp_path), precision="auto", threads=1))
    assert "no NVIDIA card with a driver (cudaErrorNoDevice)" in said


def test_tensorrt_refuses_int8(tmp_path):
    assert "choose auto, f32, f16, bf16" in refusal(
        TensorRTRuntime(some(tmp_path), precision="int8", threads=1)
    )


def test_what_tensorrt_does_not_parse_is_told_with_its_reason(tmp_path, card):
    path = tmp_path / "odd.onnx"
    path.write_bytes(ONE + b"pytorch")
    assert "cannot be loaded: In node 3: UNSUPPORTED_NODE" in refusal(
        TensorRTRuntime(path, precision="auto", threads=1)
    )


@pytest.mark.model
def test_an_engine_plays_what_the_network_says_and_gives_its_memory_back(model, card):
    runtime = TensorRTRuntime(model, precision="f16", threads=1, workspace_mib=256)
    facts = runtime.open()
    assert (facts.device, facts.precision, facts.version) == (card.name, "f16", card.version)
    assert [spec.name for spec in facts.outputs] == ["output_0", "heatmaps", "weighted", "offsets", "is_peak"]
    judge = OnnxRuntime(model, precision="f32", threads=1)
    judge.open()
    pictures = np.random.default_rng(1).integers(0, 256, (2, 1, 192, 192, 3), dtype=np.uint8)
    for picture in pictures:
        for found, expected in zip(runtime.infer(picture), judge.infer(picture), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert card.asked.index("plug-ins") < card.asked.index("read an engine")
    assert {"log error", "workspace 256 MiB", "with FP16", "without TF32"} <= set(card.asked)
    assert "with BF16" not in card.asked
    card.asked.clear()
    runtime.infer(pictures[0])
    assert card.asked == ["cudaGraphLaunch", "cudaStreamSynchronize"]  # nothing else is paid for a frame
    with pytest.raises(UsageError, match="it takes"):
        runtime.infer(pictures[0].astype(np.float32))
    runtime.close()
    runtime.close()
    assert card.memory == {}
    with pytest.raises(UsageError, match="not open"):
        runtime.infer(pictures[0])


@pytest.mark.model
def test_an_engine_is_kept_for_its_card_driver_and_tensorrt(model, monkeypatch, tmp_path):
    def built(card: Card, **options) -> bool:
        install(monkeypatch, card)
        runtime = TensorRTRuntime(model, threads=1, cache_dir=tmp_path, **{"precision": "auto", **options})
        runtime.open()
        runtime.close()
        return "build" in card.asked

    monkeypatch.setenv("LALELU_CACHE", str(tmp_path))
    assert built(Card())
    assert not built(Card())
    assert built(Card(name="NVIDIA Imaginary 2"))
    assert built(Card(driver=13000))
    assert built(Card(version="10.10.0"))
    assert built(Card(), precision="f32")
    assert not built(Card())
    for file in (tmp_path / "tensorrt").glob("*.engine"):
        file.write_bytes(b"damaged")
    assert built(Card())


@pytest.mark.model
def test_a_lost_card_is_told_with_cudas_reason(model, card):
    runtime = TensorRTRuntime(model, precision="auto", threads=1)
    runtime.open()
    card.unplugged = True
    with pytest.raises(LostError, match="cudaGraphLaunch: cudaErrorLaunchFailure"):
        runtime.infer(np.zeros((1, 192, 192, 3), np.uint8))
    runtime.close()  # a card that has failed refuses everything, and that is not told instead
    assert "cudaStreamDestroy" in card.asked
    runtime.close()


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_onnxruntime_takes_no_cpu_in_a_cards_place(tmp_path, expect, device):
    if find_spec("onnxruntime") is None:
        expect("onnxruntime", "it is not installed")
    said = refusal(OnnxRuntime(some(tmp_path), precision="auto", threads=1, device=device))
    assert f"pose.device is {device}, but this build of ONNX Runtime has no" in said
    assert "onnxruntime-gpu" in said


@pytest.mark.model
def test_onnxruntime_refuses_when_the_provider_in_force_is_another(model, monkeypatch):
    import onnxruntime

    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    runtime = OnnxRuntime(model, precision="auto", threads=1, device="cuda")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        said = refusal(runtime)
    assert "on CUDAExecutionProvider and took 1 on CPUExecutionProvider" in said


def test_torch_takes_no_cpu_in_a_cards_place(tmp_path, expect):
    if find_spec("torch") is None:
        expect("torch", "it is not installed")
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a card")
    said = refusal(TorchRuntime(some(tmp_path), precision="auto", threads=1, device="cuda"))
    assert "finds no CUDA card or has no CUDA" in said


@pytest.mark.parametrize(
    ("version", "sentence"), [("2.21.0", "left TensorFlow with 2.18"), ("2.17.1", "finds none")]
)
def test_tftrt_needs_an_old_tensorflow_and_a_card(monkeypatch, version, sentence):
    config = SimpleNamespace(list_physical_devices=lambda _kind: [])
    monkeypatch.setattr(tftrt, "tensorflow", lambda: SimpleNamespace(__version__=version, config=config))
    with pytest.raises(MissingError, match=sentence):
        tftrt.require()


def test_tftrt_converts_builds_and_saves_in_this_order(monkeypatch, tmp_path):
    steps = []

    class Converter:
        def __init__(self, **options):
            steps.append(options)

        def convert(self, calibration_input_fn):
            steps.append(("convert", [len(batch) for batch in calibration_input_fn()]))

        def build(self, input_fn):
            steps.append(("build", len(list(input_fn()))))

        def save(self, folder):
            steps.append(("save", folder))

    monkeypatch.setattr(tftrt, "require", lambda: SimpleNamespace(TrtGraphConverterV2=Converter))
    times = tftrt.convert(tmp_path / "in", tmp_path / "out", "int8", [np.zeros((1, 8, 8, 3), np.uint8)] * 3)
    options, *rest = steps
    assert (options["precision_mode"], options["use_calibration"]) == ("INT8", True)
    assert options["input_saved_model_signature_key"] == savedmodel.WITH_HEADS
    assert rest == [("convert", [1, 1, 1]), ("build", 1), ("save", str(tmp_path / "out"))]
    assert min(times.convert_s, times.build_s, times.save_s) >= 0


def test_tensorflow_takes_no_cpu_in_a_cards_place(tmp_path, expect):
    if find_spec("tensorflow") is None:
        expect("tensorflow", "it is not installed")
    said = refusal(TensorFlowRuntime(tmp_path, precision="f16", threads=1, device="tensorrt"))
    assert "TF-TRT" in said


def test_tftrt_offers_no_conversion_that_its_tool_refuses():
    with pytest.raises(MissingError, match=r"pose\.precision is bf16, .*choose auto, f32, f16, int8"):
        store.tftrt_path("lightning", "bf16")


def test_tensorflow_on_tensorrt_asks_for_what_tftrt_makes(monkeypatch, tmp_path):
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path))
    pose = Config.model_validate({"pose": {"runtime": "tensorflow", "device": "tensorrt"}}).pose
    with pytest.raises(MissingError, match=r"convert_tftrt\.py lightning --precision f16"):
        build.build_runtime(pose)
