"""Read and write the file of a learned detector: ONNX. Reads and writes files."""

import hashlib
from pathlib import Path
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.config.positions import Document
from lalelu.errors import UsageError
from lalelu.gesture.learned import FEATURES, trees_of
from lalelu.gesture.trees import Ensemble, decoded
from lalelu.regular import read_regular
from lalelu.replacement import not_written, replacing

MOST_BYTES: Final = 4 << 20


def write_trees(kit: Path, trees: Ensemble) -> dict[str, str]:
    """Write trees beside the file of a kit, and return what that says of them, `learned`. Raises UsageError.

    The file's name has its sum in it: that of another kit or an earlier detector is never replaced.
    """
    from lalelu.models.tree_ensemble import to_onnx  # only learned kits need onnx

    data = to_onnx(trees, FEATURES)
    sha256 = hashlib.sha256(data).hexdigest()
    path = kit.with_name(f"{kit.stem}-{sha256[:8]}.onnx")
    with replacing(path, not_written) as unfinished:
        unfinished.write_bytes(data)
    return {"file": path.name, "sha256": sha256}


def read_trees(path: Path, sha256: str) -> str:
    """Return the text of the trees in a file. Raises ValueError with a reason where it is not what it must be."""
    try:
        raw = read_regular(path, MOST_BYTES)
    except OSError as exc:
        raise ValueError(f"cannot be read ({exc.strerror})") from exc
    if (found := hashlib.sha256(raw).hexdigest()) != sha256:
        raise ValueError(f"has the SHA-256 {found}, not the one that the kit names")
    try:
        from lalelu.models.tree_ensemble import from_onnx
    except ModuleNotFoundError as exc:
        raise ValueError(
            f"needs the module {exc.name!r}, which is not installed: `pip install onnx`"
        ) from exc
    try:
        text = from_onnx(raw, path.name).text
        trees_of(decoded(text))
    except (UsageError, ValueError) as exc:
        raise ValueError(f"is no learned detector ({exc})") from exc
    return text


def with_trees(document: Document, kit: KitConfig) -> KitConfig:
    """Return the kit with the trees of its learned detector; what is wrong is added to the document's problems."""
    learned = kit.learned
    if kit.detector != "learned" or learned is None:
        return kit
    path = Path(document.file).parent / Path(learned.file)
    try:
        text = read_trees(path, learned.sha256)
    except ValueError as exc:
        where = ("learned", "file")
        document.add(
            where, f"learned.file is {learned.file}, which {exc}; `lalelu tune --learn` makes another"
        )
        return kit
    return kit.model_copy(update={"learned": learned.model_copy(update={"trees": text})})
