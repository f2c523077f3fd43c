"""The model files that runtimes open: converted on first use, or the user's own. Reads and writes files."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lalelu.errors import MissingError, UsageError
from lalelu.models import catalogue, fetch
from lalelu.models.cache import cache_dir, digest, lock, not_writable, own_bytes
from lalelu.models.catalogue import Model, Normalisation
from lalelu.models.graph import Graph
from lalelu.models.progress import Progress, Silent, StderrProgress
from lalelu.replacement import replacing

# what decides the converted file: a change in any of them makes a new one
CONVERTER: Final = (
    "catalogue.py",
    "exact_outputs.py",
    "graph.py",
    "heads.py",
    "kernels.py",
    "onnx_export.py",
    "onnx_ops.py",
    "original.py",
    "picture.py",
    "simplify.py",
    "tfjs.py",
)
TFLITE_CONVERTER: Final = ("tflite_export.py", "tflite_ops.py")  # besides those


@dataclass(frozen=True, slots=True)
class Import:
    """A model that the user brought; it takes the catalogue's place under its name."""

    path: Path
    origin: str


def onnx_path(model: str, *, progress: Progress | None = None) -> Path:
    """Return the ONNX file of a model, fetching and converting it where needed.

    Input (1, S, S, 3): `bgr`, uint8, of a model with heads or a normalisation, else `input`, int32 RGB. Outputs as
    in the catalogue, float32; then its heads.
    A damaged file is made again (which is said). Raises UsageError for an unknown name, MissingError when no
    source gives its files.
    """
    row, news = catalogue.find(model), progress or StderrProgress()
    if own := imported(row):
        return _intact(own, row)
    path = cache_dir() / "onnx" / f"{row.name}-{_version(row)}.onnx"
    if not path.is_file() and find_spec("onnx") is None:  # before anything is fetched
        raise MissingError(
            f"model {row.name!r} is written as ONNX by the module 'onnx', which is not installed; `pip install onnx` "
            "brings it, or choose pose.runtime: litert, which does without"
        )

    def convert(graph: Graph) -> bytes:
        from lalelu.models import onnx_export

        news.say(f"converting {row.name} to ONNX")
        return onnx_export.to_onnx(graph, row.name)

    return _converted(row, path, convert, news)


def tflite_path(model: str, *, progress: Progress | None = None) -> Path:
    """Return the TFLite file of a model, fetching and converting it where needed; no TensorFlow takes part.

    Inputs and outputs as in `onnx_path`. Raises MissingError without the litert extra, UsageError when the user
    imported another model here.
    """
    row, news = catalogue.find(model), progress or StderrProgress()
    _refuse_import(row, "TFLite file")
    path = cache_dir() / "tflite" / f"{row.name}-{_version(row, *TFLITE_CONVERTER)}.tflite"
    if not path.is_file():
        from lalelu.models import tflite_export

        tflite_export.import_schema()  # before anything is fetched

    def convert(graph: Graph) -> bytes:
        from lalelu.models import tflite_export

        news.say(f"converting {row.name} to TFLite")
        return tflite_export.to_tflite(graph, row.name)

    return _converted(row, path, convert, news)


def own_heatmap_path(file: Path, *, keypoints: int, normalisation: Normalisation, rgb: bool) -> Path:
    """Return the user's own heatmap network as lalelu runs it; made anew when the file or an option changes.

    Raises UsageError for a file that is not there, or no such network.
    """
    data = own_bytes(file, "pose.heatmap.file")
    state = hashlib.sha256(data + repr((keypoints, normalisation, rgb)).encode())
    state.update((Path(__file__).parent / "own_heatmap.py").read_bytes())
    path = cache_dir() / "heatmap" / f"{file.stem}-{state.hexdigest()[:12]}.onnx"
    with lock("convert"):
        if not _is_whole(path, Silent()):
            from lalelu.models import own_heatmap

            made = own_heatmap.adapted(
                data, str(file), keypoints=keypoints, normalisation=normalisation, rgb=rgb
            )
            _store(path, made)
    return path


def _converted(row: Model, path: Path, convert: Callable[[Graph], bytes], news: Progress) -> Path:
    """Return `path`, made anew by `convert` where it is not there or damaged."""
    if _is_whole(path, Silent()):
        return path
    fetch.fetch([row], news)
    with lock("convert"):
        if not _is_whole(path, news):
            _store(path, convert(_played(row)))
    return path


def graph_of(model: str, *, progress: Progress | None = None) -> Graph:
    """Return the graph that a model's files are converted from, fetching it where needed.

    Raises UsageError when the user imported another model here: of that there is a file only.
    """
    row, news = catalogue.find(model), progress or StderrProgress()
    _refuse_import(row, "graph")
    fetch.fetch([row], news)
    return _played(row)


def _played(row: Model) -> Graph:
    from lalelu.models import original

    return original.as_played(original.read(row, fetch.folder()), row)


def saved_model_path(model: str, *, progress: Progress | None = None) -> Path:
    """Return the folder of a model's TensorFlow SavedModel, made on first use.

    Raises MissingError without the tensorflow extra, UsageError when the user imported another model here.
    """
    row, news = catalogue.find(model), progress or StderrProgress()
    _refuse_import(row, "SavedModel")
    path = cache_dir() / "saved-model" / f"{row.name}-{_version(row, 'savedmodel.py')}"
    if path.is_dir():  # it was renamed into place when it was complete
        return path
    from lalelu.models import original, savedmodel

    savedmodel.tensorflow()  # before anything is fetched
    fetch.fetch([row], news)
    with lock("convert"):
        if not path.is_dir():
            news.say(f"writing {row.name} as a SavedModel")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            try:
                graph = original.read(row, fetch.folder())
                savedmodel.write(graph, original.as_played(graph, row), temporary)
                temporary.chmod(0o755)  # mkdtemp's folders are for their owner only
                temporary.rename(path)
            except OSError as exc:
                raise not_writable(path, exc) from exc
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return path


def tftrt_folder(model: str, precision: str) -> Path:
    """Return where TF-TRT's conversion of a model's SavedModel is kept; `tools/convert_tftrt.py` makes it."""
    row = catalogue.find(model)
    return cache_dir() / "tftrt" / f"{row.name}-{precision}-{_version(row, 'savedmodel.py')}"


def tftrt_path(model: str, precision: str) -> Path:
    """Return TF-TRT's conversion of a model. Raises MissingError where there is none for this precision."""
    from lalelu.models.tftrt import MODES

    if precision not in MODES:
        raise MissingError(
            f"pose.precision is {precision}, which TF-TRT does not offer; choose auto, {', '.join(MODES)}"
        )
    path = tftrt_folder(model, precision)
    if not path.is_dir():
        raise MissingError(
            f"model {model!r} has not been converted for TF-TRT in {precision}; "
            f"`python tools/convert_tftrt.py {model} --precision {precision}` does it, or choose pose.device: cpu"
        )
    return path


def _refuse_import(row: Model, kind: str) -> None:
    if own := imported(row):
        raise UsageError(
            f"model {row.name!r} is your own import ({own.origin}), of which there is no {kind}; "
            f"`lalelu model import {row.name} --remove` brings the catalogue's back"
        )


def imported(row: Model) -> Import | None:
    """Return the user's own file for a model, None where there is none."""
    path = _own(row)
    if not path.is_file():
        return None
    try:
        note = json.loads(path.with_suffix(".json").read_text())
        return Import(path, str(note["origin"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Import(path, "of unknown origin")  # `_intact` refuses it on use


def is_ready(row: Model) -> bool:
    """Tell whether a model can be used without the network."""
    ready = cache_dir() / "onnx" / f"{row.name}-{_version(row)}.onnx"
    return imported(row) is not None or ready.is_file() or fetch.is_cached(row)


def import_onnx(model: str, file: Path) -> Path:
    """Take the user's ONNX file as model `model`.

    Raises UsageError when it is no ONNX model, or not one with the shapes of the model's family.
    """
    row = catalogue.find(model)
    from lalelu.models import onnx_check

    data = own_bytes(file)
    onnx_check.check(data, row, str(file))
    return _keep(row, data, f"ONNX {file.resolve()}")


def import_saved_model(model: str, folder: Path) -> Path:
    """Convert the user's SavedModel (from Kaggle) and take it as model `model`.

    Raises MissingError without the tensorflow extra, UsageError for a folder or graph that is not known.
    """
    row = catalogue.find(model)
    if row.normalisation is not None:
        raise UsageError(
            f"model {row.name!r} is not taken from a SavedModel, which does not tell its outputs apart; give the "
            "ONNX file of another machine's cache, or a heatmap network of your own to pose.heatmap"
        )
    from lalelu.models import onnx_check, onnx_export, original, savedmodel

    graph = savedmodel.read(folder, row.input_shape)
    onnx_check.check(onnx_export.to_onnx(graph, row.name), row, str(folder))
    data = onnx_export.to_onnx(original.as_played(graph, row), row.name)
    return _keep(row, data, f"SavedModel {folder.resolve()}")


def remove_import(model: str) -> bool:
    """Forget the user's own file for a model; tells whether there was one."""
    path = _own(catalogue.find(model))
    there = path.is_file()
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)
    return there


def _own(row: Model) -> Path:
    return cache_dir() / "imported" / f"{row.name}.onnx"


def _keep(row: Model, data: bytes, origin: str) -> Path:
    path = _own(row)
    with lock("import"):
        # the file last: a note without its file says nothing, a file without its note is refused
        with replacing(path.with_suffix(".json"), not_writable) as temporary:
            note = {"origin": origin, "sha256": hashlib.sha256(data).hexdigest()}
            temporary.write_text(json.dumps(note))
        with replacing(path, not_writable) as temporary:
            temporary.write_bytes(data)
    return path


def _intact(own: Import, row: Model) -> Path:
    try:
        expected = json.loads(own.path.with_suffix(".json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        expected = None
    if digest(own.path) != expected:
        raise UsageError(
            f"your own file for model {row.name!r}, {own.path}, is not the one that was imported "
            f"({own.origin}); `lalelu model import {row.name} --onnx FILE` imports it again, "
            "`--remove` brings the catalogue's back"
        )
    return own.path


def _version(row: Model, *more: str) -> str:
    """Return 12 hex digits that change with the converter's code and with the model's files."""
    here = Path(__file__).parent
    state = hashlib.sha256()
    for name in (*CONVERTER, *more):
        state.update((here / name).read_bytes())
    state.update(repr(row).encode())
    return state.hexdigest()[:12]


def _is_whole(path: Path, progress: Progress) -> bool:
    try:
        expected = path.with_suffix(".sha256").read_text().strip()
    except FileNotFoundError:
        expected = ""
    got = digest(path)
    if got is not None and got != expected:
        progress.say(f"{path} is damaged ({path.stat().st_size} bytes): making it again")
    return got is not None and got == expected


def _store(path: Path, data: bytes) -> None:
    # the checksum last: a file without one is made again
    with replacing(path, not_writable) as temporary:
        temporary.write_bytes(data)
    with replacing(path.with_suffix(".sha256"), not_writable) as temporary:
        temporary.write_text(hashlib.sha256(data).hexdigest() + "\n")
