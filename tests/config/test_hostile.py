"""What somebody might write to harm whoever opens the file: a sentence with its place, soon, and nothing else."""

import os

import pytest

from lalelu.config.loader import MAX_BYTES, check_file, load_config
from lalelu.config.positions import MAX_ALIASES, MAX_KEY
from lalelu.config.sentences import MOST_TOLD
from lalelu.errors import UsageError


def told(tmp_path, text):
    """What is wrong with a file of this text, without the folder's name."""
    path = tmp_path / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in check_file(path)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 5000, "1:22: lists and mappings are nested too deeply; allowed are 20 levels"),
        ("? " * 5000, "1:43: lists and mappings are nested too deeply; allowed are 20 levels"),
        ("a: &a [*a]", "1:8: the alias *a stands inside of what it names; write the value out"),
        ("a: &a {b: {c: *a}}", "1:15: the alias *a stands inside of what it names; write the value out"),
        ("a: *b", "1:4: not valid YAML: found undefined alias 'b'"),
        (
            f"a: [&a 1{', *a' * (MAX_ALIASES + 1)}]",
            f"1:{9 + 4 * MAX_ALIASES + 2}: the file has more than 256 aliases (*name); write some of the values out",
        ),
        (
            f"a: [{'1,' * 30_000}]",
            "1:39999: the file has more than 10000 values; that is no configuration of lalelu",
        ),
        (f"{'k' * (MAX_KEY + 1)}: 1", "1:1: a key has 101 characters; allowed are 100"),
        (
            "camera: {uri: !!python/object/apply:os.system [ls]}",
            "1:15: camera.uri has the tag 'tag:yaml.org,",
        ),
        (
            "!!python/object/new:os.system [ls]",
            "1:1: the file has the tag 'tag:yaml.org,2002:python/object/new:",
        ),
        ("kit: !include /etc/passwd", "1:6: kit has the tag '!include', which is not allowed; leave it out"),
        (
            "kit: !!binary eHh4",
            "1:6: kit has the tag 'tag:yaml.org,2002:binary', which is not allowed; leave it out",
        ),
        ("!<x>", "1:1: the file has the tag 'x', which is not allowed; leave it out"),
        ("camera: {rotate: false}", "1:18: camera.rotate is false; allowed one of 0, 90, 180, 270"),
        ("pose: {threads: !!null 5}", "1:17: pose.threads is 5; that cannot be read as null"),
        ('pose: {threads: !!int "1:30"}', '1:17: pose.threads is "1:30"; YAML reads that in base 60'),
        (f"timing: {{delay_ms: 0x{'f' * 5000}}}", "1:20: timing.delay_ms is 0xfff"),
        (f"timing: {{delay_ms: {'9' * 5000}}}", "1:20: timing.delay_ms is 999"),
        ("timing: {delay_ms: 1.0e+999}", "1:20: timing.delay_ms is 1.0e+999; allowed auto or -200..500"),
        ("pose: {threads: 2026-01-31}", "1:17: pose.threads is 2026-01-31; allowed a whole number 1..64"),
        (
            "kit: ~nobody-is-called-so/a.yaml",
            "1:6: kit is '~nobody-is-called-so/a.yaml'; nobody is called so here",
        ),
        ('kit: "a\\0.yaml"', "cannot be read (embedded null byte)"),
        ("kit: rock".encode("utf-16"), "1:1: the byte 0xff is not UTF-8; save the file as UTF-8"),
        ("kit: rock".encode("utf-16-le"), "1:2: the character U+0000 may not stand in YAML"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_it_is_refused_at_its_place(tmp_path, text, expected):
    assert [line for line in told(tmp_path, text) if expected in line] != []


@pytest.mark.parametrize(
    "text",
    [
        "midi: {outputs: [" + "x," * 9000 + "]}",
        "name: a\npads: {" + ",".join(f"p{number}: {{a: 1}}" for number in range(4000)) + "}",
        "\n".join(f"k{number}: 1" for number in range(9000)),
    ],
    ids=["outputs", "pads", "keys"],
)
def test_of_thousands_of_problems_the_first_are_told_and_the_others_counted(tmp_path, text):
    lines = told(tmp_path, text)
    assert len(lines) == MOST_TOLD + 1
    assert [
        line for line in lines if f"others are wrong, too; put these {MOST_TOLD} right first" in line
    ] != []


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    assert told(tmp_path, b"#" * (MAX_BYTES + 1)) == [
        f"a.yaml: the file cannot be read (it has more than {MAX_BYTES} bytes); check the path and its permissions"
    ]


def test_a_pipe_or_a_device_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    (tmp_path / "folder.yaml").mkdir()
    for name, reason in (
        ("pipe.yaml", "it is a pipe, a socket or a device, not a file"),
        ("endless.yaml", "it is a pipe, a socket or a device, not a file"),
        ("folder.yaml", "Is a directory"),
    ):
        for path in (tmp_path / name, tmp_path / "lalelu.yaml"):
            (tmp_path / "lalelu.yaml").write_text(f"kit: {name}\n")
            with pytest.raises(UsageError) as caught:
                load_config(path)
            assert f"{name}: the file cannot be read ({reason})" in str(caught.value)


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "real").write_text("left_handed: true\n")
    (tmp_path / "lalelu.yaml").symlink_to("real")
    assert load_config(tmp_path / "lalelu.yaml").config.left_handed is True
