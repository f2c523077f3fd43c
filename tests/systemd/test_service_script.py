import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
UNFILLED = re.compile("@[A-Z]+@")
MARK = ".installed-by-lalelu"
OWN = {
    "usr/local/lib/systemd/system/lalelu.service",
    "usr/local/lib/systemd/system/lalelu@.service",
    "usr/local/lib/systemd/system/lalelu-desk.service",
    "usr/local/lib/systemd/system/lalelu-desk@.service",
    "usr/local/lib/systemd/system/lalelu.slice",
    "usr/local/lib/systemd/user/lalelu.service",
    "usr/local/lib/sysusers.d/lalelu.conf",
    "usr/local/lib/tmpfiles.d/lalelu.conf",
    "usr/local/lib/udev/rules.d/90-lalelu.rules",
    "usr/local/share/man/man1/lalelu.1",
}
CONFIG = "etc/lalelu/lalelu.yaml"
HIDDEN = tuple(f"/{folder}/" for folder in ("home", "root", "tmp", "var/tmp", "run/user"))


@pytest.fixture
def make(project, tmp_path, expect):
    """Run a target of the Makefile below `root`, with variables; what make says comes back."""
    if not (BIN / "lalelu").exists():
        expect("systemd", f"no command lalelu is installed in {BIN}")

    def run(target: str, **variables: str) -> subprocess.CompletedProcess[str]:
        given = {"DESTDIR": str(tmp_path / "root"), **variables}
        command = ["make", "-C", str(project), target, *(f"{key}={value}" for key, value in given.items())]
        # without what a make around this test hands on, and the settings of whoever runs it
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "XDG_", "MFLAGS"))
        }
        return subprocess.run(
            command, capture_output=True, text=True, env={**kept, "HOME": "/home/player"}, check=False
        )

    return run


@pytest.fixture
def root(tmp_path):
    """What lies below DESTDIR."""
    path = tmp_path / "root"
    path.mkdir()
    return path


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_what_is_installed_is_removed_again_and_the_configuration_stays(make, root):
    done = make("install-service", SERVICE_BIN=str(BIN))
    assert done.returncode == 0, done.stderr
    assert files(root) == OWN | {CONFIG}
    assert [path for path in files(root) if UNFILLED.search((root / path).read_text(encoding="utf-8"))] == []
    unit = (root / "usr/local/lib/systemd/system/lalelu.service").read_text(encoding="utf-8")
    assert f"\nExecStart={BIN}/lalelu run --config /{CONFIG}\n" in unit

    done = make("uninstall-service", SERVICE_BIN=str(BIN))
    assert done.returncode == 0, done.stderr
    assert files(root) == {CONFIG}
    assert all(f"{root}/{path}" in done.stderr for path in OWN)
    assert f"{root}/var/lib/lalelu  ledgers" in done.stderr


def test_a_second_install_leaves_the_players_configuration_alone(make, root):
    assert make("install-service", SERVICE_BIN=str(BIN)).returncode == 0
    (root / CONFIG).write_text("left_handed: true\n")
    done = make("install-service", SERVICE_BIN=str(BIN))
    assert done.returncode == 0
    assert "stays as it is" in done.stderr
    assert (root / CONFIG).read_text() == "left_handed: true\n"


def test_a_package_may_have_its_units_elsewhere(make, root):
    assert make("install-service", SERVICE_BIN=str(BIN), SERVICE_LIB="/usr/lib").returncode == 0
    assert files(root) == {path.replace("usr/local", "usr") for path in OWN} | {CONFIG}


def test_a_player_installs_the_user_unit_into_the_own_home(make, root):
    unit = "home/player/.local/share/systemd/user/lalelu.service"
    page = "home/player/.local/share/man/man1/lalelu.1"
    config = "home/player/.config/lalelu/lalelu.yaml"
    done = make("install-user-service", SERVICE_BIN=str(BIN))
    assert done.returncode == 0, done.stderr
    assert files(root) == {unit, page, config}
    assert '"/home/player/.local/state/lalelu/ledger"' in (root / config).read_text(encoding="utf-8")
    assert make("uninstall-user-service").returncode == 0
    assert files(root) == {config}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PREFIX": "/srv/full"}, "holds other things"),
        ({"PREFIX": "opt/lalelu"}, "must begin with /"),
        ({"PREFIX": "/opt/my lalelu"}, "only letters, digits"),
        ({"PREFIX": "/opt/100%"}, "only letters, digits"),
        ({"PREFIX": "/tmp/lalelu"}, "could not see /tmp/lalelu"),
        ({"PYTHON": "no-such-python"}, "PYTHON is no-such-python, which is not there"),
        ({"SERVICE_BIN": "/srv/full"}, "no command lalelu"),
    ],
)
def test_a_place_that_cannot_work_is_refused_before_anything_is_written(make, root, variables, sentence):
    (root / "srv/full").mkdir(parents=True)
    (root / "srv/full/song.mid").touch()
    done = make("install-service", **{"PYTHON": "/bin/sh", **variables})
    assert done.returncode != 0
    assert sentence in done.stderr
    assert files(root) == {"srv/full/song.mid"}


def test_only_a_folder_that_install_made_is_removed(make, root):
    for name in ("opt/lalelu", "opt/mine"):
        (root / name / "bin").mkdir(parents=True)
        (root / name / "bin/lalelu").touch()
    (root / "opt/lalelu" / MARK).touch()
    assert make("uninstall-service").returncode == 0
    assert make("uninstall-service", PREFIX="/opt/mine").returncode == 0
    assert files(root) == {"opt/mine/bin/lalelu"}


@pytest.mark.slow
def test_an_environment_below_destdir_runs_from_its_prefix(make, root, expect):
    pythons = [getattr(sys, "_base_executable", ""), "/usr/bin/python3"]
    visible = [name for name in pythons if Path(name).is_file() and not is_hidden(name)]
    if not visible:
        expect("systemd", f"no Python lies outside of homes and temporary folders: {pythons}")
    done = make("install-service", PYTHON=visible[0])
    if "No matching distribution found" in done.stderr:
        expect("systemd", "pip reaches no package index")
    assert done.returncode == 0, done.stderr
    prefix = root / "opt/lalelu"
    assert (prefix / "bin/lalelu").read_text().startswith("#!/opt/lalelu/bin/python")
    assert [path for path in (prefix / "bin").iterdir() if str(root) in text_of(path)] == []
    assert OWN | {CONFIG} <= files(root)
    assert "not done below DESTDIR: runuser -u lalelu" in done.stderr
    assert make("uninstall-service").returncode == 0
    assert files(root) == {CONFIG}


def is_hidden(name: str) -> bool:
    return os.path.realpath(name).startswith(HIDDEN)


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() and not path.is_symlink() else ""
