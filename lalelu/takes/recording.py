"""A take while it is recorded: where it lies, and how it is packed at the end. Writes files."""

import gzip
import shutil
from pathlib import Path
from typing import Final

VERSION: Final = 1  # of a take's lines


def recorded_at(take: Path) -> Path:
    """Return where a take lies while it is recorded: without the `.gz` it gets at the end."""
    return take.with_suffix("") if take.suffix == ".gz" else take


def pack(plain: Path, packed: Path) -> None:
    """Gzip `plain` into `packed`, which appears whole, and remove `plain`. Raises OSError."""
    from lalelu.replacement import replacing  # a desk that is started again must be there sooner

    # a fixed date makes equal takes equal files
    with (
        replacing(packed) as unfinished,
        plain.open("rb") as source,
        unfinished.open("wb") as target,
        gzip.GzipFile("", "wb", 6, target, mtime=0) as zipped,
    ):
        shutil.copyfileobj(source, zipped)
    plain.unlink()
