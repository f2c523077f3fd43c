"""A take's film: what is written is read, plays elsewhere, and survives what goes wrong."""

import resource

import numpy as np
import pytest

from lalelu.camera.film import Film
from lalelu.errors import UsageError
from lalelu.jpeg import encode_jpeg
from lalelu.takes.film import FilmWriter, read_film

TIMES_MS = [40, 107, 173, 400]


def jpeg(brightness):
    return encode_jpeg(np.full((48, 64, 3), brightness, np.uint8))


@pytest.fixture
def film(tmp_path):
    with FilmWriter(tmp_path / "mine.film.mkv") as writer:
        for number, time_ms in enumerate(TIMES_MS):
            writer.write(time_ms, jpeg(number * 50), 64, 48)
    return tmp_path / "mine.film.mkv"


@pytest.mark.parametrize(("time_ms", "number"), [(-5, 0), (40, 0), (73, 0), (75, 1), (290, 3), (9999, 3)])
def test_the_nearest_picture_is_found(film, time_ms, number):
    found = read_film(film)
    assert found.times_ms == TIMES_MS
    assert found.picture(time_ms) == jpeg(number * 50)


def test_a_film_plays_in_other_programs_at_its_own_times(film):
    with Film(film) as played:
        assert (played.width, played.height) == (64, 48)
        stamps, brightness = [], []
        while (stamp_ns := played.grab()) is not None:
            stamps.append(stamp_ns // 1_000_000)
            brightness.append(round(float(played.retrieve().mean())))
    assert stamps == [time_ms - TIMES_MS[0] for time_ms in TIMES_MS]
    assert brightness == pytest.approx([0, 50, 100, 150], abs=2)


@pytest.mark.parametrize("left", [1, 60])
def test_a_cut_off_film_keeps_its_whole_pictures_and_goes_on(film, left):
    size = film.stat().st_size
    with film.open("r+b") as file:
        file.truncate(size - left)
    assert read_film(film).times_ms == TIMES_MS[:3]
    with FilmWriter(film) as writer:
        writer.write(500, jpeg(200), 64, 48)
    found = read_film(film)
    assert found.times_ms == [*TIMES_MS[:3], 500]
    assert found.picture(500) == jpeg(200)


def test_a_disk_that_takes_no_more_leaves_whole_pictures(film):
    size = film.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with FilmWriter(film) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                writer.write(500, jpeg(200), 64, 48)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (read_film(film).times_ms, film.stat().st_size) == (TIMES_MS, size)


def test_a_film_without_a_picture_leaves_no_file(tmp_path):
    with FilmWriter(tmp_path / "mine.film.mkv"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"no film", b"\x1a\x45\xdf\xa3" + bytes(500)])
def test_what_is_no_film_of_a_take_is_refused(tmp_path, data):
    (tmp_path / "mine.film.mkv").write_bytes(data)
    with pytest.raises(UsageError, match=r"mine\.film\.mkv cannot be read"):
        read_film(tmp_path / "mine.film.mkv")
