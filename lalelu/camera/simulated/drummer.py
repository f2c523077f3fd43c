"""How the simulated drummer moves: a seated skeleton in metres, exact to the stroke. Pure.

World: X to the picture's right (the player's left), Y up from the floor, Z towards the camera; metres.
The wrists' paths are made of half cosines, as real air drumming is (no rebound, soft minima); at a hit all
three coordinates stand still, so that the hit is the lowest point from wherever the camera looks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lalelu.camera.simulated.groove import (
    FEET,
    FULL_SPEED,
    LEFT,
    LEG_GROOVES,
    LIMBS,
    RIGHT,
    Gesture,
    Phrase,
    Stroke,
    TruthHit,
    compose,
)
from lalelu.camera.simulated.legs import LEG, hips_at, landing_speed, leg_points, lifts
from lalelu.camera.simulated.path import Floats, Track, WristPath

# A man of average size sitting on a stool (m).
SHOULDER_WIDTH: Final = 0.37
SHOULDER_Y: Final = 1.10
HIP_Y: Final = 0.58
UPPER_ARM: Final = 0.31
FOREARM: Final = 0.27

# In the torso's frame, from the middle of the hips: the points that sway with the torso.
_TORSO: Final[dict[str, tuple[float, float, float]]] = {
    "left_shoulder": (0.185, 0.52, 0.0),
    "right_shoulder": (-0.185, 0.52, 0.0),
    "neck": (0.0, 0.55, 0.0),
    "left_chest": (0.092, 0.43, 0.03),
    "right_chest": (-0.092, 0.43, 0.03),
    "left_waist": (0.072, 0.20, 0.03),
    "right_waist": (-0.072, 0.20, 0.03),
    "left_collar": (0.075, 0.56, 0.01),
    "right_collar": (-0.075, 0.56, 0.01),
    "throat": (0.0, 0.535, 0.07),
}
# In the head's frame, from the neck.
_HEAD: Final[dict[str, tuple[float, float, float]]] = {
    "nose": (0.0, 0.115, 0.125),
    "left_eye": (0.033, 0.153, 0.095),
    "right_eye": (-0.033, 0.153, 0.095),
    "left_ear": (0.080, 0.135, 0.005),
    "right_ear": (-0.080, 0.135, 0.005),
    "skull": (0.0, 0.170, 0.015),
    "chin": (0.0, 0.065, 0.055),
    "crown": (0.0, 0.195, -0.005),
    "nape": (0.0, 0.12, -0.045),
    "fringe_left": (0.045, 0.222, 0.055),
    "fringe_right": (-0.045, 0.222, 0.055),
    "nose_bridge": (0.0, 0.150, 0.105),
    "left_brow_in": (0.018, 0.174, 0.103),
    "left_brow_out": (0.048, 0.174, 0.090),
    "right_brow_in": (-0.018, 0.174, 0.103),
    "right_brow_out": (-0.048, 0.174, 0.090),
    "left_mouth": (0.022, 0.078, 0.100),
    "right_mouth": (-0.022, 0.078, 0.100),
}
# Hips, legs and the stool as long as only the hands play: they do not move.
_SEAT: Final[dict[str, tuple[float, float, float]]] = {
    **{
        f"{side}_{joint}": (float(place[0]), float(place[1]), float(place[2]))
        for joint, places in LEG.items()
        for side, place in zip(("left", "right"), places, strict=True)
    },
    "seat_left": (0.14, 0.46, 0.02),
    "seat_right": (-0.14, 0.46, 0.02),
    "seat_low": (0.0, 0.44, 0.0),
    "stool_foot": (0.0, 0.03, 0.0),
}
_ARM: Final = ("elbow", "wrist", "sleeve", "knuckles", "fingertips", "thumb", "forearm_belly", "cuff")

POINT_NAMES: Final[tuple[str, ...]] = (
    *_TORSO,
    *_HEAD,
    *_SEAT,
    *(f"left_{name}" for name in _ARM),
    *(f"right_{name}" for name in _ARM),
)
POINT: Final[dict[str, int]] = {name: index for index, name in enumerate(POINT_NAMES)}

_TORSO_POINTS: Final[Floats] = np.array(list(_TORSO.values()))
_HEAD_POINTS: Final[Floats] = np.array(list(_HEAD.values()))
_SEAT_POINTS: Final[Floats] = np.array(list(_SEAT.values()))
_HIPS: Final[Floats] = np.array([0.0, HIP_Y, 0.0])
_NECK: Final[Floats] = np.array(_TORSO["neck"])
_LEGS: Final = {
    name: [list(_SEAT).index(f"{side}_{name}") for side in ("left", "right")] for name in LEG
}  # within _SEAT
_SHOULDERS: Final = (POINT["left_shoulder"], POINT["right_shoulder"])
_SIDE: Final[Floats] = np.array([1.0, -1.0])  # the player's left lies at +X

THIGH_REST: Final[Floats] = np.array([[0.17, 0.605, 0.25], [-0.17, 0.605, 0.25]])  # left, right wrist

_DOWN_S: Final = 0.26  # half a slow stroke: the mocap's strokes are half waves of 0.2..0.3 s
_LOW_LIFT: Final = 0.5  # body units; strokes that rise less wait low
_WAIT_ABOVE: Final = 0.06  # m, over the pad, for such a stroke
_REBOUND_S: Final = 0.3  # from one pad to above the next, when there is time
_RAISE_S: Final = 0.7  # from the thighs to above a pad
_MAX_SPEED: Final = 6.0  # body units/s: the fastest strokes of the mocap takes
_MIN_LIFT: Final = 0.05  # m, over the higher of two pads
# m: from where a gesture plays, for the left hand (the right one mirrors x)
_GESTURE_AT: Final[dict[str, tuple[float, float, float]]] = {
    "scratch": (0.17, 1.30, 0.14),
    "wipe": (0.13, 1.27, 0.22),
    "wave": (0.36, 1.22, 0.20),
    "talk": (0.20, 0.86, 0.30),
    "swing": (0.24, 0.84, 0.26),
}
# x, y, z amplitude (m), half period (s), half periods
_GESTURE_MOVE: Final[dict[str, tuple[tuple[float, float, float], float, int]]] = {
    "scratch": ((0.008, 0.018, 0.0), 0.13, 10),
    "wipe": ((0.09, 0.012, 0.0), 0.45, 4),
    "wave": ((0.11, 0.02, 0.0), 0.30, 6),
    "talk": ((0.07, 0.04, 0.05), 0.48, 5),
    "swing": ((0.10, 0.05, 0.04), 0.50, 8),
}


@dataclass(frozen=True, slots=True)
class _Played:
    """A phrase with its paths, from `start_s` of the film."""

    start_s: float
    length_s: float
    paths: tuple[tuple[Track, Track], tuple[Track, Track]]
    hits: tuple[TruthHit, ...]
    beat_s: float
    playing: tuple[float, float]  # s within the phrase: first and last stroke
    phrase: Phrase


class Drummer:
    """One player, endless and the same for the same seed.

    `pads` gives each hand's wrist position at a hit: `(pad, hand) -> (3,)` metres in the world.
    """

    def __init__(
        self, groove: str, bpm: float, seed: int, pads: Mapping[tuple[str, int], Floats], player: int = 0
    ) -> None:
        self._groove = groove
        self._bpm = bpm
        self._seed = seed
        self._pads = pads
        self._player = player
        self._phrases: list[_Played] = []
        rng = np.random.default_rng([seed, 0x5A])
        # Sway: slow waves of the torso's yaw, roll, pitch and of the head's own yaw and roll.
        self._sway_hz = rng.uniform(0.11, 0.33, size=(5, 2))
        self._sway_phase = rng.uniform(0.0, 2 * np.pi, size=(5, 2))
        self._sway_size = np.radians([2.2, 1.0, 1.0, 6.0, 2.5])[:, None] * rng.uniform(0.4, 0.8, size=(5, 2))

    @property
    def moves_legs(self) -> bool:
        """Whether the legs move in this groove."""
        return self._groove in LEG_GROOVES

    def truth(self, begin_s: float, end_s: float) -> tuple[TruthHit, ...]:
        """Return the hits from `begin_s` up to and with `end_s` of the film, by time."""
        self._compose_until(end_s)
        begin, end = begin_s * 1e9, end_s * 1e9
        return tuple(hit for phrase in self._phrases for hit in phrase.hits if begin <= hit.time_ns <= end)

    def wrists(self, times: Floats) -> Floats:
        """Return both wrists (T, 2, 3) in metres, left first, at `times` (T,) that lie close together."""
        phrase = self._phrase(float(times[len(times) // 2]))
        local = times - phrase.start_s
        out = np.empty((len(times), 2, 3))
        for hand, (plane, height) in enumerate(phrase.paths):
            out[:, hand, (0, 2)] = plane.at(local)
            out[:, hand, 1:2] = height.at(local)
        if phrase.phrase.uprights:
            out += hips_at(phrase.phrase, local)[0][:, None]
        return out

    def points(self, times: Floats) -> Floats:
        """Return all points (T, P, 3) in metres, ordered as POINT_NAMES, at the `times` of one exposure."""
        angles = (
            self._sway_size[:, :, None]
            * np.sin(2 * np.pi * self._sway_hz[:, :, None] * times + self._sway_phase[:, :, None])
        ).sum(axis=1)
        phrase = self._phrase(float(times[len(times) // 2]))
        seat = np.broadcast_to(_SEAT_POINTS, (len(times), *_SEAT_POINTS.shape))
        way = np.zeros((len(times), 3))
        if self.moves_legs:
            local = times - phrase.start_s
            way, roll, pitch = hips_at(phrase.phrase, local)
            angles[1] += roll
            angles[2] += pitch
            lifted = np.stack([lifts(phrase.phrase.stomps, foot, local) for foot in (LEFT, RIGHT)], axis=1)
            seat = seat.copy()
            for name, places in leg_points(way, lifted).items():
                seat[:, _LEGS[name]] = places
        torso = _rotation(angles[0], angles[1], angles[2])
        head = torso @ _rotation(angles[3], angles[4], 0.03 + self._nod(times))
        torso_points = _HIPS + _TORSO_POINTS @ torso.transpose(0, 2, 1)
        neck = _HIPS + torso @ _NECK
        head_points = neck[:, None] + _HEAD_POINTS @ head.transpose(0, 2, 1)
        if self.moves_legs:
            torso_points, head_points = torso_points + way[:, None], head_points + way[:, None]
        arms = _arms(torso_points[:, _SHOULDERS], self.wrists(times))
        return np.concatenate((torso_points, head_points, seat, arms), axis=1)

    def _nod(self, times: Floats) -> Floats:
        """Return the head's pitch (T,) rad: it goes with the beat while the player plays."""
        phrase = self._phrase(float(times[len(times) // 2]))
        local = times - phrase.start_s
        first, last = phrase.playing
        weight = np.clip((local - first + 0.5) / 0.5, 0.0, 1.0) * np.clip(
            (last + 0.5 - local) / 0.5, 0.0, 1.0
        )
        return np.asarray(weight * 0.06 * np.sin(np.pi * (local - first) / phrase.beat_s))

    def _phrase(self, time_s: float) -> _Played:
        self._compose_until(time_s)
        for phrase in reversed(self._phrases):
            if phrase.start_s <= time_s:
                return phrase
        return self._phrases[0]

    def _compose_until(self, time_s: float) -> None:
        while not self._phrases or self._phrases[-1].start_s + self._phrases[-1].length_s <= time_s:
            start = self._phrases[-1].start_s + self._phrases[-1].length_s if self._phrases else 0.0
            rng = np.random.default_rng([self._seed, len(self._phrases)])
            self._phrases.append(self._play(start, compose(self._groove, self._bpm, rng)))

    def _play(self, start_s: float, phrase: Phrase) -> _Played:
        hits: list[TruthHit] = []
        paths = []
        for hand in (LEFT, RIGHT):
            path = WristPath(THIGH_REST[hand])
            for stroke in phrase.strokes:
                if stroke.hand == hand:
                    speed = _strike(path, self._pads[stroke.pad, hand], stroke)
                    velocity = round(127 * speed / FULL_SPEED)
                    time_ns = round((start_s + stroke.time_s) * 1e9)
                    hits.append(
                        TruthHit(time_ns, LIMBS[hand], stroke.pad, self._player, max(1, min(127, velocity)))
                    )
            if path.time > 0.0:
                path.lower()
            for gesture in phrase.gestures:
                if gesture.hand == hand:
                    _perform(path, gesture)
            paths.append(path)
        for stomp in phrase.stomps:
            if stomp.pad is not None:
                speed = landing_speed(stomp) / SHOULDER_WIDTH
                velocity = max(1, min(127, round(127 * speed / FULL_SPEED)))
                time_ns = round((start_s + stomp.time_s) * 1e9)
                hits.append(TruthHit(time_ns, FEET[stomp.foot], stomp.pad, self._player, velocity))
        length = max(phrase.length_s, *(path.time for path in paths)) + 0.1
        playing = (phrase.strokes[0].time_s, phrase.strokes[-1].time_s) if phrase.strokes else (-9.0, -9.0)
        left, right = (path.tracks(length) for path in paths)
        hits.sort(key=lambda hit: hit.time_ns)
        return _Played(start_s, length, (left, right), tuple(hits), phrase.beat_s, playing, phrase)


def _strike(path: WristPath, pad: Floats, stroke: Stroke) -> float:
    """Lay one stroke onto `path`; return the peak speed it really has, body units/s."""
    time = stroke.time_s
    gap = time - path.time
    down = min(gap / 2, _DOWN_S, 0.5 * np.pi * stroke.lift / stroke.speed)
    drop = stroke.speed * SHOULDER_WIDTH * 2 * down / np.pi
    top = max(float(pad[1]) + drop, path.y + _MIN_LIFT)
    # From a high pad to a low one the fall is long: it begins earlier, as far as the gap allows.
    down = min(0.8 * gap, max(down, 0.5 * np.pi * (top - float(pad[1])) / (_MAX_SPEED * SHOULDER_WIDTH)))
    if gap > path.lowering_s() + _RAISE_S + down and path.y > path.rest[1]:
        path.lower()
    rise = _REBOUND_S
    if path.y <= path.rest[1]:  # from the thigh
        path.stay(time - down - _RAISE_S)
        rise = _RAISE_S
    from_below = path.y <= float(pad[1]) + 0.01
    if from_below and stroke.lift < _LOW_LIFT and time - path.time > rise + _REBOUND_S + down:
        # Little room, as under a crossing arm: wait close to the pad and come up only for the stroke.
        path.go(path.time + rise, np.array([pad[0], float(pad[1]) + _WAIT_ABOVE, pad[2]]))
        path.stay(time - down - _REBOUND_S)
        path.height_to(time - down, top)
    elif time - path.time > 2 * down + 1e-6:  # up to above the pad, wait there, and strike
        path.go(min(path.time + rise, time - down), np.array([pad[0], top, pad[2]]))
        path.stay(time - down)
    else:
        path.height_to(time - down, top)
    path.plane_to(time, pad[0], pad[2])
    path.height_to(time, float(pad[1]))
    return float(np.pi / 2 * (top - pad[1]) / down / SHOULDER_WIDTH)


def _perform(path: WristPath, gesture: Gesture) -> None:
    """Lay a gesture onto `path`: up, to and fro, and slowly back to the thigh."""
    centre = np.array(_GESTURE_AT[gesture.kind])
    (sx, sy, sz), half, count = _GESTURE_MOVE[gesture.kind]
    size = np.array([sx, sy, sz])
    mirror = np.array([_SIDE[gesture.hand], 1.0, 1.0])
    path.stay(gesture.start_s)
    time = path.time + 0.9
    path.go(time, centre * mirror)
    for k in range(count):
        time += half
        path.go(time, (centre + (size if k % 2 else -size)) * mirror)
    path.lower()


def _rotation(yaw: Floats, roll: Floats, pitch: Floats) -> Floats:
    """Rotation matrices (T, 3, 3) for small sways: about Y, then Z, then X (rad)."""
    cy, sy, cr, sr, cp, sp = (
        np.cos(yaw),
        np.sin(yaw),
        np.cos(roll),
        np.sin(roll),
        np.cos(pitch),
        np.sin(pitch),
    )
    out = np.empty((len(yaw), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = cy * cr, -cy * sr * cp + sy * sp, cy * sr * sp + sy * cp
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = sr, cr * cp, -cr * sp
    out[:, 2, 0], out[:, 2, 1], out[:, 2, 2] = -sy * cr, sy * sr * cp + cy * sp, -sy * sr * sp + cy * cp
    return out


def _arms(shoulders: Floats, wrists: Floats) -> Floats:
    """Return the arms' points (T, 16, 3), left then right, from shoulders and wrists (T, 2, 3).

    Two-bone inverse kinematics: the elbow hangs outward, down and a little back.
    """
    reach = wrists - shoulders
    length = np.linalg.norm(reach, axis=2, keepdims=True)
    along = reach / length
    stretched = np.minimum(length, 0.999 * (UPPER_ARM + FOREARM))
    foot = (UPPER_ARM**2 - FOREARM**2 + stretched**2) / (2 * stretched)
    pole = np.empty_like(reach)
    pole[..., 0] = 0.75 * _SIDE
    pole[..., 1] = -0.6
    pole[..., 2] = -0.25
    pole -= (pole * along).sum(axis=2, keepdims=True) * along
    pole /= np.linalg.norm(pole, axis=2, keepdims=True)
    elbow = shoulders + along * foot + pole * np.sqrt(np.maximum(UPPER_ARM**2 - foot**2, 0.0))
    bone = (wrists - elbow) / FOREARM
    inward = np.zeros_like(bone)
    inward[..., 0] = -_SIDE
    out = np.empty((len(wrists), 2, len(_ARM), 3))
    out[:, :, 0] = elbow
    out[:, :, 1] = wrists
    out[:, :, 2] = shoulders + 0.62 * (elbow - shoulders)
    out[:, :, 3] = wrists + 0.092 * bone
    out[:, :, 4] = wrists + 0.140 * bone + 0.02 * inward
    out[:, :, 5] = wrists + 0.078 * bone + 0.045 * inward
    out[:, :, 6] = elbow + 0.30 * (wrists - elbow)
    # MoveNet sees the joint a little above the narrowest place.
    out[:, :, 7] = wrists + 0.014 * bone
    return out.reshape(len(wrists), 2 * len(_ARM), 3)
