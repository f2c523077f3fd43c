"""Merged networks as files, made of the catalogue's networks or of a user's ONNX file. Reads and writes files."""

import shutil
import tempfile
from pathlib import Path

import onnx

from lalelu.errors import UsageError
from lalelu.models import (
    catalogue,
    merge,
    merge_onnx,
    onnx_export,
    onnx_file,
    savedmodel,
    slim,
    store,
    tflite_export,
)
from lalelu.models.cache import cache_dir, out_not_writable, write_whole
from lalelu.models.camera_graph import Camera
from lalelu.models.graph import Graph
from lalelu.models.merge_options import ENDINGS, Kind, Reading
from lalelu.models.progress import Progress


def own_file(model: str) -> Path | None:
    """Return the user's own ONNX file that a name means, as a path or imported under it; None for the catalogue's.

    Raises UsageError for an unknown name.
    """
    if model.endswith(".onnx"):
        return Path(model)
    return store.onnx_path(model) if store.imported(catalogue.find(model)) else None


def default_path(model: str, camera: Camera, kind: Kind, *, slimmed: bool) -> Path:
    """Return where a merged network is written unless told otherwise: in the cache, or beside the user's file."""
    turned = f"-r{camera.orientation.rotate}" if camera.orientation.rotate else ""
    mirrored = "-mirrored" if camera.orientation.mirror else ""
    slimness = "-slim" if slimmed else ""
    about = f"{camera.format.lower()}-{camera.width}x{camera.height}{turned}{mirrored}{slimness}"
    if model.endswith(".onnx"):
        return Path(model).with_name(f"{Path(model).stem}-{about}.onnx")
    return cache_dir() / "merged" / f"{model}-{about}{ENDINGS[kind]}"


def make(
    model: str,
    camera: Camera,
    out: Path,
    *,
    kind: Kind = "onnx",
    slimmed: bool = False,
    reading: Reading | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a network of the catalogue, or a user's own file, that takes the camera's frames.

    `reading` is for the user's file. Raises UsageError for what cannot be merged or written, MissingError where an
    extra is missing.
    """
    own = own_file(model)
    if kind != "onnx" and (slimmed or own is not None):
        raise UsageError(
            f"--as {kind} is for networks of the catalogue, which onnxslim does not read; leave "
            f"{'--slim out' if slimmed else f'--as out for {own}'}"
        )
    if own is not None:
        merged = merge_onnx.merged_onnx(onnx_file.read(own), camera, reading or Reading())
    else:
        row = catalogue.find(model)
        graph = merge.merged(store.graph_of(model, progress=progress), row.family, camera)
        if kind == "saved-model":
            _write_folder(out, graph)
            return
        if kind == "tflite":
            write_whole(out, tflite_export.to_tflite(graph, model))
            return
        merged = onnx.load_model_from_string(onnx_export.to_onnx(graph, model))
    write_whole(out, (slim.slimmed(merged) if slimmed else merged).SerializeToString())


def _write_folder(path: Path, graph: Graph) -> None:
    """Write a SavedModel whole, or not at all; only another SavedModel is replaced."""
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise UsageError(f"--out {path} is there and is no SavedModel; name another folder")
    savedmodel.tensorflow()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            made = Path(folder) / path.name
            savedmodel.write(graph, graph, made)
            shutil.rmtree(path, ignore_errors=True)
            made.rename(path)
    except OSError as exc:
        raise out_not_writable(path, exc) from exc
