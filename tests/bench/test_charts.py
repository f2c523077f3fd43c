import cv2
import numpy as np
import pytest

from lalelu.analysis.chart import GROUND, Bar, BarPanel, TracePanel, draw
from lalelu.bench import charts
from lalelu.errors import UsageError

PANELS = [
    BarPanel("times", "ms", (Bar("one", 1.0, colour="#cf222e"),)),
    TracePanel("row", "ms", (1.0, 2.0), "p50 → 1"),
]


def test_a_painted_chart_shows_the_bar_in_its_colour_at_twice_the_size():
    picture = draw(PANELS)
    canvas = charts.painted(picture)
    assert canvas.shape == (round(picture.height * 2), round(picture.width * 2), 3)
    assert canvas[0, 0].tolist() == [int(GROUND[at : at + 2], 16) for at in (5, 3, 1)]
    bar = picture.shapes[[type(shape).__name__ for shape in picture.shapes].index("Box", 1)]
    y, x = round(2 * (bar.y + bar.height / 2)), round(2 * (bar.x + bar.width / 2))
    assert canvas[y, x].tolist() == [0x2E, 0x22, 0xCF]
    red = np.all(canvas == (0x2E, 0x22, 0xCF), axis=2)
    assert red.sum() == pytest.approx(4 * bar.width * bar.height, rel=0.02)


def test_the_ending_says_which_kind_of_file_is_written(tmp_path):
    charts.write(tmp_path / "a.png", PANELS)
    charts.write(tmp_path / "a.svg", PANELS)
    assert cv2.imread(str(tmp_path / "a.png")).shape == charts.painted(draw(PANELS)).shape
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        charts.write(tmp_path / "none" / "a.svg", PANELS)
