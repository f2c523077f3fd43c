"""What README tells people to type is typed here, what it tells them to write is validated; docs/ is parsed."""

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from system.stage import lalelu

from lalelu.config.loader import check_file

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


DOCS = "\n".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs").glob("*.md")))


def blocks(language, text=README):
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def typed(text):
    """The lines of the shell blocks."""
    return [line for block in blocks("sh", text) for line in block.splitlines() if line.strip()]


LINES = typed(README)
COMMANDS = [line for line in LINES if line.startswith("lalelu ")]
MAKES = [line for line in LINES if line.startswith("make ")]
IN_TEXT = sorted(set(re.findall(r"`(lalelu [a-z][^`\n]*)`", README)))
OF_DOCS = typed(DOCS)
PARSED = sorted({
    *COMMANDS, *IN_TEXT, *(line for line in OF_DOCS if line.startswith("lalelu ")),
    *re.findall(r"`(lalelu [a-z]+ [^`\n]*)`", DOCS),  # those without arguments may be names
})  # fmt: skip

# not run here, only parsed
NEEDS_A_CAMERA = ("lalelu run",)
TAKES_MINUTES = ("lalelu bench",)

TRUTH = '{"time_s": 1.234, "limb": "right_wrist"}'


@pytest.fixture(scope="module")
def desk(demo, tmp_path_factory):
    """A folder in which the files lie that README's commands name, made from a short demo."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(demo[0] / "out", folder / "demo")
    shutil.copy(folder / "demo" / "demo.take.gz", folder / "mine.take.gz")
    (folder / "my.yaml").write_text(blocks("yaml")[0])
    (folder / "truth.jsonl").write_text(TRUTH + "\n")
    (folder / "hits.jsonl").write_text(TRUTH + "\n")
    return folder


def test_readme_has_commands_and_configuration():
    assert len(COMMANDS) >= 6
    assert {"make demo", "make test"} <= set(MAKES)
    assert len(blocks("yaml")) >= 1
    assert TRUTH in README


def test_every_line_of_a_shell_block_is_a_command_that_these_tests_know():
    assert [line for line in LINES if line not in COMMANDS + MAKES] == []
    assert [line for line in OF_DOCS if not line.startswith(("lalelu ", "make "))] == []


@pytest.mark.model
@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith(NEEDS_A_CAMERA + TAKES_MINUTES)])
def test_a_command_of_readme_works(command, desk, monkeypatch):
    monkeypatch.chdir(desk)
    told = lalelu(*shlex.split(command)[1:])
    assert told.code == 0, told.err


@pytest.mark.parametrize("command", PARSED)
def test_the_arguments_of_a_command_of_readme_are_understood(command, monkeypatch):
    name = shlex.split(command)[1]
    monkeypatch.setattr(import_module(f"lalelu.commands.{name}"), "run", lambda _args: 0)
    told = lalelu(*shlex.split(command)[1:])
    assert told.code == 0, told.err


@pytest.mark.parametrize("command", sorted({*MAKES, *(line for line in OF_DOCS if line.startswith("make "))}))
def test_a_make_target_of_readme_exists(command):
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(command.split()[1])}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("block", blocks("yaml") + blocks("yaml", DOCS))
def test_a_configuration_or_kit_of_readme_is_valid(block, tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(block, encoding="utf-8")
    assert [str(problem) for problem in check_file(path)] == []
