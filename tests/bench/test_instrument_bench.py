import json

import pytest

from lalelu.bench import charts, instrument
from lalelu.bench.instrument import Playing, play, table
from lalelu.bench.turns import Spread
from lalelu.doctor.probe import Lateness
from lalelu.errors import LostError, MissingError
from lalelu.models.store import onnx_path

PLAYED = Playing(
    "lightning",
    1,
    Spread.of([6_000_000, 5_000_000]),
    Spread.of([7_000_000, 6_000_000]),
    3,
    (6.0, 5.0),
    Lateness.of([100_000] * 4),
    "SCHED_OTHER",
    ("SCHED_FIFO 70",),
)


@pytest.mark.slow
@pytest.mark.model
def test_frames_in_a_row_of_the_running_instrument_are_measured(expect):
    try:
        onnx_path("lightning")
    except MissingError as exc:
        expect("model", str(exc))
    news = []
    played = play("lightning", 30, news.append)
    assert played.inference.count == len(played.inference_ms) == 30
    assert played.inference.min > 0.5
    assert played.pose.mean > played.inference.mean
    assert played.sleeper.wakings > 0
    assert news == ["lightning: 30 frames in the running instrument"]
    assert json.dumps(played.as_json())


def test_an_instrument_that_ends_by_itself_is_an_error_with_its_last_words(monkeypatch):
    monkeypatch.setattr(instrument, "CAMERA", "sim:?fps=7")
    with pytest.raises(LostError, match=r"has played 0 of 50 frames and ended: .*fps"):
        play("lightning", 5, lambda _: None)


def test_the_table_tells_what_was_skipped_and_refused_and_how_the_sleeper_fared():
    lines = table([PLAYED]).splitlines()
    assert [line.split("  ")[0] for line in lines[2:5]] == [
        "lightning, inference",
        "lightning, picture to pose",
        "sleeper, late",
    ]
    assert lines[2].split()[-6:] == ["5.50", "5.00", "6.00", "0.50", "5.50", "5.99"]
    assert lines[4].split()[-6:] == ["0.10", "-", "0.10", "0.00", "0.10", "0.10"]
    assert "2 frames, 3 of the camera's skipped; refused to the engine: SCHED_FIFO 70" in lines[5]


def test_the_plot_goes_through_every_inference():
    (panel,) = charts.playing_panels([PLAYED])
    assert panel.values == (6.0, 5.0)
    assert "bare sleeper beside (SCHED_OTHER) late by p50 0.10" in panel.note
