"""Dark and frozen pictures: what counts as such, when it is told, and when it is over."""

import numpy as np
import pytest

from lalelu.camera.port import CameraFacts
from lalelu.camera.sight import DARK, FROZEN, Sight
from lalelu.types import Frame

PERIOD_NS = 10_000_000
SHAPE = (96, 128, 3)


class Film:
    """100 frames a second before a Sight, and what it says of them."""

    def __init__(self, *, live=True):
        self.told = []
        self.sight = Sight(CameraFacts("a", 640, 480, 100.0, None, "", live=live), self._tell)
        self._seq = 0
        self._noise = np.random.default_rng(0)

    def _tell(self, name, sentence):
        self.told.append((self._seq, name, sentence))

    def show(self, frames, level=120, noise=2, *, spot=None, shape=SHAPE):
        """Show so many frames of one brightness; `spot` a share of bright pixels. How often it became blind."""
        still = self.picture(level, noise, spot, shape)
        blind = 0
        for _ in range(frames):
            image = self.picture(level, noise, spot, shape) if noise else still
            blind += self.sight.look(Frame(self._seq, self._seq * PERIOD_NS, 0, 0, image))
            self._seq += 1
        return blind

    def picture(self, level, noise, spot, shape):
        image = np.full(shape, level, np.uint8)
        if noise:
            image += self._noise.integers(0, noise, shape, dtype=np.uint8)
        if spot is not None:
            image[:, : round(shape[1] * spot)] = 200
        return image


def test_a_picture_that_shows_something_is_judged_well():
    film = Film()
    assert film.show(150) == 0
    assert film.show(150, spot=0.02, level=2) == 0  # a player in a spotlight
    assert (film.told, film.sight.blind) == ([], False)


@pytest.mark.parametrize("shape", [SHAPE, (96, 128), (97, 67, 3)], ids=str)
def test_a_covered_lens_is_dark_within_half_a_second_until_the_first_light(shape):
    film = Film()
    film.show(100, shape=shape)
    assert film.show(51, level=3, noise=12, shape=shape) == 1
    assert [told[1:] for told in film.told] == [("dark", DARK)]
    assert film.sight.blind
    film.show(300, level=3, noise=12, shape=shape)
    film.show(1, shape=shape)
    assert not film.sight.blind
    assert [told[1:] for told in film.told] == [("dark", DARK), ("dark", None)]


def test_a_strobe_is_not_dark():
    film = Film()
    for _ in range(20):
        film.show(12)
        film.show(13, level=2)
    assert film.told == []


def test_the_same_picture_for_a_second_is_frozen_until_one_differs():
    film = Film()
    film.show(100)
    assert film.show(130, noise=0) == 1
    ((seq, name, sentence),) = film.told
    assert (name, sentence) == ("frozen", FROZEN)
    assert 200 <= seq <= 225
    film.show(1)
    assert [told[1:] for told in film.told[1:]] == [("frozen", None)]


def test_a_black_picture_that_never_changes_is_dark():
    film = Film()
    film.show(300, level=0, noise=0)
    assert [told[1:] for told in film.told] == [("dark", DARK)]
    film.show(300, noise=0)  # it is light again, and now that picture stands
    assert [name for _, name, _ in film.told] == ["dark", "dark", "frozen"]


def test_a_camera_that_was_away_is_judged_anew():
    film = Film()
    film.show(130, noise=0)
    assert film.sight.blind
    film.sight.forget()
    assert not film.sight.blind
    film.show(90, noise=0)
    assert [told[1:] for told in film.told] == [("frozen", FROZEN), ("frozen", None)]


def test_only_real_cameras_are_judged():
    film = Film(live=False)
    assert film.show(300, level=0, noise=0) == 0
    assert film.told == []
