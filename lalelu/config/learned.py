"""Read and write the file of a learned detector. Reads and writes files."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from lalelu.config.kit import KitConfig
from lalelu.config.positions import Document
from lalelu.gesture.learned import trees_of
from lalelu.gesture.trees import to_text
from lalelu.regular import read_regular

MOST_BYTES: Final = 4 << 20
ARRAYS: Final = ("baseline", "feature", "threshold", "leaf")


def write_trees(path: Path, **arrays: Any) -> str:  # noqa: ANN401 - arrays by name
    """Write trees (ARRAYS, as `to_text` takes them) as .npz and return the file's SHA-256."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_trees(path: Path, sha256: str) -> str:
    """Return the text of the trees in a file. Raises ValueError with a reason where it is not what it must be."""
    try:
        raw = read_regular(path, MOST_BYTES)
    except OSError as exc:
        raise ValueError(f"cannot be read ({exc.strerror})") from exc
    if (found := hashlib.sha256(raw).hexdigest()) != sha256:
        raise ValueError(f"has the SHA-256 {found}, not the one that the kit names")
    try:
        with np.load(BytesIO(raw), allow_pickle=False) as arrays:
            baseline, feature, threshold, leaf = (arrays[name] for name in ARRAYS)
        text = to_text(float(baseline), feature, threshold, leaf)
        trees_of(text)
    except (KeyError, OSError, TypeError, ValueError, BadZipFile) as exc:
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
