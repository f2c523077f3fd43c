import numpy as np
import pytest

from lalelu.camera import port as camera_port
from lalelu.camera.port import CameraFacts
from lalelu.doctor.devices import CameraLook, Delivery, look_at_camera
from lalelu.doctor.finding import Finding, State
from lalelu.doctor.flicker import Flicker, Light, look_at_light, steady_exposure_ms
from lalelu.doctor.picture_findings import judge_picture
from lalelu.errors import MissingError


def filmed(fps, mains_hz, exposure_ms=4.0, *, seconds=2.0, depth=0.1, off=0.0, noise=0.2, motion=2.0, seed=1):
    """A player under lamps on the mains, as a camera sees them whose clock is `off` by so much."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(seconds * fps)) / fps
    real_s = times_s * (1 + off)
    seen = depth * np.sinc(2 * mains_hz * exposure_ms / 1000)  # the mean over the exposure
    level = 100 * (1 + seen * np.cos(4 * np.pi * mains_hz * real_s + rng.uniform(0, 6)))
    level += motion * np.sin(2 * np.pi * 1.7 * times_s) + motion * (times_s > 1.3)  # strokes; a light goes on
    return (times_s * 1e9).astype(np.int64).tolist(), (level + rng.normal(0, noise, len(level))).tolist()


@pytest.mark.parametrize("off", [-0.002, 0.0, 0.002])
@pytest.mark.parametrize(
    ("fps", "mains_hz", "beat_hz"),
    [(30, 50, 10), (50, 60, 20), (60, 50, 20), (75, 60, 30), (90, 50, 10), (100, 60, 20), (120, 50, 20)],
)
def test_lamps_are_found_by_where_their_pulse_appears_between_the_frames(fps, mains_hz, beat_hz, off):
    flicker = look_at_light(*filmed(fps, mains_hz, off=off)).flicker
    assert flicker.mains_hz == mains_hz
    assert flicker.beat_hz == pytest.approx(beat_hz, abs=0.1)
    expected = 0.1 * np.sinc(2 * mains_hz * 0.004)
    assert flicker.depth == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("fps", "mains_hz"), [(100, 50), (50, 50), (60, 60), (30, 60), (120, 60)])
def test_lamps_that_pulse_with_the_frames_are_not_told_and_that_is_said(fps, mains_hz):
    light = look_at_light(*filmed(fps, mains_hz))
    assert light.flicker is None
    assert mains_hz in light.untold


@pytest.mark.parametrize(("fps", "mains_hz"), [(90, 50), (100, 60)])
def test_an_exposure_of_one_pulse_sees_no_flicker(fps, mains_hz):
    exposure_ms = steady_exposure_ms(mains_hz, fps)
    assert look_at_light(*filmed(fps, mains_hz, exposure_ms)).flicker is None


@pytest.mark.parametrize("noise", [0.01, 0.2, 3.0])
@pytest.mark.parametrize("fps", [30, 75, 90, 100, 200])
def test_a_player_in_daylight_flickers_never(fps, noise):
    films = (filmed(fps, 50, depth=0.0, noise=noise, motion=5.0, seed=seed) for seed in range(40))
    assert [light.flicker for film in films if (light := look_at_light(*film)) is not None] == [None] * 40


def test_few_frames_or_a_black_picture_tell_nothing():
    assert look_at_light(*filmed(100, 60, seconds=0.5)) is None
    assert look_at_light(*filmed(30, 60, seconds=1.2)) is None
    captured_ns, levels = filmed(100, 60)
    assert look_at_light(captured_ns, [0.0] * len(levels)) is None


@pytest.mark.parametrize(
    ("mains_hz", "fps", "exposure_ms"),
    [(50, 100.0, 10.0), (50, 100.05, 10.0), (50, 120.0, None), (60, 120.0, 1000 / 120)],
)
def test_the_exposure_that_avoids_flicker_must_fit_into_a_frame(mains_hz, fps, exposure_ms):
    assert steady_exposure_ms(mains_hz, fps) == exposure_ms


def look(uri="v4l2:/dev/video0?fps=90&exposure_ms=4", fps=90.0, exposure_ms=4.0, light=None, is_device=True):
    facts = CameraFacts("camera", 640, 480, fps, exposure_ms, "none")
    return CameraLook(uri, is_device, Delivery(facts, fps, fps, 180, 0, 0.1, 12.0, light))


def judged(*args, **kwargs):
    return {finding.name: finding for finding in judge_picture(look(*args, **kwargs))}


AT_50 = Light(Flicker(50, 0.076, 10.0), ())


def test_a_short_exposure_is_told_with_what_it_smears():
    finding = judged()["exposure"]
    assert finding == Finding("exposure", State.GOOD, "4 ms; a wrist at 2 m/s smears 8 mm")


def test_a_long_exposure_is_told_with_the_address_that_shortens_it():
    finding = judged("v4l2:/dev/video0?exposure_ms=15&size=640x480", 60.0, 15.0)["exposure"]
    assert (finding.state, finding.found) == (
        State.COULD_BE_BETTER,
        "15 ms; a wrist at 2 m/s smears 30 mm",
    )
    assert finding.remedy == "camera: {uri: 'v4l2:/dev/video0?size=640x480&exposure_ms=5'}, and more light"


@pytest.mark.parametrize(
    ("light", "exposure"), [(None, "5"), (AT_50, "10"), (Light(Flicker(60, 0.1, 30.0), ()), "8.33")]
)
def test_automatic_exposure_is_replaced_by_one_that_the_lamps_allow(light, exposure):
    finding = judged("v4l2:", 90.0, None, light)["exposure"]
    assert (finding.state, finding.found) == (State.COULD_BE_BETTER, "automatic, or not told")
    assert finding.remedy == f"camera: {{uri: 'v4l2:?exposure_ms={exposure}'}}, and more light"


def test_flicker_is_told_with_the_exposure_that_avoids_it():
    finding = judged(light=AT_50)["lamps' flicker"]
    assert finding.found == "lamps on 50 Hz make the picture 7.6% brighter and darker, 10.0 times a second"
    assert finding.remedy == (
        "camera: {uri: 'v4l2:/dev/video0?fps=90&exposure_ms=10'}; or lamps that do not flicker "
        "(daylight, good LEDs)"
    )


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"exposure_ms": 10.0}, "lamps that"),
        ({"fps": 120.0}, "fps=100 or fewer in camera.uri, with exposure_ms=10; or lamps"),
        ({"uri": "opencv:0"}, "a v4l2: camera's address with exposure_ms=10; or lamps"),
    ],
)
def test_flicker_that_this_camera_cannot_avoid_is_left_to_its_address_or_the_lamps(changes, remedy):
    finding = judged(**{"light": AT_50, **changes})["lamps' flicker"]
    assert (finding.state, finding.script) == (State.COULD_BE_BETTER, ())
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("light", "state", "found"),
    [
        (Light(None, ()), State.GOOD, "none is seen"),
        (
            Light(None, (50,)),
            State.GOOD,
            "none is seen; lamps on 50 Hz would not show at this rate, for they pulse with the frames",
        ),
        (None, State.NOT_HERE, "too few frames, or a dark picture: nothing is told"),
    ],
)
def test_lamps_without_flicker_are_told_with_what_cannot_be_seen(light, state, found):
    finding = judged(light=light)["lamps' flicker"]
    assert (finding.state, finding.found) == (state, found)


def test_films_and_cameras_that_are_not_there_have_no_picture_to_judge():
    assert judge_picture(look(is_device=False)) == []
    assert judge_picture(CameraLook("v4l2:", True, None, MissingError("not there"))) == []


def test_a_camera_under_lamps_shows_them_while_it_is_watched(monkeypatch):
    monkeypatch.setitem(camera_port.ADAPTERS, "slow", "slow_camera:SlowCamera")
    found = look_at_camera("slow:?fps=50&mains_hz=60", 0.2).delivery.light
    assert (found.flicker.mains_hz, found.untold) == (60, (50,))
    assert found.flicker.depth == pytest.approx(0.2, rel=0.15)
