"""Candidates are measured on what the camera delivers, and the fastest within the limits is chosen."""

import numpy as np
import pytest

from lalelu.analysis.keypoint_agreement import agreement
from lalelu.bench.inference import Spread
from lalelu.bench.tune import Candidate, Row, Tuning, advice, filmed, options_for, table
from lalelu.camera.port import CameraFacts
from lalelu.config.schema import CameraSection, Config
from lalelu.pose.crop import whole
from lalelu.pose.orientation import Orientation
from lalelu.pose.sampling import Sampler

CAMERA = CameraFacts("a camera", 64, 48, 100.0, None, "none", busy_ms=1.0)
SEEN = np.ones((1, 17, 3))


def row(name, ms, *broken, slowest_ms=0.0):
    taken = [round(ms * 1e6)] * 99 + [round(max(ms, slowest_ms) * 1e6)] * 2
    load = (ms + CAMERA.busy_ms) * 1e-3 * CAMERA.fps
    alike = agreement(SEEN, SEEN, np.ones(1))
    return Row(Candidate(*name.split()), "1", Spread.of(taken), load, alike, broken)


def tuning(*rows):
    return Tuning(CAMERA, 0, 101, "sim:", 1, "lightning litert f32", rows, {"torch": "not installed"})


def test_the_fastest_that_holds_the_limits_is_chosen():
    found = tuning(
        row("lightning a bf16", 4.0, "limit drift.p95=3px: it is 9 px"),
        row("lightning b f32", 6.0),
        row("lightning c f32", 5.0),
    )
    assert found.chosen is found.rows[2]
    assert [line.split()[1] for line in table(found).splitlines()[3:6]] == ["a", "c", "b"]
    assert "excluded: limit drift.p95=3px: it is 9 px" in table(found)
    assert "left out: torch: not installed" in table(found)
    assert advice(found, Config()) == ""


def test_nothing_is_chosen_where_no_candidate_holds_the_limits():
    assert tuning(row("lightning a f32", 4.0, "limit lost=1%: it is 2 %")).chosen is None


def test_a_choice_too_slow_for_the_camera_is_named_so():
    found = tuning(row("thunder a bf16", 17.0))
    assert "chosen, too slow for the camera" in table(found)
    said = advice(found, Config())
    assert "thunder a bf16 cannot keep up with 100 frames/s: it takes 180% of a frame's period" in said
    assert "a camera at 50 frames/s" in said
    carried = Config.model_validate({"pose": {"flow": "carried"}})
    assert "it runs beside the loop" in advice(found, carried)


def test_a_choice_that_is_slow_now_and_then_is_named_so():
    found = tuning(row("lightning a bf16", 6.0, slowest_ms=14.0))
    assert "too slow" not in table(found)
    assert "one frame in a hundred takes 14.0 ms" in advice(found, Config())


def test_options_undo_only_what_was_measured_otherwise():
    chosen = Candidate("thunder", "litert", "f32")
    plain = {"model": "thunder", "runtime": "litert", "precision": "f32"}
    assert options_for(Config(), chosen) == plain
    config = Config.model_validate({"pose": {"runtime": "torch", "device": "cuda", "threads": 4}})
    assert options_for(config, chosen) == {**plain, "device": "cpu", "threads": 1}


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_frames_lie_as_the_camera_lies(rotate, mirror):
    def seen(camera, section):
        frames = filmed(camera, section)
        sampler = Sampler(48, Orientation(section.rotate, section.mirror), bgr=True)
        picture = np.zeros((48, 48, 3), np.uint8)
        sampler.sample(frames[0], whole(160 / 120), picture)
        return frames.shape, picture

    turned = (120, 160) if rotate in (90, 270) else (160, 120)
    shape, picture = seen(
        CameraFacts("", *turned, 100.0, None, ""), CameraSection(rotate=rotate, mirror=mirror)
    )
    assert shape[1:] == (turned[1], turned[0], 3)
    _, upright = seen(CameraFacts("", 160, 120, 100.0, None, ""), CameraSection())
    assert np.abs(picture.astype(int) - upright).max() <= 2  # a square is scaled in another direction
    assert np.abs(picture.astype(int) - upright[:, ::-1]).max() > 50


def test_a_grey_camera_delivers_grey_frames():
    camera = CameraFacts("", 160, 120, 100.0, None, "", grey=True)
    assert filmed(camera, CameraSection()).shape[1:] == (120, 160)
