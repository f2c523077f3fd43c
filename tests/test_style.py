"""What no linter looks at: the length of files, paths of somebody's machine, and that shipped files are valid."""

import re
from pathlib import Path

import pytest

from lalelu.config.loader import check_file

PROJECT = Path(__file__).resolve().parent.parent
MAX_LINES = 400  # a file that is read in one sitting

CODE = sorted(path for folder in ("lalelu", "tools", "tests") for path in (PROJECT / folder).rglob("*.py"))
TEXTS = CODE + sorted(
    path
    for pattern in ("*.md", "*.toml", "Makefile", ".ci/*", "config/**/*.yaml", "docs/**/*.md", "systemd/*")
    for path in PROJECT.glob(pattern)
    if path.is_file()
)
CONFIGURATIONS = [
    path for path in sorted((PROJECT / "config").rglob("*.yaml")) if path.parent.name != "presets"
]
# home directories and work trees (/home/player stands for anybody's); written so that the rule does not find itself
MACHINE_PATH = re.compile(r"(?<![\w.~}>*-])/(?:home/(?!player\b)|(?:root|work|Users|mnt)/)")


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


@pytest.mark.parametrize("path", CODE, ids=name)
def test_a_file_is_short_enough_to_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_a_file_holds_no_path_of_somebodys_machine(path):
    assert MACHINE_PATH.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("folder", ["home", "root", "work"])
def test_the_path_rule_sees_what_it_should(folder):
    assert MACHINE_PATH.search(f'open("/{folder}/me/x")')
    assert not MACHINE_PATH.search(f"network/{folder}/x")


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=name)
def test_a_shipped_file_is_valid(path):
    assert [str(problem) for problem in check_file(path)] == []
