"""Frames can be rendered again byte for byte, and look as light, exposure and looks ask."""

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from typing import get_args

import numpy as np
import pytest

from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.camera.simulated.scene import LOOKS, LookName

SMALL = FilmSettings(width=320, height=240)


def _frame(settings: FilmSettings, seq: int) -> np.ndarray:
    out = np.empty((settings.height, settings.width, 3), np.uint8)
    Film(settings).render(seq, out)
    return out


def test_a_frame_is_the_same_whatever_was_rendered_before() -> None:
    film = Film(SMALL)
    out = np.full((240, 320, 3), 77, np.uint8)
    for seq in (500, 3, 171, 172, 170):
        film.render(seq, out)
    assert np.array_equal(out, _frame(SMALL, 170))


def test_another_process_renders_the_same_bytes() -> None:
    code = (
        "import sys, numpy as np\n"
        "from hashlib import sha256\n"
        "from lalelu.camera.simulated.film import Film, FilmSettings\n"
        "out = np.empty((240, 320, 3), np.uint8)\n"
        "Film(FilmSettings(width=320, height=240)).render(171, out)\n"
        "sys.stdout.write(sha256(out).hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == sha256(_frame(SMALL, 171)).hexdigest()


def test_the_film_needs_no_heavy_module() -> None:
    code = (
        "import sys, lalelu.camera.simulated.process\n"
        "sys.stdout.write(' '.join({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "openvino", "onnx", "yaml"} & set(done.stdout.split())


def test_a_long_exposure_smears_the_moving_arms_and_nothing_else() -> None:
    still = replace(SMALL, noise=0.0, exposure_ms=0.1)
    film = Film(still)
    wrists = np.array([film.keypoints(seq)[9:11] for seq in range(300)])
    fastest = int(np.abs(np.diff(wrists, axis=0)).max(axis=(1, 2)).argmax())
    sharp, smeared = _frame(still, fastest), _frame(replace(still, exposure_ms=10.0), fastest)
    rows, columns = np.nonzero((sharp != smeared).any(axis=2))
    assert len(rows) > 50
    points = film.keypoints(fastest)[5:11] * still.height  # shoulders, elbows, wrists
    reach = 0.12 * still.height
    assert columns.min() > points[:, 0].min() - reach
    assert columns.max() < points[:, 0].max() + reach
    assert rows.max() < points[:, 1].max() + reach


def test_less_light_is_darker_and_noisier() -> None:
    bright, dim = _frame(SMALL, 0), _frame(replace(SMALL, light=0.2), 0)
    assert dim.mean() < 0.7 * bright.mean()

    def graininess(picture: np.ndarray) -> float:  # of the wall, whose own grain is wide
        return float(np.diff(picture[:20, 90:230].astype(np.int16), n=2, axis=1).std())

    assert graininess(dim) > 1.5 * graininess(bright)


def test_noise_changes_from_frame_to_frame() -> None:
    film = Film(SMALL)
    a, b = np.empty((240, 320, 3), np.uint8), np.empty((240, 320, 3), np.uint8)
    film.render(0, a)
    film.render(1, b)
    assert (a[:20] != b[:20]).mean() > 0.3


@pytest.mark.parametrize("look", get_args(LookName))
def test_every_look_shows_a_player_where_the_keypoints_are(look: LookName) -> None:
    assert look in LOOKS
    settings = replace(SMALL, look=look, noise=0.0)
    picture = _frame(settings, 0).astype(int)
    film = Film(settings)
    empty = film._room.astype(int)
    for x, y in film.keypoints(0)[5:13] * settings.height:  # shoulders to hips
        spot = picture[int(y), int(x)]
        assert np.abs(spot - empty[int(y), int(x)]).max() > 6, (look, x, y)


@pytest.mark.parametrize("size", [(160, 120), (424, 240), (1280, 720)])
@pytest.mark.parametrize("angle", [-60.0, 60.0])
def test_any_size_and_angle_can_be_filmed(size: tuple[int, int], angle: float) -> None:
    settings = FilmSettings(width=size[0], height=size[1], angle=angle, distance=1.4, groove="idle")
    for seq in (0, 400):
        assert 20 < _frame(settings, seq).mean() < 235
