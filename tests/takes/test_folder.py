import gzip
import shutil
from pathlib import Path

import pytest

from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.takes import folder
from lalelu.takes.folder import Library, takes_folder

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def library(tmp_path):
    for ending in ("take.gz", "truth.jsonl"):
        shutil.copy(GOLDEN / f"rock_100.{ending}", tmp_path / f"mine.{ending}")
    return Library(tmp_path)


def test_a_take_is_told_with_its_length_rate_players_and_truth(library):
    library.write_note("mine", "  slow\nand soft ")
    (library.folder / "broken.take").write_text("nothing\n")
    told = {take.name: take for take in library.takes()}
    mine = told["mine"]
    assert (mine.fps, mine.players, mine.truth, mine.note, mine.problem) == (
        100.0,
        1,
        35,
        "slow and soft",
        None,
    )
    assert mine.seconds == pytest.approx(mine.frames / 100, abs=0.02)
    assert told["broken"].problem.startswith("the take cannot be read")


def test_the_take_that_is_being_recorded_is_left_out_unread(library):
    (library.folder / "growing.take").write_text("nothing yet\n")
    read = folder._measured.cache_info().misses
    assert [take.name for take in library.takes(without="growing")] == ["mine"]
    assert folder._measured.cache_info().misses == read + 1


def test_a_renamed_take_takes_truth_and_note_along_and_replaces_nothing(library):
    library.write_note("mine", "a note")
    (library.folder / "mine.film.mkv").write_bytes(b"a film")
    (library.folder / "other.film.mkv").write_bytes(b"")
    with pytest.raises(UsageError, match="is there already"):
        library.rename("mine", "other")
    library.rename("mine", "best of")
    (take,) = library.takes()
    assert (take.name, take.truth, take.note, take.film) == ("best of", 35, "a note", True)
    assert (library.folder / "best of.film.mkv").read_bytes() == b"a film"


def test_a_take_that_is_just_being_packed_is_listed_once(library):
    packed = library.path("mine")
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    assert [take.path.name for take in library.takes()] == ["mine.take"]


def test_damaged_takes_are_told_and_one_without_its_end_is_told_with_what_it_has(library):
    whole = library.path("mine").read_bytes()
    bad = bytearray(gzip.compress(whole))
    bad[10] = 0x07  # a kind of block that does not exist
    (library.folder / "bad.take.gz").write_bytes(bad)
    (library.folder / "cut.take.gz").write_bytes(whole[: len(whole) // 2])
    (library.folder / "empty.take").touch()
    told = {take.name: take for take in library.takes()}
    assert "damaged gzip data" in told["bad"].problem
    assert told["empty"].problem.startswith("the take cannot be read (it has no whole line)")
    assert told["cut"].problem is None
    assert 0 < told["cut"].frames < told["mine"].frames


def test_a_rename_that_is_killed_leaves_the_take_with_its_truth_and_is_done_again(library, monkeypatch):
    rename = Path.rename

    def killed(path, target):
        if path.name.endswith(".take.gz"):
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as kill:
        kill.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            library.rename("mine", "best")
    assert [(take.name, take.truth) for take in library.takes()] == [("mine", 35)]
    library.rename("mine", "best")
    assert [(take.name, take.truth) for take in library.takes()] == [("best", 35)]
    assert len(list(library.folder.iterdir())) == 2


def test_deleted_takes_of_one_name_are_both_in_the_trash(library):
    text = library.path("mine").read_bytes()
    first = library.delete("mine")
    (library.folder / "mine.take.gz").write_bytes(text)
    second = library.delete("mine")
    assert library.takes() == []
    assert [path.name for path in (first, second)] == ["mine.take.gz", "mine 2.take.gz"]
    assert first.read_bytes() == second.read_bytes() == text
    assert (first.parent / "mine.truth.jsonl").exists()


@pytest.mark.parametrize("name", ["../mine", "", "a/b", ".hidden", "mine.take", "x" * 81])
def test_a_name_that_leaves_the_folder_is_refused(library, name):
    with pytest.raises(UsageError, match="is no name for a take"):
        library.rename("mine", name)
    with pytest.raises(UsageError, match="is no name for a take"):
        library.path(name)


def test_an_unknown_take_is_named_with_the_nearest(library):
    with pytest.raises(UsageError, match=r"there is no take 'mime' in .*did you mean \"mine\""):
        library.path("mime")


def test_takes_lie_where_the_configuration_says_then_the_service_then_the_user():
    asked = Config.model_validate({"takes": {"dir": "/a"}})
    assert takes_folder(asked, {"STATE_DIRECTORY": "/s"}) == Path("/a")
    assert takes_folder(Config(), {"STATE_DIRECTORY": "/s:/t", "XDG_DATA_HOME": "/d"}) == Path("/s/takes")
    assert takes_folder(Config(), {"XDG_DATA_HOME": "/d"}) == Path("/d/lalelu/takes")
