import base64
import re

import numpy as np
import pytest
from analysis.page_reader import Page

from lalelu.analysis.latency import summarize
from lalelu.analysis.plots import (
    HitMark,
    Trace,
    errors_histogram,
    pad_colours,
    stage_medians,
    stages_svg,
    traces_svg,
)
from lalelu.analysis.report import ReportData, render_report
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, STAMPS


def a_summary(frames: int):
    rows = np.zeros(frames, FRAME_DTYPE)
    rows["seq"] = np.arange(frames)
    rows["hits"][::5] = 1
    for step, name in enumerate(STAMPS):
        rows[name] = np.arange(frames) * 10_000_000 + step * 1_000_000
    hit = rows[rows["hits"] > 0]
    notes = np.zeros(len(hit), NOTE_DTYPE)
    notes["seq"], notes["captured_ns"], notes["sent_ns"] = hit["seq"], hit["captured_ns"], hit["sent_ns"]
    return summarize(rows, notes)


def some_data(**changes) -> ReportData:
    time_s = np.arange(0.0, 4.0, 0.01)
    values = {
        "title": "rock & <roll>",
        "picture_png": b"\x89PNG",
        "traces": (
            Trace("left_wrist", time_s, np.cos(time_s * 9)),
            Trace("right_wrist", time_s, np.where(time_s < 2, np.nan, np.sin(time_s * 9))),
        ),
        "found": (HitMark(1.0, "left_wrist", "snare", 4.0), HitMark(2.0, "right_wrist", "ride", -2.0)),
        "missed": (HitMark(3.0, "left_wrist", "snare"),),
        "extra": (HitMark(0.5, "right_wrist", "ride"),),
        "latency": a_summary(100),
        "facts": (("core 1", "granted"), ("fifo", "refused: <not permitted>")),
    }
    return ReportData(**{**values, **changes})


def tiles(text: str) -> dict[str, str]:
    found = re.findall(r'<div class="tile [a-z]*"><b>(.*?)</b><span>(.*?)</span>', text)
    return {label: re.sub("<.*?>", "", value) for value, label in found}


def test_page_is_well_formed_and_needs_nothing_else():
    text = render_report(some_data())
    page = Page(text)
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe"}]
    sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
    assert sources == ["data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()]
    assert "http" not in text


def test_names_from_outside_are_text_not_html():
    page = Page(render_report(some_data()))
    assert "rock & <roll>" in page.texts
    assert "refused: <not permitted>" in page.texts


def test_every_hit_is_drawn_once_by_its_kind():
    page = Page(render_report(some_data()))
    assert (page.count("hit"), page.count("missed"), page.count("extra")) == (2, 1, 1)


def test_tiles_count_hits_and_measure_time():
    assert tiles(render_report(some_data())) == {
        "hits played": "3",
        "found": "2 66.7%",
        "missed": "1",
        "extra": "1",
        "timing error, SD": "3.00 ms",
        "frame → note, median": "6.00 ms",
        "frame → note, p99": "6.00 ms",
        "outside inference, median": "5.00 ms",
        "frames skipped": "0.00 %",
    }


def test_without_truth_nothing_is_called_missed():
    text = render_report(some_data(missed=(), extra=(), truth_known=False))
    assert tiles(text)["hits"] == "2"
    assert "missed" not in tiles(text)
    assert "Timing error" not in text


def test_a_run_without_frames_hits_and_picture_still_makes_a_page():
    data = some_data(
        picture_png=None, traces=(), found=(), missed=(), extra=(), latency=a_summary(0), facts=()
    )
    page = Page(render_report(data))
    assert "nothing to count" in page.texts
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_pads_keep_the_kits_colours_whichever_were_played():
    kit = ("crash", "hihat", "ride", "snare")
    text = render_report(some_data(pads=kit))
    assert f'fill="{pad_colours(kit)["snare"]}"><title>snare at 1.000 s, +4.0 ms' in text


def test_a_trace_is_interrupted_where_the_player_is_unseen():
    time_s = np.arange(0.0, 3.0, 0.01)
    height = np.where((time_s > 1) & (time_s < 2), np.nan, 0.5)
    svg = traces_svg([Trace("left_wrist", time_s, height)], [], [], [], {})
    path = re.search(r'class="trace"[^>]* d="(.*?)"', svg)[1]
    assert path.count("M") == 2
    assert "nan" not in svg


def test_a_limb_that_was_never_seen_draws_no_line():
    svg = traces_svg(
        [Trace("left_wrist", np.arange(3.0), np.full(3, np.nan))],
        [],
        [HitMark(1, "left_wrist", "snare")],
        [],
        {},
    )
    assert 'd=""' in svg
    assert "missed: snare" in svg
    assert "nan" not in svg


@pytest.mark.parametrize("errors", [[0.0], [-3.0, 3.0], [49.9, -20.0], [400.0]])
def test_every_timing_error_is_counted_around_zero(errors):
    histogram = errors_histogram(errors)
    assert sum(histogram.counts) == len(errors)
    assert 0.0 in histogram.edges
    assert histogram.edges[0] == -histogram.edges[-1]


def test_stages_bar_is_as_long_as_their_sum():
    summary = a_summary(10)
    assert [(name, median) for name, median, _ in stage_medians(summary)] == [
        (name, 1.0) for name in ("camera", "decode", "prepare", "inference", "pose", "detect", "send")
    ]
    starts = [float(x) for x in re.findall(r'<rect x="([\d.]+)"', stages_svg(summary))]
    assert starts == pytest.approx([i * 1000 / 7 for i in range(7)], abs=0.1)
