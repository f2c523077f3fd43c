"""The manual page says what the commands take, and is roff."""

import shutil
import subprocess

import pytest

from lalelu.cli import COMMANDS


@pytest.fixture
def page(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import make_man

    return make_man.page()


def test_the_shipped_page_is_up_to_date(project, page):
    assert (project / "packaging" / "lalelu.1").read_text() == page, (
        "run: tools/make_man.py >packaging/lalelu.1"
    )


def test_every_command_has_its_part_and_its_options(page):
    assert {name for name in COMMANDS if f'.SS "{name}"' not in page} == set()
    assert '.SS "kit new"' in page
    run = page.partition('.SS "run"')[2].partition(".SS")[0]
    assert "\\fB\\-\\-midi\\fR \\fIURI\\fR" in run


def test_the_page_is_plain_roff_without_warnings(page, expect):
    assert page.isascii()
    if shutil.which("groff") is None:
        expect("groff", "it is not installed; on Debian: apt-get install groff")
    command = ["groff", "-man", "-Tascii", "-P-cbou", "-ww"]  # plain text
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "EXIT STATUS" in done.stdout
