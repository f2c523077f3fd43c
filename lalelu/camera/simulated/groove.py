"""What the simulated drummer plays: phrases of strokes and of gestures that are not strokes. Pure."""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.random import Generator

Groove: TypeAlias = Literal["rock", "simple", "fast", "pedals", "idle", "restless"]
GROOVES: Final[tuple[str, ...]] = get_args(Groove)
LEG_GROOVES: Final = frozenset({"pedals", "restless"})  # in the others the legs stand still
GestureKind: TypeAlias = Literal["scratch", "wipe", "wave", "talk", "swing"]

LEFT: Final = 0
RIGHT: Final = 1
LIMBS: Final = ("left_wrist", "right_wrist")
FEET: Final = ("left_ankle", "right_ankle")

# Where the wrist is at the hit, in body units: shoulder widths from the point between the shoulders,
# x to the player's right, y up, as the camera in front of the player sees it.
HIT_POSITIONS: Final[dict[str, tuple[float, float]]] = {
    "hihat": (-0.85, -0.75),
    "snare": (-0.2, -1.15),
    "tom": (0.15, -0.6),
    "floor_tom": (0.75, -1.15),
    "ride": (1.2, -0.6),
    "crash": (-0.85, -0.05),
}

# Two hands do not meet in one point: on a pad that both play at once each keeps this far to its own side.
HAND_APART: Final = 0.2
SHARED_PADS: Final = frozenset({"snare", "tom"})

LEAD_IN_S: Final = 1.2  # from the thighs to the first stroke: the mocap takes show about a second
TIMING_SD_S: Final = 0.006  # a practised player's spread against the metronome
FULL_SPEED: Final = 10.0  # body units/s that play velocity 127: the kits' default full_speed
# Peak downward speeds of the wrist, body units/s: 10..90 % of the mocap takes' strokes lie in 3.5..5.4.
SOFT_SPEED: Final = 3.4
ACCENT_SPEED: Final = 5.2
# Share of the bars with the right hand crossing to the hi-hat, the left hand there (open-handed), the ride.
_TIME_KEEPING: Final = (0.25, 0.35, 0.40)


def hit_position(pad: str, hand: int) -> tuple[float, float]:
    """Return where the wrist of `hand` is when it hits `pad` (body units)."""
    x, y = HIT_POSITIONS[pad]
    if pad in SHARED_PADS:
        x += HAND_APART if hand == RIGHT else -HAND_APART
    return x, y


@dataclass(frozen=True, slots=True)
class TruthHit:
    """One stroke as it was really played."""

    time_ns: int  # from frame 0's mid-exposure
    limb: str
    pad: str
    player: int
    velocity: int  # 1..127, by the peak speed of the wrist


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke to play, within its phrase."""

    time_s: float  # the lowest point, from the phrase's start
    hand: int  # LEFT or RIGHT
    pad: str
    speed: float  # wanted peak speed downward, body units/s
    lift: float = 1.0  # body units: the hand rises no higher than this above the pad for it


@dataclass(frozen=True, slots=True)
class Stomp:
    """One foot goes up and comes down, within its phrase."""

    time_s: float  # it lands, from the phrase's start
    foot: int  # LEFT or RIGHT
    pad: str | None  # None: it is put down, which must never sound
    lift: float  # m, of the ankle
    up_s: float = 0.25  # so long before it lands it begins to rise


@dataclass(frozen=True, slots=True)
class Upright:
    """The player gets up, stands or dances, and sits down again, within the phrase."""

    start_s: float
    length_s: float
    dances: bool


@dataclass(frozen=True, slots=True)
class Gesture:
    """A movement of one hand that must never sound."""

    kind: GestureKind
    hand: int
    start_s: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some bars; at its start and at its end both hands lie on the thighs and both feet stand on the floor."""

    length_s: float
    strokes: tuple[Stroke, ...]  # by time
    gestures: tuple[Gesture, ...]
    beat_s: float
    stomps: tuple[Stomp, ...] = ()  # of each foot by time
    uprights: tuple[Upright, ...] = ()  # by time


def compose(groove: str, bpm: float, rng: Generator) -> Phrase:
    """Return one phrase of `groove` at `bpm` beats a minute, with the player's own spread from `rng`."""
    beat = 60.0 / bpm
    if groove == "idle":
        return _idle(beat, rng)
    if groove == "restless":
        return _restless(beat, rng)
    if groove == "fast":
        strokes = _fast(rng)
    elif groove == "simple":
        strokes = _simple(beat, rng)
    else:
        strokes = _rock(beat, rng)
    played = tuple(sorted((_human(stroke, rng) for stroke in strokes), key=lambda stroke: stroke.time_s))
    # Lowering the hands takes up to two seconds; then they rest for a while.
    end = played[-1].time_s + 3.2 + rng.uniform(0.0, 1.5)
    gestures: tuple[Gesture, ...] = ()
    if rng.random() < 0.3:
        kinds: tuple[GestureKind, ...] = ("scratch", "wipe", "talk")
        gestures = (Gesture(kinds[rng.integers(3)], int(rng.integers(2)), end),)
        end += GESTURE_S
    stomps = _pedals(played, beat, rng) if groove == "pedals" else ()
    return Phrase(end, played, gestures, beat, stomps)


GESTURE_S: Final = 6.0  # up, the movement itself, and slowly down again
GET_UP_S: Final = 1.3  # from sitting to standing, and back
ANKLE_LIFT: Final = (0.06, 0.10)  # m: players with the heel up lift it so far


def _human(stroke: Stroke, rng: Generator) -> Stroke:
    late = float(np.clip(rng.normal(0.0, TIMING_SD_S), -2 * TIMING_SD_S, 2 * TIMING_SD_S))
    speed = stroke.speed * float(rng.uniform(0.9, 1.1))
    return replace(stroke, time_s=stroke.time_s + late, speed=speed)


def _rock(beat: float, rng: Generator) -> list[Stroke]:
    strokes: list[Stroke] = []
    # Eighths of a hand stay below 5 Hz up to 150 beats a minute; above, the hand plays quarters.
    step = beat / 2 if beat / 2 >= 0.2 else beat
    bars = int(rng.integers(3, 6))
    for bar in range(bars):
        start = LEAD_IN_S + bar * 4 * beat
        crash = bar > 0 and rng.random() < 0.4
        if crash:
            strokes.append(Stroke(start, LEFT, "crash", ACCENT_SPEED))
        if bar == bars - 1:
            strokes += _fill(start, step, crash=crash)
            continue
        lead, pad = ((RIGHT, "hihat"), (LEFT, "hihat"), (RIGHT, "ride"))[rng.choice(3, p=_TIME_KEEPING)]
        bar_strokes = _time_keeping(start, beat, step, lead, pad, rng)
        if crash and lead == LEFT:
            bar_strokes = bar_strokes[1:]  # the hand is at the crash cymbal
        strokes += bar_strokes
    return strokes


def _time_keeping(
    start: float, beat: float, step: float, lead: int, pad: str, rng: Generator
) -> list[Stroke]:
    """One bar of the `lead` hand on hi-hat or ride, the other on the snare at 2 and 4."""
    strokes = []
    for k in range(round(4 * beat / step)):
        on_beat = (k * step / beat) % 1.0 < 0.25
        strokes.append(Stroke(start + k * step, lead, pad, 4.4 if on_beat else SOFT_SPEED))
    # Under the crossing arm the left hand has little room.
    crossed = lead == RIGHT and pad == "hihat"
    lift, accent = (0.30, 4.0) if crossed else (1.0, ACCENT_SPEED)
    strokes += [Stroke(start + k * beat, 1 - lead, "snare", accent, lift) for k in (1, 3)]
    if rng.random() < 0.4:
        strokes.append(Stroke(start + 2 * beat + step, 1 - lead, "snare", 3.8, lift))
    return strokes


def _fill(start: float, step: float, *, crash: bool) -> list[Stroke]:
    """One bar over the toms, hand after hand, each hand at the pace of `step`."""
    right = ("snare", "snare", "tom", "tom", "tom", "floor_tom", "floor_tom", "floor_tom")
    left = ("snare", "snare", "snare", "tom", "tom", "tom", "snare", "snare")
    strokes = []
    for k in range(8):
        accent = ACCENT_SPEED if k % 2 == 0 else 4.2
        strokes.append(Stroke(start + k * step, RIGHT, right[k], accent))
        if not (crash and k == 0):  # the left hand is still on its way from the crash cymbal
            strokes.append(Stroke(start + (k + 0.5) * step, LEFT, left[k], accent - 0.5))
    return strokes


def _simple(beat: float, rng: Generator) -> list[Stroke]:
    right, left = ("snare", "tom", "floor_tom", "ride"), ("snare", "tom", "hihat", "crash")
    slow = max(2 * beat, 0.8)
    strokes = []
    for k in range(int(rng.integers(5, 10))):
        hand = k % 2
        pads = right if hand == RIGHT else left
        speed = float(rng.uniform(SOFT_SPEED, ACCENT_SPEED))
        strokes.append(Stroke(LEAD_IN_S + k * slow, hand, pads[rng.integers(len(pads))], speed))
    return strokes


def _fast(rng: Generator) -> list[Stroke]:
    strokes = []
    start = LEAD_IN_S
    for _ in range(3):
        rate = float(rng.uniform(4.5, 7.0))  # Hz, of one hand; ordinary players reach 5..7 (Fujii 2009)
        right, left = (("snare", "snare"), ("tom", "tom"), ("floor_tom", "snare"))[rng.integers(3)]
        count = int(rate * rng.uniform(1.5, 3.0))
        for k in range(count):
            speed = float(rng.uniform(4.0, ACCENT_SPEED))
            strokes.append(Stroke(start + k / rate, RIGHT, right, speed))
            strokes.append(Stroke(start + (k + 0.5) / rate, LEFT, left, speed))
        start += (count + 0.5) / rate + 0.6
    return strokes


def _idle(beat: float, rng: Generator) -> Phrase:
    kinds: tuple[GestureKind, ...] = ("scratch", "wipe", "wave", "talk")
    gestures = []
    start = float(rng.uniform(0.5, 3.0))
    for _ in range(3):
        kind = kinds[rng.integers(4)]
        hand = int(rng.integers(2))
        gestures.append(Gesture(kind, hand, start))
        if kind == "talk":  # with both hands, not quite together
            gestures.append(Gesture(kind, 1 - hand, start + 0.2))
        start += GESTURE_S + float(rng.uniform(0.3, 2.5))
    return Phrase(start, (), tuple(gestures), beat)


def _pedals(played: tuple[Stroke, ...], beat: float, rng: Generator) -> tuple[Stomp, ...]:
    """Feet under what the hands play: the bass drum on 1 and 3 with variations, and the hi-hat's pedal."""
    stomps: list[Stomp] = []
    bars = round((played[-1].time_s - LEAD_IN_S) / (4 * beat))
    for bar in range(bars):
        start = LEAD_IN_S + bar * 4 * beat
        # in beats: quavers before the snare or after the third beat
        places = [0.0, 2.0, *((1.5,), (2.5,), (3.5,), ())[rng.integers(4)]]
        up_s = min(0.25, 0.45 * beat)
        stomps += [_stomp(start + place * beat, RIGHT, "bass_drum", up_s, rng) for place in sorted(places)]
        pedal = rng.random()
        if pedal < 0.4:  # on 2 and 4
            stomps += [
                _stomp(start + k * beat, LEFT, "hihat_pedal", min(0.3, 0.9 * beat), rng) for k in (1, 3)
            ]
        elif pedal < 0.7:  # open for two beats
            stomps.append(_stomp(start + 3 * beat, LEFT, "hihat_pedal", 2 * beat, rng))
        else:  # open, and let down softly
            stomps.append(_stomp(start + 3 * beat, LEFT, None, 2 * beat, rng))
    return tuple(stomps)


def _stomp(time_s: float, foot: int, pad: str | None, up_s: float, rng: Generator) -> Stomp:
    late = float(np.clip(rng.normal(0.0, TIMING_SD_S), -2 * TIMING_SD_S, 2 * TIMING_SD_S))
    return Stomp(time_s + late, foot, pad, float(rng.uniform(*ANKLE_LIFT)), up_s)


def _restless(beat: float, rng: Generator) -> Phrase:
    """Everything but playing: gestures of the hands, feet that shift, getting up, dancing, sitting down."""
    still = _idle(beat, rng)
    gestures, end = list(still.gestures), still.length_s
    stomps = []
    time = float(rng.uniform(1.0, 3.0))
    while time < end - 1.5:
        up_s = float(rng.uniform(1.0, 2.0))
        stomps.append(Stomp(time + up_s, int(rng.integers(2)), None, float(rng.uniform(0.02, 0.12)), up_s))
        time += up_s + float(rng.uniform(0.5, 3.0))
    uprights = []
    for dances in (False, True):
        uprights.append(Upright(end, GET_UP_S * 2 + float(rng.uniform(6.0, 8.0)), dances))
        if dances:
            gestures += [Gesture("swing", hand, end + GET_UP_S) for hand in (LEFT, RIGHT)]
        else:
            gestures.append(Gesture("talk", int(rng.integers(2)), end + GET_UP_S))
        end += uprights[-1].length_s + float(rng.uniform(0.5, 2.0))
    gestures.sort(key=lambda gesture: gesture.start_s)
    return Phrase(end, (), tuple(gestures), beat, tuple(stomps), tuple(uprights))
