"""Nobody plays: players who rest, scratch, wipe, talk, wave, sit down and stand up, as the network sees them."""

import numpy as np
import pytest
from drummer import events, noise, poses, stamps, still
from test_takes import EVERYWHERE

from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.config.loader import load_kit
from lalelu.skeleton import COCO17
from lalelu.types import Hit, Pose

ROCK = load_kit("rock", None)
FPS = 60.0
RENDERED, POOR = 0.0023, 0.005  # image heights: a rendered player's keypoints, and twice as noisy ones
SHOULDERS = 0.2  # image heights


def hits(film: list[Pose], kit=ROCK) -> list[Hit]:
    return [event for event in events(film, kit) if isinstance(event, Hit)]


@pytest.mark.parametrize(("sd", "most"), [(RENDERED, 0), (POOR, 1)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_player_who_does_not_play_is_silent(seed, sd, most):
    film = Film(FilmSettings("idle", seed=seed))
    t = stamps(40.0, FPS)
    shake = noise((len(t), 34), sd, seed)
    score = np.full(len(COCO17), 0.7, np.float32)
    seen = [
        Pose(
            seq, round(time_s * 1e9), 0, (film.keypoints_at(time_s) + error.reshape(17, 2)).astype(np.float32), score
        )
        for seq, (time_s, error) in enumerate(zip(t.tolist(), shake, strict=True))
    ]  # fmt: skip
    assert film.truth(0.0, 40.0) == ()
    assert len(hits(seen)) <= most


def smooth(t, begin, seconds):
    """From 0 to 1 with the least jerk."""
    s = np.clip((t - begin) / seconds, 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s * s)


@pytest.mark.parametrize("seconds", [0.8, 1.2])
def test_a_player_who_stands_up_and_sits_down_is_silent(seconds):
    t = stamps(12.0, FPS)
    up = sum(smooth(t, begin, seconds) - smooth(t, begin + 3.0, seconds) for begin in (1.0, 7.0))
    hands = []
    for side in (-1.0, 1.0):
        hand = still(t, (side * 0.45, -1.3))
        hand[:, 0] += side * 0.3 * up
        hand[:, 1] -= 0.45 * up  # they hang beside the hips
        hands.append(hand)
    film = poses(t, *hands, sd=RENDERED / SHOULDERS)
    for pose, height in zip(film, up.tolist(), strict=True):
        pose.xy[:, 1] -= np.float32(0.25 * height)
    assert hits(film) == []


@pytest.mark.parametrize("hz", [0.8, 1.1, 1.4])
def test_hands_that_turn_circles_hardly_sound(hz):
    t = stamps(20.0, FPS)
    turned = 2.0 * np.pi * hz * t
    circle = np.stack([0.3 * np.cos(turned), 0.3 * np.sin(turned)], axis=1)
    film = poses(t, still(t, (-0.7, -0.5)) + circle, still(t, (0.7, -0.5)) - circle, sd=RENDERED / SHOULDERS)
    assert len(hits(film, EVERYWHERE)) <= 2  # of 32..56 circles
