import xml.etree.ElementTree as ET

import pytest

from lalelu.analysis.chart import Bar, BarPanel, Box, Line, Text, TracePanel, colours, draw, svg, ticks

BARS = BarPanel("times", "ms", (Bar("fast <&>", 5.0, 6.0, "#112233"), Bar("slow", 10.0, 90.0, "#445566")))
TRACE = TracePanel("in a row", "ms", (1.0, 2.0, 4.0), "a note")


def boxes(picture):
    return [shape for shape in picture.shapes[1:] if isinstance(shape, Box)]


def test_a_bar_is_as_long_as_its_value():
    short, long = boxes(draw([BARS]))
    assert long.width == pytest.approx(2 * short.width)
    assert (short.colour, long.colour) == ("#112233", "#445566")


def test_a_bar_s_far_end_stays_in_the_picture_and_is_told_beside_it():
    picture = draw([BARS])
    ends = [x for shape in picture.shapes if isinstance(shape, Line) for x, _ in shape.points]
    assert max(ends) < picture.width - 100
    texts = [shape.text for shape in picture.shapes if isinstance(shape, Text)]
    assert "5.00 (p99 6.00)" in texts
    assert "10.00 (p99 90.00)" in texts


def test_a_trace_goes_through_all_values_from_the_left_to_the_right_and_the_highest_is_at_the_top():
    (trace,) = [shape for shape in draw([TRACE]).shapes if isinstance(shape, Line) and len(shape.points) == 3]
    xs, ys = zip(*trace.points, strict=True)
    assert list(xs) == sorted(xs)
    assert ys[0] - ys[1] == pytest.approx((ys[1] - ys[2]) / 2)


def test_panels_stand_one_below_the_other():
    both = draw([BARS, TRACE])
    assert both.height == draw([BARS]).height + draw([TRACE]).height
    assert draw([BARS]).shapes[1:] == both.shapes[1 : len(draw([BARS]).shapes)]


@pytest.mark.parametrize("panel", [BarPanel("none", "ms", ()), TracePanel("none", "ms", ())])
def test_a_panel_without_values_can_be_drawn(panel):
    assert draw([panel]).height > 0


def test_the_svg_is_well_formed_and_holds_every_text():
    root = ET.fromstring(svg(draw([BARS, TRACE])))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"times", "fast <&>", "slow", "in a row", "a note"} <= set(texts)


@pytest.mark.parametrize(("end", "found"), [(10.0, [0, 2, 4, 6, 8, 10]), (7.0, [0, 2, 4, 6]), (0.3, 4)])
def test_ticks_are_round_numbers_up_to_the_end(end, found):
    expected = [0, 0.1, 0.2, 0.3] if found == 4 else found
    assert ticks(end) == pytest.approx(expected)


def test_a_name_keeps_its_colour():
    hues = colours(["b", "a", "b"])
    assert list(hues) == ["b", "a"]
    assert hues["a"] != hues["b"]
