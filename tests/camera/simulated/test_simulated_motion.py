"""The drummer's movement is like a real one's, and its truth is exact."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from lalelu.camera.simulated.drummer import FOREARM, POINT, SHOULDER_WIDTH, UPPER_ARM, Drummer
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.camera.simulated.groove import FULL_SPEED, GROOVES, HIT_POSITIONS, LIMBS, hit_position
from lalelu.skeleton import COCO17

PROJECT = Path(__file__).parents[3]
WRIST = {limb: COCO17.index(limb) for limb in LIMBS}
SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]


def _drummer(film: Film) -> Drummer:
    return film._drummer


def _body(keypoints: np.ndarray) -> np.ndarray:
    """Image heights to body units: x to the player's right, y up."""
    left, right = keypoints[SHOULDERS]
    return (keypoints - (left + right) / 2) * -1.0 / np.linalg.norm(left - right)


def _outside(zone: dict[str, list[float]], x: float, y: float) -> float:
    """How far (x, y) lies outside of a kit's zone, body units."""
    if "box" in zone:
        left, bottom, right, top = zone["box"]
        return float(np.hypot(x - np.clip(x, left, right), y - np.clip(y, bottom, top)))
    a, b, radius_x, radius_y = zone["ellipse"]
    distance = np.hypot((x - a) / radius_x, (y - b) / radius_y)
    return float(max(0.0, np.hypot(x - a, y - b) * (1.0 - 1.0 / distance)))


def _lowest(film: Film, limb: str, near_s: float) -> float:
    times = near_s + np.arange(-0.02, 0.0201, 0.001)
    heights = [film.keypoints_at(t)[WRIST[limb], 1] for t in times]
    return float(times[int(np.argmax(heights))])


@pytest.mark.parametrize("groove", ["rock", "simple", "fast"])
@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_the_wrist_is_lowest_in_the_picture_when_the_truth_says_so(groove: str, angle: float) -> None:
    film = Film(FilmSettings(groove=groove, angle=angle, seed=3, width=160, height=120))
    hits = film.truth(0.0, 12.0)
    assert len(hits) >= 5
    off = [_lowest(film, hit.limb, hit.time_ns * 1e-9) - hit.time_ns * 1e-9 for hit in hits]
    assert np.abs(off).max() <= 0.0015  # the grid of this test is 1 ms


def test_the_wrist_stands_still_in_the_room_at_every_hit() -> None:
    film = Film(FilmSettings(width=160, height=120))
    for hit in film.truth(0.0, 20.0):
        times = hit.time_ns * 1e-9 + np.array([-1e-4, 0.0, 1e-4])
        path = _drummer(film).wrists(times)[:, LIMBS.index(hit.limb)]
        assert np.abs(path[2] - path[0]).max() < 1e-6


@pytest.mark.parametrize("groove", ["rock", "simple", "fast"])
def test_every_fall_as_fast_as_a_stroke_is_in_the_truth(groove: str) -> None:
    """The mocap takes' own rule: local minima of wrist height after 500 mm/s downward, >= 40 mm deep."""
    film = Film(FilmSettings(groove=groove, seed=5, width=160, height=120))
    times = np.arange(0.0, 30.0, 0.004)
    heights = np.array([_drummer(film).wrists(times[k : k + 1])[0, :, 1] for k in range(len(times))])
    truth = film.truth(0.0, 29.5)
    for hand, limb in enumerate(LIMBS):
        speed = np.gradient(heights[:, hand], 0.004)
        fast = np.flatnonzero(speed < -0.5)
        ends = times[fast[np.append(np.diff(fast) > 1, True)]]
        hits = np.array([hit.time_ns * 1e-9 for hit in truth if hit.limb == limb])
        ends = ends[ends < 29.0]
        assert len(ends) > 0
        assert max(np.min(np.abs(hits - end)) for end in ends) < 0.15


def test_an_idle_drummer_plays_nothing_and_never_falls_like_a_stroke() -> None:
    film = Film(FilmSettings(groove="idle", width=160, height=120))
    assert film.truth(0.0, 60.0) == ()
    heights = np.array([_drummer(film).wrists(np.array([t]))[0, :, 1] for t in np.arange(0.0, 60.0, 0.01)])
    assert np.diff(heights, axis=0).min() / 0.01 > -0.5  # m/s
    assert np.ptp(heights, axis=0).min() > 0.2  # both hands have been up


def test_peak_speeds_are_those_of_the_mocap_takes() -> None:
    hits = Film(FilmSettings(width=160, height=120)).truth(0.0, 60.0)
    speeds = np.array([hit.velocity for hit in hits]) * FULL_SPEED / 127
    low, middle, high = np.percentile(speeds, [10, 50, 90])
    assert 2.8 < low < middle < high < 7.0  # body units/s; 3.5, 4.2 and 5.4 in the takes
    assert 3.5 < middle < 5.5


def test_speeds_lie_within_the_recorded_players(shared_dir: Path) -> None:
    path = shared_dir / "takes" / "airdrum_fast_mocap.take.gz"
    with gzip.open(path, "rt") as file:
        frames = [json.loads(line) for line in file][1:]
    xy = np.array([frame["players"][0]["xy"] for frame in frames])
    seconds = np.array([frame["captured_ns"] for frame in frames]) * 1e-9
    unit = np.linalg.norm(xy[:, SHOULDERS[0]] - xy[:, SHOULDERS[1]], axis=1).mean()
    real = np.gradient(xy[:, WRIST["right_wrist"], 1] / unit, seconds)
    hits = Film(FilmSettings(width=160, height=120)).truth(0.0, 60.0)
    ours = np.array([h.velocity for h in hits if h.limb == "right_wrist"]) * FULL_SPEED / 127
    assert 0.5 < np.median(ours) / np.percentile(real, 98) < 1.5
    assert ours.max() < 1.25 * real.max()


def test_one_hand_never_plays_faster_than_people_can() -> None:
    for groove, shortest in (("rock", 0.2), ("simple", 0.5), ("fast", 0.125)):
        hits = Film(FilmSettings(groove=groove, width=160, height=120)).truth(0.0, 60.0)
        for limb in LIMBS:
            times = np.array([hit.time_ns for hit in hits if hit.limb == limb]) * 1e-9
            assert np.diff(times).min() > shortest, (groove, limb)


def test_hits_lie_in_their_pads_zones() -> None:
    kit = yaml.safe_load((PROJECT / "config" / "kits" / "rock.yaml").read_text())
    film = Film(FilmSettings())
    seen = set()
    for hit in film.truth(0.0, 90.0):
        x, y = _body(film.keypoints_at(hit.time_ns * 1e-9))[WRIST[hit.limb]]
        assert _outside(kit["pads"][hit.pad]["zone"], x, y) < 0.15, (hit, x, y)
        wanted = hit_position(hit.pad, LIMBS.index(hit.limb))
        assert np.hypot(x - wanted[0], y - wanted[1]) < 0.25, (hit, x, y)  # the torso sways
        seen.add(hit.pad)
    assert seen == set(HIT_POSITIONS)


def test_hands_resting_on_the_thighs_lie_below_the_pads() -> None:
    film = Film(FilmSettings())
    body = _body(film.keypoints_at(0.0))
    for limb in LIMBS:
        assert body[WRIST[limb], 1] < -1.5


def test_right_limbs_appear_on_the_pictures_left() -> None:
    keypoints = Film(FilmSettings()).keypoints(0)
    assert keypoints[WRIST["right_wrist"], 0] < keypoints[WRIST["left_wrist"], 0]
    assert keypoints.shape == (17, 2)
    assert keypoints.dtype == np.float32


@pytest.mark.parametrize("groove", GROOVES)
def test_bones_keep_their_length_and_no_arm_is_overstretched(groove: str) -> None:
    drummer = _drummer(Film(FilmSettings(groove=groove)))
    for t in np.arange(0.0, 40.0, 0.05):
        points = drummer.points(np.array([t]))[0]
        for side in ("left", "right"):
            shoulder, elbow, wrist = (points[POINT[f"{side}_{n}"]] for n in ("shoulder", "elbow", "wrist"))
            assert np.linalg.norm(elbow - shoulder) == pytest.approx(UPPER_ARM, rel=0.01)
            assert np.linalg.norm(wrist - elbow) == pytest.approx(FOREARM, rel=0.06), (t, side)
        across = points[POINT["left_shoulder"]] - points[POINT["right_shoulder"]]
        assert np.linalg.norm(across) == pytest.approx(SHOULDER_WIDTH)


def test_the_wrists_move_without_jumps_through_phrases() -> None:
    drummer = _drummer(Film(FilmSettings(groove="fast", seed=2)))
    path = np.array([drummer.wrists(np.array([t]))[0] for t in np.arange(0.0, 60.0, 0.01)])
    assert np.linalg.norm(np.diff(path, axis=0), axis=2).max() / 0.01 < 5.0  # m/s


@pytest.mark.parametrize("groove", ["rock", "simple", "fast"])
def test_the_hand_comes_up_after_every_hit(groove: str) -> None:
    film = Film(FilmSettings(groove=groove, width=160, height=120))
    for hit in film.truth(0.0, 40.0):
        times = hit.time_ns * 1e-9 + np.array([-0.05, 0.0, 0.05])
        before, at, after = _drummer(film).wrists(times)[:, LIMBS.index(hit.limb), 1]
        assert before > at + 0.004, hit
        assert after > at + 0.003, hit


def test_another_seed_is_another_performance_and_the_same_seed_the_same() -> None:
    first, again, other = (Film(FilmSettings(seed=s)).truth(0.0, 20.0) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert list(first) == sorted(first, key=lambda hit: hit.time_ns)
