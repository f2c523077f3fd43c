"""Shells complete what the command line takes."""

import shutil
import subprocess
import sys

import pytest
from system.stage import lalelu

from lalelu.cli import COMMANDS
from lalelu.config.loader import shipped_kits

SHELLS = ("bash", "fish", "tcsh", "zsh")

# bash tells what it would offer for the words of a line
ASKED = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { :; }
_shtab_lalelu 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    """Return what bash offers where the last of these words is being typed."""
    folder = tmp_path_factory.mktemp("bash")
    (folder / "lalelu").write_text(lalelu("completion", "bash").out)
    (folder / "mine.yaml").write_text("")

    def offered(*words):
        command = ["bash", "-c", ASKED, "bash", str(folder / "lalelu"), "lalelu", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        return set(done.stdout.split())

    return offered


def test_bash_offers_commands_options_choices_files_and_kits(bash):
    assert bash("") >= set(COMMANDS)
    assert "--midi" in bash("run", "--m")
    assert bash("schema", "k") == {"kit"}
    assert bash("kit", "show", "lat") == {"latin"}
    assert bash("kit", "show", "") >= {*shipped_kits(), "mine.yaml"}
    assert bash("check", "mi") == {"mine.yaml"}
    assert (
        bash("tune", "x.take", "--kit", "lat") == bash("take", "compare", "x", "--with", "lat") == {"latin"}
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_every_command(shell):
    told = lalelu("completion", shell)
    assert told.code == 0
    assert {name for name in COMMANDS if name not in told.out} == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_one_of_its_shell(shell, expect):
    if shutil.which(shell) is None:
        expect(shell, "it is not installed")
    script = lalelu("completion", shell).out
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_extra_it_is_said_what_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    told = lalelu("completion", "bash")
    assert told.code == 3
    assert "pip install 'lalelu[completion]'" in told.err
