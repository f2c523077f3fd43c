"""The newest picture on its way out of the engine."""

import numpy as np
import pytest

from lalelu.errors import UsageError
from lalelu.glimpse import ASKED_NS, PERIOD_NS, GlimpseReader, GlimpseWriter, create_glimpse
from lalelu.types import Frame

NOW_NS = 5_000_000_000


@pytest.fixture
def both(tmp_path):
    create_glimpse(tmp_path / "picture")
    return GlimpseWriter(tmp_path / "picture"), GlimpseReader(tmp_path / "picture")


def frame(seq, at_ns, *shape):
    image = np.random.default_rng(seq).integers(0, 256, shape, np.uint8)
    return Frame(seq, at_ns - 1, at_ns, 0, image)


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((480, 640, 3), (240, 320, 3)),
        ((640, 480, 3), (320, 240, 3)),
        ((1080, 1920, 3), (180, 320, 3)),
        ((48, 64), (48, 64, 1)),
        ((321, 321, 3), (161, 161, 3)),
    ],
)
def test_a_picture_keeps_every_nth_pixel(both, shape, small):
    writer, reader = both
    reader.ask(NOW_NS)
    film = frame(7, NOW_NS, *shape)
    writer.show(film)
    seen = reader.newest()
    step = -(-max(shape) // 320)
    assert (seen.seq, seen.captured_ns, seen.image.shape) == (7, NOW_NS - 1, small)
    assert (seen.image == film.image[::step, ::step].reshape(small)).all()
    assert reader.newest() is None


def test_nothing_is_written_when_nobody_asks_or_has_asked_long_ago(both):
    writer, reader = both
    writer.show(frame(0, NOW_NS, 48, 64, 3))
    reader.ask(NOW_NS)
    writer.show(frame(1, NOW_NS + ASKED_NS + 1, 48, 64, 3))
    assert (reader.head, reader.newest()) == (0, None)


def test_pictures_come_no_faster_than_people_see(both):
    writer, reader = both
    reader.ask(NOW_NS)
    for seq in range(100):
        writer.show(frame(seq, NOW_NS + seq * 1_000_000, 48, 64, 3))
    assert reader.head == 1 + 99_000_000 // PERIOD_NS


def test_a_file_of_another_size_is_refused(tmp_path):
    (tmp_path / "picture").write_bytes(b"short")
    with pytest.raises(UsageError, match="cannot be mapped"):
        GlimpseReader(tmp_path / "picture")
