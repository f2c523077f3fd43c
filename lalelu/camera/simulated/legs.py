"""How the simulated drummer's legs move: feet that stomp, knees that follow, getting up and dancing. Pure.

World: X to the picture's right (the player's left), Y up from the floor, Z towards the camera; metres.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from lalelu.camera.simulated.groove import GET_UP_S, Phrase, Stomp
from lalelu.camera.simulated.path import Floats

# The seated player, left and right (m).
HIPS: Final[Floats] = np.array([[0.105, 0.58, 0.02], [-0.105, 0.58, 0.02]])
KNEES: Final[Floats] = np.array([[0.23, 0.50, 0.44], [-0.23, 0.50, 0.44]])
ANKLES: Final[Floats] = np.array([[0.22, 0.09, 0.38], [-0.22, 0.09, 0.38]])
TOES: Final[Floats] = np.array([[0.25, 0.035, 0.56], [-0.25, 0.035, 0.56]])
HEELS: Final[Floats] = np.array([[0.215, 0.04, 0.34], [-0.215, 0.04, 0.34]])
LEG: Final = {"hip": HIPS, "knee": KNEES, "ankle": ANKLES, "toe": TOES, "heel": HEELS}
THIGH: Final = float(np.linalg.norm(KNEES[0] - HIPS[0]))
SHIN: Final = float(np.linalg.norm(ANKLES[0] - KNEES[0]))
STANDING: Final[Floats] = np.array([0.0, 0.34, 0.33])  # m, of the hips, from where they sit

_FALL_S: Final = 0.07, 0.4  # s and s per m: free fall from 5 cm takes 0.1 s; the leg's muscles help
_FALL_POWER: Final = 1.6  # a foot is faster and faster until the floor stops it
_RISE_S: Final = 0.25
_PUT_DOWN_S: Final = 0.5
_TOE_SHARE: Final = 0.3  # of the ankle's lift: the ball of the foot stays near the pedal
_LEAN: Final = 0.45  # rad, forward, half way up
_BOUNCE: Final = 0.025  # m, down on every beat of a dance
_SWAY: Final = 0.05  # m, of the hips to each side, over two beats
_ROLL: Final = 0.07  # rad, likewise of the torso


def fall_s(stomp: Stomp) -> float:
    """Return how long the foot falls."""
    if stomp.pad is None:
        return min(_PUT_DOWN_S, 0.5 * stomp.up_s)
    return min(_FALL_S[0] + _FALL_S[1] * stomp.lift, 0.4 * stomp.up_s)


def landing_speed(stomp: Stomp) -> float:
    """Return how fast the ankle is when the floor stops it, m/s."""
    return _FALL_POWER * stomp.lift / fall_s(stomp)


def lifts(stomps: Sequence[Stomp], foot: int, times: Floats) -> Floats:
    """Return how far one ankle is lifted (T,) m."""
    out = np.zeros(len(times))
    for stomp in stomps:
        if stomp.foot != foot:
            continue
        fall = fall_s(stomp)
        rise = min(_RISE_S if stomp.pad is not None else _PUT_DOWN_S, stomp.up_s - fall)
        up = _ease((times - stomp.time_s + stomp.up_s) / rise)
        u = np.clip((times - stomp.time_s + fall) / fall, 0.0, 1.0)
        down = _ease(u) if stomp.pad is None else u**_FALL_POWER
        out += stomp.lift * np.minimum(up, 1.0 - down)
    return out


def hips_at(phrase: Phrase, times: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the hips' way from the stool (T, 3) m, and how far the torso leans aside and forward (T,) rad."""
    way, roll, pitch = np.zeros((len(times), 3)), np.zeros(len(times)), np.zeros(len(times))
    for upright in phrase.uprights:
        local = times - upright.start_s
        rise = _ease(local / GET_UP_S) - _ease((local - upright.length_s + GET_UP_S) / GET_UP_S)
        way += rise[:, None] * STANDING
        pitch += _LEAN * np.sin(np.pi * rise)
        if upright.dances:
            turns = np.pi * (local - GET_UP_S) / phrase.beat_s
            weight = rise**4  # who stands bounces, who is getting up does not
            way[:, 1] -= weight * _BOUNCE * (1.0 - np.cos(2.0 * turns))
            way[:, 0] += weight * _SWAY * np.sin(turns)
            roll += weight * _ROLL * np.sin(turns)
    return way, roll, pitch


def leg_points(way: Floats, lifted: Floats) -> dict[str, Floats]:
    """Return hips, knees, ankles, toes and heels, each (T, 2, 3) m, left first.

    `way` (T, 3) of the hips from the stool and `lifted` (T, 2) ankles, m. The foot turns about its ball, and the
    knee is where thigh and shin meet (two-bone inverse kinematics), bent towards where it is on the stool.
    """
    hips = HIPS + way[:, None]
    foot, heel = TOES - ANKLES, HEELS - ANKLES
    long = float(np.hypot(foot[0, 1], foot[0, 2]))
    toes = np.broadcast_to(TOES, hips.shape).copy()
    toes[..., 1] += _TOE_SHARE * lifted
    drop = foot[:, 1] - (1.0 - _TOE_SHARE) * lifted
    ahead = np.sqrt(long**2 - drop**2)
    ankles = np.stack(
        (np.broadcast_to(ANKLES[:, 0], drop.shape), toes[..., 1] - drop, toes[..., 2] - ahead), axis=-1
    )
    turn = np.arctan2(drop, ahead) - np.arctan2(foot[:, 1], foot[:, 2])
    heels = ankles + np.stack(
        (
            np.broadcast_to(heel[:, 0], drop.shape),
            heel[:, 1] * np.cos(turn) + heel[:, 2] * np.sin(turn),
            heel[:, 2] * np.cos(turn) - heel[:, 1] * np.sin(turn),
        ),
        axis=-1,
    )
    reach = ankles - hips
    length = np.linalg.norm(reach, axis=2, keepdims=True)
    along = reach / length
    stretched = np.minimum(length, 0.999 * (THIGH + SHIN))
    part = (THIGH**2 - SHIN**2 + stretched**2) / (2 * stretched)
    pole = KNEES - 0.5 * (HIPS + ANKLES)
    pole = pole - (pole * along).sum(axis=2, keepdims=True) * along
    pole = pole / np.linalg.norm(pole, axis=2, keepdims=True)
    knees = hips + along * part + pole * np.sqrt(np.maximum(THIGH**2 - part**2, 0.0))
    return {"hip": hips, "knee": knees, "ankle": ankles, "toe": toes, "heel": heels}


def _ease(share: Floats) -> Floats:
    """Half a cosine from 0 to 1."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(share, 0.0, 1.0)))
