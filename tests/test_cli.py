import pytest

from lalelu import cli


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
