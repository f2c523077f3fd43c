import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from system.stage import lalelu

from lalelu.config.loader import check_file, load_kit, shipped_dir, shipped_kits


def test_the_list_names_every_shipped_kit_with_what_it_is():
    told = lalelu("kit", "list", "--json")
    kits = {row["name"]: row for row in json.loads(told.out)["kits"]}
    assert set(kits) == set(shipped_kits())
    assert kits["rock_pedals"]["legs"]
    assert kits["rock"]["description"] in lalelu("kit", "list").out


def test_a_kit_that_is_drawn_into_a_file_is_plain_text_without_colours():
    told = lalelu("kit", "show", "rock")
    assert told.code == 0
    assert "hihat" in told.out
    assert "\x1b" not in told.out


def test_a_kit_is_drawn_as_svg(tmp_path):
    assert lalelu("kit", "show", "rock", "--svg", str(tmp_path / "rock.svg")).code == 0
    assert (tmp_path / "rock.svg").read_text().startswith("<svg ")


def test_a_new_kit_is_a_valid_copy_with_its_own_name_and_the_comments(tmp_path):
    path = tmp_path / "my kit: 1.yaml"
    assert lalelu("kit", "new", str(path), "--from", "vocabulary").code == 0
    assert check_file(path) == ()
    copy, original = load_kit(str(path), None), load_kit("vocabulary", None)
    assert copy.name == "my kit: 1"
    assert copy.model_copy(update={"name": original.name}) == original
    first = path.read_text().splitlines()[0]
    schema = Path(unquote(urlsplit(first.partition("$schema=")[2]).path))
    assert schema.samefile(shipped_dir() / "schema" / "kit.json")
    assert path.read_text().count("yaml-language-server") == 1
    assert "here a stick's tip" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("new", "mine.yaml"), "is there already"),
        (("new", "mine"), "must end in .yaml"),
        (("new", "no/folder.yaml"), "cannot be written"),
        (("new", "other.yaml", "--from", "rokc"), 'did you mean "rock"'),
        (("show", "rokc"), 'did you mean "rock"'),
        (("show", "rock", "--svg", "no/folder.svg"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exits_with_2(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("mine")
    told = lalelu("kit", *arguments)
    assert told.code == 2
    assert sentence in told.err
    assert (tmp_path / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_colours_unless_they_are_refused(environment, coloured):
    ours, theirs = os.openpty()
    try:
        plain = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
        done = subprocess.Popen(
            [sys.executable, "-m", "lalelu", "kit", "show", "minimal"],
            stdout=theirs,
            env={**plain, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environment},
        )
        os.close(theirs)
        told = b""
        with contextlib.suppress(OSError):  # the other side has closed
            while part := os.read(ours, 65536):
                told += part
        assert done.wait() == 0
    finally:
        os.close(ours)
    assert "floor_tom" in re.sub("\x1b\\[[0-9;]*m", "", told.decode())
    assert (b"\x1b[38;5;" in told) is coloured
