"""The page of latency holds what the analysis found, whatever the run."""

import base64
import json
import re

import numpy as np
import pytest
from analysis.page_reader import Page
from analysis.recorded import MS, Recorded, longer, looks, played, steady

from lalelu.analysis import latency_page
from lalelu.analysis.cadence import latency_of_rows_ns
from lalelu.analysis.columns import columns_of
from lalelu.analysis.diagnosis import diagnose
from lalelu.analysis.latency_page import PageData, render_page
from lalelu.analysis.seconds import SERIES

CHANGED = 1500  # row from which the run is slower
STOPPED = (300, 700, 2200)  # rows in which the thread slept


def a_run():
    frames = steady(3000)
    longer(frames, slice(CHANGED, None), "work", 1.5)
    frames["running_ns"][CHANGED:] += round(1.5 * MS)
    for row in STOPPED:
        longer(frames, row, "work", 30.0)
        frames["voluntary"][row] = 1
    notes = played(frames[::40])
    return Recorded(
        frames, notes, looks(30.0, frequency_khz=lambda s: np.where(s < 15, 3_600_000, 2_900_000))
    )


def page_of(recorded, title="a run", verdict=("All is well.",)):
    diagnosis, columns = diagnose(recorded), columns_of(recorded)
    since_ns = columns.captured_ns - columns.captured_ns[0] if len(columns) else columns.captured_ns
    return render_page(
        PageData(
            title=title,
            verdict=verdict,
            diagnosis=diagnosis,
            at_s=since_ns * 1e-9,
            frame_ms=latency_of_rows_ns(columns, diagnosis.cadence) * 1e-6,
            note_ms=np.array([5.0, 6.0]),
            series={name: each.what for name, each in SERIES.items()},
            facts=(("host", "a <machine>"),),
        )
    )


def told_in(page):
    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def numbers(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


@pytest.fixture(scope="module")
def page():
    return page_of(a_run())


def test_every_frame_and_second_is_in_the_page(page):
    told = told_in(page)
    assert told["end"] == 30.0
    assert len(numbers(told["frames"]["at"])) == len(numbers(told["frames"]["ms"])) == 3000
    assert numbers(told["seconds"]["second"]).tolist() == list(range(30))
    # the picture's y is the expected arrival to the row
    assert np.median(numbers(told["frames"]["ms"])[:CHANGED]) == pytest.approx(5.1, abs=0.05)
    assert numbers(told["seconds"]["frame_max"])[3] == pytest.approx(35.1, abs=0.3)
    assert set(told["series"]) == set(SERIES)


def test_phases_and_outliers_are_told_with_their_causes(page):
    told = told_in(page)
    assert [phase["name"] for phase in told["phases"]] == ["phase 1", "phase 2"]
    assert [phase["first"] for phase in told["phases"]] == [0, 15]
    late = [one for one in told["outliers"] if one["kind"] == "frame"]
    assert {round(one["at"] * 100) for one in late} >= set(STOPPED)
    assert all(
        "asleep, stopped or blocked" in one["said"] for one in late if round(one["at"] * 100) in STOPPED
    )
    texts = "".join(Page(page).texts)
    assert "frequency fell from 3.60 to 2.90 GHz" in texts
    assert "asleep, stopped or blocked" in texts


def test_counts_add_up_to_all_rows(page):
    told = told_in(page)
    assert sum(told["histogram"]["counts"]) == sum(told["cadence"]["counts"]) == 3000
    line = told["ecdf"][0]
    assert line["above"][0] == 1.0
    assert line["above"][-1] >= 1 / 3000
    assert line["ms"] == sorted(line["ms"])


def test_the_page_fetches_nothing(page):
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", page)
    assert [attrs for tag, attrs in Page(page).tags if {"src", "href"} & set(attrs)] == []
    assert "default-src 'none'" in page


def test_text_from_outside_cannot_become_part_of_the_page():
    nasty = '</script><img src=x onerror="alert(1)">'
    recorded = a_run()
    recorded.samples["competitor"] = b"</script><i>"
    recorded.samples["competitor_ms"] = 900
    page = Page(page_of(recorded, title=nasty, verdict=(nasty,)))
    assert [tag for tag, _ in page.tags].count("img") == 0
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert nasty in page.texts


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_a_run_of_hardly_any_frames_has_a_page(frames):
    told = told_in(page_of(Recorded(steady(frames))))
    assert len(numbers(told["frames"]["ms"])) == frames


def test_a_long_run_is_told_by_its_seconds_alone(monkeypatch):
    monkeypatch.setattr(latency_page, "MOST_FRAMES", 100)
    told = told_in(page_of(a_run()))
    assert told["frames"] is None
    assert len(numbers(told["seconds"]["frame_p50"])) == 30
