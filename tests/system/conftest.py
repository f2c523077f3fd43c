"""What the whole-instrument tests stand on: an empty room, the network's files, a short demo."""

import os
import sys
import urllib.request
from pathlib import Path

import pytest
from system.stage import finish, start, write_config, write_take

from lalelu.models import catalogue, fetch, store

NOWHERE = "http://127.0.0.1:9"  # the discard port: refused at once


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A folder to work in, with a configuration and a take; no JACK server is found from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "lalelu-nobody")
    write_config(tmp_path)
    write_take(tmp_path / "good.take", seconds=0.6)
    return tmp_path


@pytest.fixture(scope="session")
def lightning_files(expect):
    """The catalogue's row of MoveNet Lightning and its files' bytes, fetched where they are not cached."""
    row = catalogue.MODELS["lightning"]
    try:
        store.onnx_path(row.name)
        return row, {file.name: (fetch.folder() / file.name).read_bytes() for file in row.files}
    except Exception as exc:  # noqa: BLE001 - whatever keeps the files away, the test cannot run
        expect("model", str(exc))


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """An empty cache on a machine that reaches nobody and has no npm; returns the only folder on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(programs))
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", NOWHERE)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it remembers the proxies of its first use
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return programs


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """`lalelu demo` played twice into one folder: the folder, and what the second one said."""
    folder = tmp_path_factory.mktemp("demo")
    first = finish(start("demo", "--seconds", "1", "--out", "out", folder=folder))
    assert first.code == 0, first.err
    return folder, finish(start("demo", "--seconds", "3", "--out", "out", folder=folder))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with a runtime directory of its own."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"/dev/shm/lalelu-test-{os.getpid()}-{tmp_path.name}")
    yield tmp_path
    place = Path(os.environ["XDG_RUNTIME_DIR"])
    left = [entry.name for entry in place.glob("lalelu/*")]
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.rmdir()
    assert left == [], "a session was left behind"
