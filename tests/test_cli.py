import os
import subprocess
import sys

import numpy as np
import pytest

from lalelu import cli
from lalelu.ledger.files import create_ledger, new_header
from lalelu.ledger.schema import FRAME_DTYPE


def create_ledger_with_a_frame(path):
    create_ledger(path, {**new_header({}, camera={}, model="none", runtime={}), "closed": True})
    (path / "frames").write_bytes(np.zeros(1, FRAME_DTYPE).tobytes())
    return path


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    assert f"lalelu {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["drumm"], ["run", "--speed", "3"], ["run", "--seconds", "0"]])
def test_a_wrong_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: lalelu" in capsys.readouterr().err


def test_a_terminal_without_our_characters_gets_others(tmp_path):
    recorded = create_ledger_with_a_frame(tmp_path / "run.ledger")
    done = subprocess.run(
        [sys.executable, "-m", "lalelu", "latency", str(recorded)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"camera" in done.stdout


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("lalelu 0.")


def test_a_problem_is_one_sentence_on_stderr_and_the_exit_status_of_its_kind(capsys, tmp_path):
    assert cli.main(["replay", str(tmp_path / "no.mp4")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lalelu replay: film ")
    assert captured.err.count("\n") == 1
