"""The drummer's feet play and shift as real ones do, the legs hold together, and other grooves know nothing of it."""

import numpy as np
import pytest

from lalelu.camera.simulated.drummer import POINT, Drummer
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.camera.simulated.groove import FEET, GROOVES, LEG_GROOVES, LIMBS
from lalelu.camera.simulated.legs import SHIN, THIGH
from lalelu.config.gestures import HiHat, Kick
from lalelu.gesture.act import PlayedGesture, Sight, Sound
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.hihat import HiHatPlayer
from lalelu.gesture.kick import KickPlayer
from lalelu.skeleton import COCO17

SECONDS = 20.0
RESTLESS_S = 46.0  # the whole of one phrase


def _film(groove: str, seed: int = 3, angle: float = 0.0) -> Film:
    return Film(FilmSettings(groove=groove, seed=seed, angle=angle, width=160, height=120))


def _drummer(film: Film) -> Drummer:
    return film._drummer


def _paths(groove: str, names: tuple[str, ...], seconds: float = SECONDS, step_s: float = 0.01) -> np.ndarray:
    """(T, N, 3) m."""
    drummer = _drummer(_film(groove))
    indices = [POINT[name] for name in names]
    times = np.arange(0.0, seconds, step_s)
    return np.concatenate([drummer.points(times[k : k + 10])[:, indices] for k in range(0, len(times), 10)])


def _stomps(film: Film, limb: str) -> list[float]:
    return [hit.time_ns * 1e-9 for hit in film.truth(0.0, SECONDS - 1.0) if hit.limb == limb]


def _sounds(
    film: Film, *players: PlayedGesture, seconds: float = SECONDS, fps: float = 100.0
) -> list[list[float]]:
    """When each gesture sounds that is shown the exact keypoints."""
    body = BodyFrame()
    found: list[list[float]] = [[] for _ in players]
    for k in range(round(seconds * fps)):
        keypoints = film.keypoints_at(k / fps).tolist()
        now_ns = round(k / fps * 1e9)
        body.observe(
            now_ns, *(keypoints[COCO17.index(f"{side}_shoulder")] for side in ("left", "right")), None
        )
        for player, sounds in zip(players, found, strict=True):
            points = {limb: body.locate(*keypoints[COCO17.index(limb)]) for limb in player.limbs}
            acts = player.step(Sight(now_ns, points, body))
            sounds += [act.struck_ns * 1e-9 for act in acts if isinstance(act, Sound)]
    return found


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_an_ankle_lands_when_the_truth_says_so(angle: float) -> None:
    film = _film("pedals", angle=angle)
    hits = [hit for hit in film.truth(0.0, 20.0) if hit.limb in FEET]
    assert {(hit.limb, hit.pad) for hit in hits} == {
        ("right_ankle", "bass_drum"),
        ("left_ankle", "hihat_pedal"),
    }
    for hit in hits:
        before, early, at, after = (
            float(film.keypoints_at(hit.time_ns * 1e-9 + late)[COCO17.index(hit.limb), 1])
            for late in (-0.03, -0.002, 0.0, 0.03)
        )
        assert before < early < at  # image y points down
        assert after <= at + 1e-6


def test_the_bass_drum_is_on_one_and_three_and_more() -> None:
    film = _film("pedals")
    times = np.array(_stomps(film, "right_ankle"))
    assert len(times) > 8
    assert np.diff(times).min() > 0.2
    hands = [hit for hit in film.truth(0.0, SECONDS) if hit.limb in LIMBS]
    assert len(hands) > 2 * len(times)
    assert film.truth(0.0, SECONDS) == _film("pedals").truth(0.0, SECONDS)


@pytest.mark.parametrize("groove", sorted(LEG_GROOVES))
def test_legs_hold_together_and_move_without_jumps(groove: str) -> None:
    names = ("hip", "knee", "ankle", "toe", "heel")
    for side in ("left", "right"):
        hip, knee, ankle, toe, heel = _paths(groove, tuple(f"{side}_{n}" for n in names)).transpose(1, 0, 2)
        for a, b, length in ((hip, knee, THIGH), (knee, ankle, SHIN), (ankle, heel, 0.064)):
            assert np.linalg.norm(a - b, axis=1) == pytest.approx(length, rel=0.02)
        assert np.ptp(np.linalg.norm(toe - ankle, axis=1)) < 1e-6
        assert min(ankle[:, 1].min(), toe[:, 1].min(), heel[:, 1].min()) >= 0.034  # above the floor
        for path in (knee, ankle):
            assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() / 0.01 < 2.5  # m/s


def test_ankles_lift_as_far_as_with_the_heel_up_and_knees_follow() -> None:
    knee, ankle = _paths("pedals", ("right_knee", "right_ankle")).transpose(1, 0, 2)
    lift = ankle[:, 1] - ankle[0, 1]
    assert 0.06 < lift.max() < 0.11
    follows = knee[:, 1] - knee[0, 1]
    assert 0.5 * lift.max() < follows[np.argmax(lift)] < 1.3 * lift.max()


@pytest.mark.parametrize("groove", [groove for groove in GROOVES if groove not in LEG_GROOVES])
def test_in_other_grooves_the_legs_stand_still(groove: str) -> None:
    path = _paths(groove, ("left_hip", "left_knee", "right_ankle", "right_toe"), step_s=0.5)
    assert np.ptp(path, axis=0).max() == 0.0


def test_a_restless_drummer_plays_nothing_gets_up_and_dances() -> None:
    film = _film("restless")
    assert film.truth(0.0, 120.0) == ()
    hips, left, right = _paths("restless", ("left_hip", "left_wrist", "right_wrist"), RESTLESS_S).transpose(
        1, 0, 2
    )
    assert np.ptp(hips[:, 1]) > 0.3
    stands = hips[hips[:, 1] > 0.85]
    assert np.ptp(stands[:, 0]) > 0.08  # to and fro
    assert np.abs(np.diff((left, right), axis=1)).max() / 0.01 < 2.0  # m/s, without jumps


def test_the_kick_and_the_pedal_hear_the_drummers_feet() -> None:
    film = _film("pedals")
    kick = KickPlayer(Kick(gesture="kick", pad="bass_drum"))
    pedal = HiHatPlayer(HiHat(gesture="hihat", pad="hihat", open_pad="open", chick_pad="chick"))
    for limb, sounds in zip(("right_ankle", "left_ankle"), _sounds(film, kick, pedal), strict=True):
        truth = _stomps(film, limb)
        found = [at for at in sounds if at < SECONDS - 1.0]
        assert len(found) == len(truth)
        assert max(abs(a - b) for a, b in zip(found, truth, strict=True)) < 0.012


def test_a_restless_drummers_feet_are_not_heard() -> None:
    kick = Kick(gesture="kick", pad="bass_drum")
    players = [KickPlayer(kick.model_copy(update={"limb": limb})) for limb in ("right_ankle", "right_knee")]
    ankle, knee = _sounds(_film("restless"), *players, seconds=RESTLESS_S, fps=50.0)
    assert ankle == []
    assert len(knee) <= 1  # who gets up or sits down moves his knees
