import sys

import pytest


@pytest.fixture
def tool(project, monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(project / "tools")
    import benchmarks

    yield benchmarks
    del sys.modules["benchmarks"]


def section(tool, words, **more):
    return tool.Section("A title", "Words.", ("-c", words), **more)


def test_every_section_s_output_is_in_the_file_with_the_machine_s_facts(tool, tmp_path, capsys):
    sections = {
        "one": section(tool, "print('first table')"),
        "two": section(tool, "import sys; print('second', *sys.argv[1:])", quick=("short",), chart="b.svg"),
    }
    assert tool.main(["--out", str(tmp_path)], sections) == 0
    text = (tmp_path / "benchmarks.md").read_text()
    assert "```text\nfirst table\n```" in text
    assert "```text\nsecond --chart " in text
    assert "![A title](b.svg)" in text
    assert "| processor | " in text
    assert "| numpy | " in text
    assert "quick trial" not in text
    assert capsys.readouterr().out.strip() == str(tmp_path / "benchmarks.md")


def test_a_quick_trial_says_so_and_is_short(tool, tmp_path):
    sections = {"one": section(tool, "import sys; print(sys.argv[1:])", quick=("few",))}
    assert tool.main(["--out", str(tmp_path), "--quick"], sections) == 0
    text = (tmp_path / "benchmarks.md").read_text()
    assert "['few']" in text
    assert "quick trial" in text


def test_other_environments_go_to_the_sections_that_take_them(tool, tmp_path):
    words = "import sys; print(sys.argv[1:])"
    sections = {"some": section(tool, words, environments=True), "none": section(tool, words)}
    assert tool.main(["--out", str(tmp_path), "--python", "a:b=c", "--python", "d:e=f"], sections) == 0
    text = (tmp_path / "benchmarks.md").read_text()
    assert "['--python', 'a:b=c', '--python', 'd:e=f']" in text
    assert "[]" in text


def test_only_the_sections_that_were_asked_for_are_measured(tool, tmp_path, capsys):
    sections = {name: section(tool, f"print('table {name}')") for name in ("one", "two")}
    assert tool.main(["two", "--out", str(tmp_path)], sections) == 0
    text = (tmp_path / "benchmarks.md").read_text()
    assert "table two" in text
    assert "table one" not in text
    with pytest.raises(SystemExit):
        tool.main(["three"], sections)
    assert "known are one, two" in capsys.readouterr().err


def test_a_section_that_fails_is_told_and_the_others_are_there(tool, tmp_path):
    sections = {
        "bad": section(tool, "print('half a table'); raise SystemExit(3)"),
        "good": section(tool, "print('a table')"),
    }
    assert tool.main(["--out", str(tmp_path)], sections) == 1
    text = (tmp_path / "benchmarks.md").read_text()
    assert "It ended with status 3" in text
    assert "```text\nhalf a table" not in text
    assert "```text\na table" in text


def test_places_of_this_user_are_not_told(tool, project, tmp_path):
    words = f"from pathlib import Path; print(Path.home() / 'x', {str(project / 'y')!r})"
    assert tool.main(["--out", str(tmp_path)], {"one": section(tool, words)}) == 0
    assert "~/x ./y" in (tmp_path / "benchmarks.md").read_text()


def test_every_lalelu_command_of_the_sections_is_understood(tool, monkeypatch):
    from lalelu import cli
    from lalelu.commands import bench

    monkeypatch.setattr(bench, "run", lambda _args: 0)
    words = [each.command[2:] + quick for each in tool.SECTIONS.values() if each.command[:2] == tool.BENCH[:2]
             for quick in ((), each.quick)]  # fmt: skip
    assert len(words) >= 8
    assert [cli.main([*each]) for each in words] == [0] * len(words)
