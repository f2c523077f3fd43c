"""The rules of the house, proved on the source: what is pure stays pure, vendors stay in their adapters."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SOURCES = {
    path.relative_to(PROJECT / "lalelu").as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((PROJECT / "lalelu").rglob("*.py"))
}

# Folders and files that get time, data and devices in their arguments.
PURE = (
    "gesture/",
    "analysis/",
    "pose/heatmap.py",
    "pose/movenet.py",
    "pose/anchors.py",
    "pose/blazepose.py",
    "pose/posenet.py",
    "pose/crop.py",
    "pose/fingers.py",
    "pose/lock.py",
    "pose/multipose.py",
    "pose/orientation.py",
    "pose/people.py",
    "pose/region.py",
    "pose/wrist.py",
    "camera/pace.py",
    "camera/v4l2/options.py",
    "camera/v4l2/stamps.py",
    "doctor/flicker.py",
    "doctor/interrupt_findings.py",
    "doctor/picture_findings.py",
    "doctor/processor_findings.py",
    "doctor/script.py",
    "doctor/settings.py",
    "doctor/stage_findings.py",
    "selftest/chain.py",
    "selftest/light.py",
    "selftest/sound.py",
    "conditions.py",
    "camera/sight.py",
    "numbering.py",
    "voice/away.py",
    "voice/delay.py",
    "voice/line.py",
    "voice/drumsounds.py",
    "voice/message.py",
    "voice/repeats.py",
    "voice/mixer.py",
    "voice/repertoire.py",
    "voice/scheduler.py",
    "voice/sounds.py",
    "voice/targets.py",
    "voice/synth/blocks.py",
    "voice/synth/underruns.py",
    "voice/tempo.py",
    "voice/tempomap.py",
    "kitpicture/",
    "config/agreement.py",
    "config/agreement_of_gestures.py",
    "config/agreement_of_kits.py",
    "config/agreement_of_limbs.py",
    "config/edit.py",
    "config/keys.py",
    "config/json_schema.py",
    "config/kit_options.py",
    "config/live.py",
    "config/notes.py",
    "config/positions.py",
    "config/sentences.py",
    "kitedit/edits.py",
    "kitedit/fields.py",
    "models/tree_ensemble.py",
    "kitedit/learn.py",
    "kitedit/pads.py",
    "takes/replaying.py",
    "tuning/align.py",
    "tuning/fitting.py",
    "tuning/lesson.py",
    "tuning/outcome.py",
    "tuning/parameters.py",
    "tuning/pattern.py",
    "tuning/practice.py",
    "tuning/report.py",
)
WORLD = frozenset(
    {
        "asyncio",
        "cv2",
        "datetime",
        "glob",
        "http",
        "io",
        "logging",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
        "psutil",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
    }
)
WORLD_CALLS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "__import__"})

# vendor -> the files that may import it, with the reason
VENDORS = {
    "openvino": {"pose/runtimes/openvino.py": "the adapter"},
    "onnxruntime": {
        "pose/runtimes/onnxruntime.py": "the adapter",
        "models/quantize.py": "measures ranges and writes int8 models",
    },
    "tensorflow": {
        "pose/runtimes/tensorflow.py": "the adapter",
        "models/savedmodel.py": "reads and writes TensorFlow's own format",
        "models/tftrt.py": "TensorFlow's converter for TensorRT",
    },
    "rtmidi": {
        "voice/outputs/rtmidi.py": "the adapter",
        "desk/inputs/rtmidi.py": "the adapter",
        "selftest/alsa_witness.py": "the program that hears the notes",
        "voice/outputs/jack.py": "asks whether JACK answers, for the adapter",
    },
    "jack": {"selftest/jack_witness.py": "the program that hears the notes"},
    "pythonosc": {"voice/outputs/osc.py": "the adapter"},
    "miniaudio": {"voice/synth/card.py": "the sound card"},
    "fluidsynth": {"voice/synth/fluid.py": "its voices"},
    "mido": {"voice/outputs/file.py": "writes Standard MIDI files"},
    "onnx": {
        "models/onnx_export.py": "writes model files",
        "models/onnx_file.py": "reads a user's model file",
        "models/onnx_check.py": "tells what a user's model takes and gives",
        "models/nms_graph.py": "joins a user's model file and what follows it",
        "models/own_heatmap.py": "rewrites a user's model file",
        "models/quantize.py": "reads and writes model files",
        "bench/ceiling.py": "writes a matrix product as a model, counts a model's arithmetic",
        "models/merge_onnx.py": "joins a user's model",
        "models/merged_file.py": "reads and writes model files",
        "models/slim.py": "hands a model over",
        "models/tree_ensemble.py": "writes and reads learned detectors",
        "bench/merge.py": "hands a model to the simplifier",
        "commands/model_merge.py": "tells what a model takes and gives",
        "pose/runtimes/torch_graph.py": "reads the file that PyTorch is to run",
    },
    "onnxslim": {"models/slim.py": "simplifies model files"},
    "shtab": {"commands/completion.py": "writes the shells' scripts"},
    "videodev2": {"camera/v4l2/": "the kernel's structures"},
    "yaml": {
        "config/positions.py": "reads configuration",
        "config/json_schema.py": "reads the comments of shipped files",
        "config/keys.py": "finds keys in configuration",
    },
    "ruamel": {"config/edit.py": "changes configuration and keeps its comments"},
    "cv2": {
        "bench/merge_worker.py": "makes frames as cameras give them",
        "camera/": "decodes, filters and renders pictures",
        "pose/estimator.py": "sets OpenCV to one thread",
        "pose/sheet.py": "follows points from picture to picture",
        "pose/sampling.py": "scales the crop",
        "pose/sampling_turned.py": "scales and turns the crop",
        "pose/reference.py": "reads the film of the reference keypoints",
        "jpeg.py": "packs the picture for browsers and films",
        "picture.py": "draws",
        "bench/charts.py": "paints charts",
        "models/looks.py": "reads photos",
        "models/compare_pictures.py": "draws what variants saw",
    },
    "aiohttp": {"page/": "serves the page"},
    "playwright": {},  # drives a browser: tests only
    "mir_eval": {},  # the judge of our own scoring: tests only
    "ruptures": {},  # the judge of our own segmentation: tests only
    "scipy": {},  # 143 MB that playing does not need
    "torch": {
        "pose/runtimes/torch.py": "the adapter",
        "pose/runtimes/torch_graph.py": "makes the adapter's module",
    },
    "tensorrt": {"pose/runtimes/tensorrt.py": "the adapter"},
    "cuda": {"pose/runtimes/tensorrt.py": "the card's memory, for the adapter"},
    "ai_edge_litert": {
        "pose/runtimes/litert.py": "the adapter",
        "models/tflite_export.py": "the file format's tables",
    },
    "keras": {},
    "optuna": {"tuning/study.py": "searches"},
    "distributed": {"tuning/workers.py": "plays takes on other machines"},
    "dask": {},
    "sklearn": {"tuning/learn.py": "grows a learned detector's trees"},
    "threadpoolctl": {"tuning/learn.py": "keeps scikit-learn to one thread"},
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every module that is imported anywhere in a file, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def breaches(tree: ast.AST) -> set[str]:
    """Return what of the world a file touches by import or built-in function."""
    modules = {name.partition(".")[0] for name in imported(tree)} & WORLD
    calls = {
        _called(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return modules | (calls & WORLD_CALLS)


def within(name: str, allowed: dict[str, str] | tuple[str, ...]) -> bool:
    return any(name == place or (place.endswith("/") and name.startswith(place)) for place in allowed)


@pytest.mark.parametrize("name", [name for name in SOURCES if within(name, PURE)])
def test_a_pure_module_touches_no_clock_file_device_or_log(name):
    assert breaches(SOURCES[name]) == set()


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from os import path",
        "import urllib.request",
        "import numpy\ndef f():\n    import cv2",
        "from importlib import import_module\nimport_module('socket')",
        "def f():\n    return open('x')",
        "print(1)",
    ],
)
def test_the_purity_rule_sees_what_it_should(text):
    assert len(breaches(ast.parse(text))) == 1


@pytest.mark.parametrize("place", PURE)
def test_every_pure_place_of_the_list_exists(place):
    assert [name for name in SOURCES if within(name, (place,))] != []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_is_imported_only_in_its_adapters(vendor):
    users = {
        name for name, tree in SOURCES.items() if vendor in {m.partition(".")[0] for m in imported(tree)}
    }
    assert {name for name in users if not within(name, VENDORS[vendor])} == set()


@pytest.mark.parametrize("name", SOURCES)
def test_the_package_never_imports_the_tools_or_tests(name):
    assert {module.partition(".")[0] for module in imported(SOURCES[name])} & {
        "tools",
        "tests",
        "conftest",
    } == set()


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_in_its_first_line_what_it_is_for(name):
    assert (ast.get_docstring(SOURCES[name]) or "") != ""
