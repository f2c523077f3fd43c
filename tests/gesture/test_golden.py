"""Recorded keypoints and the exact hits that they give: `tools/regenerate_golden.py` shows and writes them."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from lalelu.analysis.scoring import score
from lalelu.hits import HitRecord, read_hits
from lalelu.take import read_take

PROJECT = Path(__file__).parents[2]
GOLDEN = PROJECT / "tests" / "golden"
NAMES = sorted(path.name.removesuffix(".take.gz") for path in GOLDEN.glob("*.take.gz"))
MOST_BYTES = 150_000  # of all takes: they travel with every checkout


def load_tool():
    spec = importlib.util.spec_from_file_location("regenerate_golden", PROJECT / "tools/regenerate_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_take_gives_exactly_its_hits(name):
    found = TOOL.lines_of(TOOL.hits_of(read_take(GOLDEN / f"{name}.take.gz")))
    golden = (GOLDEN / f"{name}.hits.jsonl").read_text(encoding="utf-8")
    assert "".join(found) == golden, "tools/regenerate_golden.py shows what has changed"


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_take_is_whole_and_was_filmed_by_the_tool(name):
    take = read_take(GOLDEN / f"{name}.take.gz")
    assert take.problems == ()
    assert name in TOOL.SCENES


def test_the_golden_takes_have_all_rates_and_little_weight():
    rates = {read_take(GOLDEN / f"{name}.take.gz").header.fps for name in NAMES}
    assert rates == {24.0, 30.0, 60.0, 100.0, 200.0}
    assert set(TOOL.SCENES) == set(NAMES)
    assert sum(path.stat().st_size for path in GOLDEN.glob("*.take.gz")) <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_golden_hits_are_the_strokes_that_were_played(name):
    take = read_take(GOLDEN / f"{name}.take.gz")
    start_ns = take.frames[0].captured_ns
    found = [HitRecord((hit.struck_ns - start_ns) * 1e-9, hit.limb) for hit in TOOL.hits_of(take)]
    result = score(found, read_hits(GOLDEN / f"{name}.truth.jsonl"), window_ms=50.0)
    assert result.doubles == 0
    if name in TOOL.NETWORK:  # it puts one wrist on the other where the arms cross
        assert result.f1 >= 0.75
    else:
        assert result.found == result.matched == result.true


@pytest.mark.parametrize("name", sorted(TOOL.DRUMMER))
def test_golden_hits_play_the_pads_that_were_aimed_at(name):
    take = read_take(GOLDEN / f"{name}.take.gz")
    start_ns = take.frames[0].captured_ns
    found = [HitRecord((hit.struck_ns - start_ns) * 1e-9, hit.limb, hit.pad) for hit in TOOL.hits_of(take)]
    result = score(found, read_hits(GOLDEN / f"{name}.truth.jsonl"), window_ms=50.0, by="pad")
    # a camera 20 degrees to the side sees the pads, which are nearer than the shoulders, shifted
    assert result.matched >= (0.85 if name == "rock_24_noise" else 1.0) * result.true


@pytest.fixture
def folder(tmp_path):
    shutil.copy(GOLDEN / "fast_200.take.gz", tmp_path)
    assert TOOL.main(["--write"], tmp_path) == 0
    return tmp_path


def test_nothing_is_written_where_nothing_has_changed(folder, capsys):
    capsys.readouterr()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert TOOL.main(["--write"], folder) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert capsys.readouterr().out == "the golden hits are as they were\n"


def test_a_changed_hit_is_shown_and_kept_only_when_asked_for(folder, capsys):
    golden = folder / "fast_200.hits.jsonl"
    right = golden.read_text(encoding="utf-8")
    wrong = right.replace('"snare"', '"cowbell"', 1)
    golden.write_text(wrong, encoding="utf-8")
    assert TOOL.main([], folder) == 1
    shown = capsys.readouterr().out
    assert "cowbell" in shown
    assert "--write" in shown
    assert golden.read_text(encoding="utf-8") == wrong
    assert TOOL.main(["--write"], folder) == 0
    assert golden.read_text(encoding="utf-8") == right


def test_takes_are_filmed_anew_only_together_with_writing(folder):
    with pytest.raises(SystemExit) as caught:
        TOOL.main(["--film", "fast_200"], folder)
    assert caught.value.code == 2


def test_a_simulated_take_filmed_anew_is_the_same(tmp_path):
    TOOL.film("fast_200", tmp_path)
    again, golden = (read_take(place / "fast_200.take.gz") for place in (tmp_path, GOLDEN))
    assert again.header == golden.header
    assert [frame.captured_ns for frame in again.frames] == [frame.captured_ns for frame in golden.frames]
    worst = max(
        abs(one.poses[0].xy - other.poses[0].xy).max()
        for one, other in zip(again.frames, golden.frames, strict=True)
    )
    assert worst <= 1.5e-4  # one unit of the last decimal: processors round sines differently
