"""What every runtime promises. Each is opened in a process of its own: TensorFlow fixes its threads per process."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from lalelu.errors import MissingError, UsageError
from lalelu.models import store
from lalelu.pose.port import RUNTIMES
from lalelu.pose.runtimes.openvino import OpenVINORuntime
from lalelu.registry import load

# Fractions of the input square: float32 sums in another order; the converter's own tests ask the same.
F32_TOLERANCE = 1e-4
BF16_TOLERANCE = 0.02  # 4 px of 192: bf16 moves keypoints by 0.3 px at the median, hidden ones by more
COMPILES = pytest.mark.slow  # for a minute or two
PRECISIONS = [
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("onnxruntime", "f32"),
    ("litert", "f32"),
    ("tensorflow", "f32"),
    ("torch", "f32"),
    ("torch", "bf16"),
    pytest.param("torch_compiled", "f32", marks=COMPILES),
]
NEEDS_A_CARD = {"tensorrt"}  # tests/pose/test_runtimes_on_cards.py holds what can be seen of it without one
# the module that each needs, where it is not called as the runtime
MODULES = {"litert": "ai_edge_litert", "torch_compiled": "torch"}
KINDS = {"tensorflow": "saved", "litert": "tflite"}  # the others read ONNX
# those that can be opened twice in one process
ANYWHERE = ["openvino", "onnxruntime", "litert", "torch"]

CHILD = """
import json, sys
from pathlib import Path
import numpy as np
from lalelu.pose.port import RUNTIMES
from lalelu.registry import load
name, path, precision, picture, threads = sys.argv[1:]
runtime = load("runtime", RUNTIMES, name)(Path(path), precision=precision, threads=int(threads))
facts = runtime.open()
array = np.load(picture)
first = [output.copy() for output in runtime.infer(array)]
marks = next(a for a, spec in zip(runtime.infer(array), facts.outputs) if spec.name == "is_peak").copy()
array[:] = 0  # the same array with other contents must be read anew
other = [output.copy() for output in runtime.infer(array)]
array[:] = np.load(picture)
again = runtime.infer(array)
said = {
    "threads": facts.threads, "precision": facts.precision, "name": facts.name,
    "input": [facts.inputs[0].name, list(facts.inputs[0].shape), str(facts.inputs[0].dtype)],
    "shape": list(first[0].shape),
    "outputs": [spec.name for spec in facts.outputs],
    "peaks": marks.tobytes().count(1), "marks": sorted(set(marks.tobytes())),
    "same": bool(np.array_equal(first[0], again[0])), "differs": bool(not np.array_equal(first[0], other[0])),
    "keypoints": first[0].reshape(-1).tolist(), "load_ms": facts.load_ms, "first_ms": facts.first_ms,
}
runtime.close()
runtime.close()
print("\\n" + json.dumps(said))
"""


def model(expect, kind):
    try:
        paths = {"onnx": store.onnx_path, "saved": store.saved_model_path, "tflite": store.tflite_path}
        return paths[kind]("lightning")
    except MissingError as exc:
        expect("model", str(exc))


def photo(shared_dir) -> np.ndarray:
    image = cv2.imread(str(shared_dir / "poses/coco/000000000790.jpg"))
    return cv2.resize(image, (192, 192))[None]


def require(expect, name):
    if find_spec(MODULES.get(name, name)) is None:
        expect(name, "it is not installed")


def made(name, path, **options):
    return load("runtime", RUNTIMES, name)(path, **options)


def run_child(expect, tmp_path, name, precision, picture, threads=1):
    require(expect, name)
    path = model(expect, KINDS.get(name, "onnx"))
    np.save(tmp_path / "picture.npy", picture)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            CHILD,
            name,
            str(path),
            precision,
            str(tmp_path / "picture.npy"),
            str(threads),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "which this CPU does not compute in" in done.stderr:
        expect("bf16", "this CPU has none")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.model
@pytest.mark.parametrize(("name", "precision"), PRECISIONS)
def test_runtime_does_what_it_was_asked_and_agrees_with_the_others(
    expect, tmp_path, shared_dir, name, precision
):
    picture = photo(shared_dir)
    said = run_child(expect, tmp_path, name, precision, picture)
    assert (said["name"], said["precision"], said["threads"]) == (name, precision, 1)
    assert said["input"] == ["bgr", [1, 192, 192, 3], "uint8"]
    assert said["shape"] == [1, 1, 17, 3]
    assert said["outputs"][0] == "output_0"
    assert sorted(said["outputs"][1:]) == ["heatmaps", "is_peak", "offsets", "weighted"]
    assert said["marks"] == [0, 1]  # bytes that `bytes.find` finds
    assert 1 <= said["peaks"] < 40
    assert said["same"]
    assert said["differs"]
    assert said["load_ms"] > 0
    assert said["first_ms"] > 0
    judge = OpenVINORuntime(model(expect, "onnx"), precision="f32", threads=1)
    judge.open()
    expected = judge.infer(picture)[0].reshape(17, 3)
    found = np.array(said["keypoints"]).reshape(17, 3)
    sure = expected[:, 2] > 0.3
    assert sure.sum() >= 8
    tolerance = BF16_TOLERANCE if precision == "bf16" else F32_TOLERANCE
    assert np.abs(found - expected)[sure][:, :2].max() < tolerance


def test_every_registered_runtime_is_under_contract():
    tried = {case.values[0] if hasattr(case, "values") else case[0] for case in PRECISIONS}
    assert tried | NEEDS_A_CARD == set(RUNTIMES)
    assert not tried & NEEDS_A_CARD


@pytest.mark.model
@pytest.mark.parametrize("name", ["openvino", "onnxruntime", "litert", "tensorflow", "torch"])
def test_thread_count_is_taken_and_read_back(expect, tmp_path, shared_dir, name):
    assert run_child(expect, tmp_path, name, "f32", photo(shared_dir), threads=2)["threads"] == 2


@pytest.mark.parametrize("name", RUNTIMES)
def test_absent_model_is_one_sentence_with_the_remedy(tmp_path, name):
    runtime = made(name, tmp_path / "none.onnx", precision="auto", threads=1)
    with pytest.raises(MissingError, match=r"none\.onnx .*lalelu model fetch NAME") as caught:
        runtime.open()
    assert len(str(caught.value).splitlines()) == 1
    runtime.close()


@pytest.mark.parametrize("name", ANYWHERE)
@pytest.mark.parametrize("damage", ["cut in half", "noise", "noise behind a good beginning", "empty"])
def test_damaged_model_is_one_sentence_with_the_remedy(expect, tmp_path, name, damage):
    require(expect, name)
    file = tmp_path / "bad.onnx"
    noise = np.random.default_rng(1).bytes(5000)
    beginning = b"\x1c\0\0\0TFL3" if name == "litert" else b"\x08\x08"
    if damage == "cut in half":
        whole = model(expect, KINDS.get(name, "onnx")).read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    else:
        file.write_bytes({"noise": noise, "empty": b""}.get(damage, beginning + noise))
    runtime = made(name, file, precision="auto", threads=1)
    with pytest.raises(MissingError, match=r"bad\.onnx cannot be loaded.*lalelu model fetch NAME") as caught:
        runtime.open()
    assert len(str(caught.value).splitlines()) == 1


CUT_SHORT = """
import sys
from pathlib import Path
import numpy as np
from lalelu.pose.port import RUNTIMES
from lalelu.registry import load
name, path = sys.argv[1:]
runtime = load("runtime", RUNTIMES, name)(Path(path), precision="auto", threads=1)
spec = runtime.open().inputs[0]
picture = np.random.default_rng(0).integers(0, 255, spec.shape).astype(spec.dtype)
before = [output.copy() for output in runtime.infer(picture)]
Path(path).write_bytes(b"")
after = runtime.infer(picture)
sys.exit(not all(map(np.array_equal, before, after)))
"""


@pytest.mark.model
@pytest.mark.parametrize("name", ANYWHERE)
def test_a_models_file_that_is_cut_short_while_it_is_played_changes_nothing(expect, tmp_path, name):
    require(expect, name)
    file = tmp_path / "model"
    file.write_bytes(model(expect, KINDS.get(name, "onnx")).read_bytes())
    command = [sys.executable, "-c", CUT_SHORT, name, str(file)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.model
@pytest.mark.parametrize("name", ANYWHERE)
def test_wrong_input_and_early_use_are_refused_in_words(expect, name):
    require(expect, name)
    runtime = made(name, model(expect, KINDS.get(name, "onnx")), precision="auto", threads=1)
    with pytest.raises(UsageError, match="not open"):
        runtime.infer(np.zeros((1, 192, 192, 3), np.uint8))
    runtime.open()
    for wrong in [np.zeros((1, 192, 192, 3), np.float32), np.zeros((1, 256, 256, 3), np.uint8)]:
        with pytest.raises(UsageError, match="it takes"):
            runtime.infer(wrong)
    runtime.close()
    with pytest.raises(UsageError, match="not open"):
        runtime.infer(np.zeros((1, 192, 192, 3), np.uint8))


@pytest.mark.parametrize("name", ["onnxruntime", "litert", "tensorflow"])
@pytest.mark.parametrize("precision", ["bf16", "f16", "int8"])
def test_a_precision_is_refused_where_the_runtime_has_none(tmp_path, name, precision):
    runtime = made(name, tmp_path / "any", precision=precision, threads=1)
    with pytest.raises(MissingError, match=rf"pose\.precision is {precision}.*choose auto or f32"):
        runtime.open()


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_f16_is_refused_on_a_cpu_that_would_only_imitate_it(expect, name):
    require(expect, name)
    runtime = made(name, model(expect, "onnx"), precision="f16", threads=1)
    with pytest.raises(MissingError, match=r"pose\.precision is f16.*choose auto"):
        runtime.open()


def test_litert_refuses_to_play_without_xnnpack(expect, monkeypatch):
    require(expect, "litert")
    path = model(expect, "tflite")
    from ai_edge_litert import interpreter

    def slow(*args, **options):
        kernels = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return whole(*args, **options, experimental_op_resolver_type=kernels)

    whole = interpreter.Interpreter
    monkeypatch.setattr(interpreter, "Interpreter", slow)
    with pytest.raises(MissingError, match=r"XNNPACK did not take 75 of .*choose pose\.runtime: openvino"):
        made("litert", path, precision="auto", threads=1).open()


@pytest.mark.model
def test_compiled_model_is_kept_and_a_damaged_one_is_made_again(expect, tmp_path):
    path = model(expect, "onnx")
    picture = np.full((1, 192, 192, 3), 90, np.uint8)
    results = []
    for damage in (False, False, True):
        if damage:
            for blob in (tmp_path / "openvino").glob("*.blob"):
                blob.chmod(0o600)
                blob.write_bytes(blob.read_bytes()[:1000])
        runtime = OpenVINORuntime(path, precision="f32", threads=1, cache_dir=tmp_path)
        facts = runtime.open()
        assert [spec.name for spec in facts.outputs] == [
            "output_0",
            "heatmaps",
            "weighted",
            "offsets",
            "is_peak",
        ]
        results.append(runtime.infer(picture)[0].copy())
        runtime.close()
        assert list((tmp_path / "openvino").glob("*.blob"))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


TWO_NETWORKS = """
import gc, signal, sys
from pathlib import Path
from lalelu.pose.runtimes.openvino import OpenVINORuntime
first, second = (OpenVINORuntime(Path(sys.argv[1]), precision="f32", threads=1) for _ in range(2))
first.open()
second.open()
first.close()
del first
gc.collect()
second.close()
del second
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.model
def test_a_signal_is_survived_after_two_networks_were_closed_in_the_order_of_opening(expect):
    command = [sys.executable, "-c", TWO_NETWORKS, str(model(expect, "onnx"))]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, "heard\n"), told.stderr


def test_openvino_is_imported_without_its_telemetry(tmp_path):
    code = (
        "import sys, socket\n"
        "from lalelu.pose.runtimes.openvino import import_openvino\n"
        "import_openvino()\n"
        "print(sys.modules.get('openvino_telemetry'), any('telemetry.backend' in name for name in sys.modules))"
    )
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=home, check=True)
    assert done.stdout.split() == ["None", "False"]
    assert list(Path(tmp_path).iterdir()) == []
