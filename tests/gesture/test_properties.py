"""What holds for every performance: generated ones, from slow to the fastest, filmed at any rate.

Examples are the same on every machine and in every run (`derandomize`).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from drummer import KIT, MM, changed, hits, poses, stamps, still, strokes
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.skeleton import COCO17, mirrored
from lalelu.types import Hit, Pose

# A failing example is short as it is; to make it shorter would take minutes.
MANY = settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])
LIMBS = ("left_wrist", "right_wrist")
WRISTS = [COCO17.index(limb) for limb in LIMBS]
BEGIN_S = 0.6  # hands rest until then
MIN_SPEED = KIT.strike.min_speed
FAST = 10.0  # body units/s: twice what the recorded drummers reach; a hand that is faster may be taken for an error
FRAMES_PER_STROKE = 12.0  # with fewer, strokes are lost
# Pads everywhere, so that every stroke sounds: two halves, on either side of the body.
HALVES = KitConfig.model_validate(
    {
        "name": "halves",
        "pads": {
            "near_left": {"note": 36, "zone": {"box": [-3.0, -1.6, 0.0, 1.0]}},
            "near_right": {"note": 38, "zone": {"box": [0.0, -1.6, 3.0, 1.0]}},
        },
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """What one hand plays: strokes of a sinusoid, tilted (degrees from the vertical) about its lowest point."""

    place: tuple[float, float]  # body units
    hz: float
    mm: float
    tilt: float

    @property
    def speed(self) -> float:
        """Peak downward speed, body units/s."""
        return float(np.pi * self.hz * self.mm * MM * np.cos(np.radians(self.tilt)))


@dataclass(frozen=True, slots=True)
class Performance:
    """Two hands, and how they are filmed."""

    left: Part
    right: Part
    fps: float
    phase: float
    sd: float
    seed: int
    count: int = 4

    def film(self, **more) -> tuple[list[Pose], dict[str, list[float]]]:
        seconds = BEGIN_S + (self.count + 1.5) / min(self.left.hz, self.right.hz)
        t = stamps(seconds, self.fps, self.phase)
        paths, truth = [], {}
        for limb, part in zip(LIMBS, (self.left, self.right), strict=True):
            path, truth[limb] = strokes(
                t, part.place, hz=part.hz, height=part.mm * MM, begin=BEGIN_S, count=self.count
            )
            up = path[:, 1] - part.place[1]
            path[:, 0] += up * np.sin(np.radians(part.tilt))
            path[:, 1] = part.place[1] + up * np.cos(np.radians(part.tilt))
            paths.append(path)
        return poses(t, *paths, **({"sd": self.sd, "seed": self.seed} | more)), truth


def parts(side: float, fastest: float) -> st.SearchStrategy[Part]:
    """Parts of one hand, on its own side of the body, with a peak speed up to `fastest` (body units/s)."""
    return st.floats(1.5, 10.0).flatmap(
        lambda hz: st.builds(
            Part,
            st.tuples(st.floats(0.2, 1.2).map(lambda x: side * x), st.floats(-1.2, -0.4)),
            st.just(hz),
            st.floats(80.0, min(400.0, fastest / (np.pi * hz * MM))),
            st.floats(-40.0, 40.0),
        )
    )


def performances(
    sd: st.SearchStrategy[float], *, fastest: float = 40.0, frames_per_stroke: float = 0.0
) -> st.SearchStrategy[Performance]:
    """Performances of any speed filmed at any rate, unless limits are given; `sd` in body units."""
    return st.tuples(parts(-1.0, fastest), parts(1.0, fastest)).flatmap(
        lambda hands: st.builds(
            Performance,
            st.just(hands[0]),
            st.just(hands[1]),
            st.floats(max(24.0, frames_per_stroke * max(hand.hz for hand in hands)), 200.0),
            st.floats(0.0, 1.0),
            sd,
            st.integers(0, 10**6),
        )
    )


NOISY = st.floats(0.0, 0.03)
CLEAN = st.just(0.0)
PLAYABLE = performances(CLEAN, fastest=FAST, frames_per_stroke=FRAMES_PER_STROKE)


def by_limb(found: list[Hit], limb: str) -> list[Hit]:
    return [hit for hit in found if hit.limb == limb]


def told(found: list[Hit]) -> list[tuple[object, ...]]:
    """Everything of hits but the stamps' origin, in an order that does not depend on the limbs' names."""
    return sorted((hit.seq, hit.struck_ns, hit.pad, hit.limb, hit.strength) for hit in found)


@MANY
@given(played=performances(NOISY), start_ns=st.integers(-(10**15), 10**18))
def test_shifting_all_stamps_changes_nothing(played, start_ns):
    shown, _ = played.film()
    moved = [replace(pose, captured_ns=pose.captured_ns + start_ns) for pose in shown]
    back = [
        replace(hit, captured_ns=hit.captured_ns - start_ns, struck_ns=hit.struck_ns - start_ns)
        for hit in hits(moved, HALVES)
    ]
    assert back == hits(shown, HALVES)


def mirror(pose: Pose) -> Pose:
    """The picture mirrored about its left edge (exactly, in floating point), names of limbs as they then are."""
    sides = [COCO17.index(mirrored(name)) for name in COCO17]
    return replace(pose, xy=pose.xy[sides] * np.float32([-1.0, 1.0]), score=pose.score[sides])


@MANY
@given(played=performances(NOISY))
def test_mirroring_the_picture_swaps_the_hands(played):
    shown, _ = played.film()
    swapped = [replace(hit, limb=mirrored(hit.limb)) for hit in hits(shown, HALVES)]
    assert told(hits(changed(shown, mirror), HALVES, left_handed=True)) == told(swapped)


@MANY
@given(played=performances(NOISY), power=st.integers(-2, 2))
def test_a_player_of_another_size_plays_exactly_the_same(played, power):
    shown, _ = played.film()
    scaled = changed(shown, lambda pose: replace(pose, xy=pose.xy * np.float32(2.0**power)))
    assert hits(scaled, HALVES) == hits(shown, HALVES)


@MANY
@given(played=performances(CLEAN), size=st.floats(0.05, 0.4), x=st.floats(-0.2, 1.5), y=st.floats(0.0, 0.7))
def test_a_player_elsewhere_plays_the_same(played, size, x, y):
    here = hits(played.film()[0], HALVES)
    there = hits(played.film(size=size, place=(x, y))[0], HALVES)
    assert [(hit.limb, hit.pad) for hit in there] == [(hit.limb, hit.pad) for hit in here]
    assert [hit.struck_ns for hit in there] == pytest.approx([hit.struck_ns for hit in here], abs=5e5)
    assert [hit.strength for hit in there] == pytest.approx([hit.strength for hit in here], abs=0.01)


@MANY
@given(played=performances(st.floats(0.0, 0.15)), mask_ms=st.integers(10, 500))
def test_a_limb_never_sounds_twice_within_the_mask(played, mask_ms):
    kit = HALVES.model_copy(update={"strike": HALVES.strike.model_copy(update={"mask_ms": mask_ms})})
    found = hits(played.film()[0], kit)
    for limb in LIMBS:
        struck = [hit.struck_ns for hit in by_limb(found, limb)]
        assert all(later - earlier >= mask_ms * 1_000_000 for earlier, later in pairwise(struck))


@MANY
@given(played=PLAYABLE, share=st.floats(0.3, 0.9))
def test_strength_grows_with_speed(played, share):
    softer = replace(
        played,
        left=replace(played.left, mm=played.left.mm * share),
        right=replace(played.right, mm=played.right.mm * share),
    )
    loud, soft = hits(played.film()[0], HALVES), hits(softer.film()[0], HALVES)
    for limb in LIMBS:
        strengths = [[hit.strength for hit in by_limb(found, limb)] for found in (soft, loud)]
        if strengths[0]:
            soft_mean, loud_mean = (np.mean(each) for each in strengths)
            assert soft_mean < loud_mean <= 1.0 or soft_mean == loud_mean == 1.0


@MANY
@given(
    played=performances(NOISY),
    unknown=st.sampled_from(["nan", "infinite", "score 0", "score nan", "missing"]),
    share=st.floats(0.0, 1.0),
)
def test_unknown_keypoints_and_missing_players_never_raise_and_never_sound(played, unknown, share):
    shown, _ = played.film()
    random = np.random.default_rng(played.seed)
    gone = {pose.seq for pose in shown if random.random() < share}

    def spoil(pose: Pose) -> Pose:
        if pose.seq in gone:
            if unknown in ("nan", "infinite"):
                pose.xy[WRISTS] = np.nan if unknown == "nan" else np.inf
            else:
                pose.score[WRISTS] = np.nan if unknown == "score nan" else 0.0
        return pose

    spoilt = changed(shown, spoil)
    if unknown == "missing":
        spoilt = [pose for pose in spoilt if pose.seq not in gone]
    found = hits(spoilt, HALVES)
    assert [hit for hit in found if hit.seq in gone] == []


@MANY
@given(played=performances(st.floats(0.0, 0.05)))
def test_nobody_to_be_seen_never_sounds(played):
    shown, _ = played.film()
    for wrong in (np.nan, np.inf, -np.inf):
        blind = changed(shown, lambda pose, wrong=wrong: replace(pose, xy=np.full_like(pose.xy, wrong)))
        assert hits(blind, HALVES) == []
    assert hits(changed(shown, lambda pose: replace(pose, score=pose.score * 0)), HALVES) == []


@MANY
@given(played=PLAYABLE, share=st.floats(0.0, 1.0))
def test_a_dropped_frame_moves_a_hit_by_less_than_a_period(played, share):
    shown, _ = played.film()
    gone = round(share * (len(shown) - 1))
    whole = hits(shown, HALVES)
    found = hits([*shown[:gone], *shown[gone + 1 :]], HALVES)
    assert sorted(hit.limb for hit in found) == sorted(hit.limb for hit in whole)
    for limb in LIMBS:
        moved = [
            one.struck_ns - other.struck_ns
            for one, other in zip(by_limb(found, limb), by_limb(whole, limb), strict=True)
        ]
        assert all(abs(gap) < 1e9 / played.fps for gap in moved)


def test_a_frame_dropped_at_a_quick_stroke_s_end_moves_it_by_less_than_a_period():
    part = Part((0.8, -1.0), 20 / 3, 130.0, 0.0)
    shown, _ = Performance(replace(part, place=(-0.8, -1.0)), part, 80.0, 0.0, 0.0, 0).film()
    whole = by_limb(hits(shown, HALVES), "right_wrist")
    moved = [
        abs(one.struck_ns - other.struck_ns)
        for gone in range(len(shown))
        for one, other in zip(
            whole, by_limb(hits([*shown[:gone], *shown[gone + 1 :]], HALVES), "right_wrist"), strict=True
        )
    ]
    assert max(moved) < 1e9 / 80.0


@MANY
@given(played=PLAYABLE)
def test_every_stroke_sounds_exactly_once(played):
    shown, truth = played.film()
    found = hits(shown, HALVES)
    for limb, part in zip(LIMBS, (played.left, played.right), strict=True):
        struck = [hit.struck_ns * 1e-9 for hit in by_limb(found, limb)]
        if part.speed > 1.3 * MIN_SPEED:
            assert struck == pytest.approx(truth[limb], abs=0.5 / part.hz)
        elif part.speed < 0.8 * MIN_SPEED:
            assert struck == []


def lost(hz: float, mm: float, fps: float, seconds: float) -> int:
    """How many strokes of a right hand that plays on and on do not sound."""
    t = stamps(BEGIN_S + seconds + 0.5, fps, 0.37)
    right, truth = strokes(t, (0.8, -1.0), hz=hz, height=mm * MM, begin=BEGIN_S, count=round(seconds * hz))
    return len(truth) - len(hits(poses(t, still(t, (-0.8, -1.0)), right), HALVES))


@pytest.mark.parametrize(
    ("hz", "mm", "fps", "seconds"),
    [
        (5.0, 80.0, 100.0, 20.0),
        (8.0, 80.0, 100.0, 20.0),
        (10.0, 120.0, 100.0, 20.0),
        (10.0, 100.0, 200.0, 20.0),
        (3.5, 400.0, 100.0, 20.0),
        (6.0, 300.0, 100.0, 20.0),
        (3.0, 150.0, 24.0, 20.0),
        (10.0, 80.0, 100.0, 20.0),
        (8.0, 60.0, 100.0, 20.0),
        (7.0, 400.0, 100.0, 2.0),  # 23 body units/s
        (5.0, 80.0, 24.0, 2.0),  # 5 frames a stroke
    ],
)
def test_a_hand_that_plays_on_and_on_keeps_sounding(hz, mm, fps, seconds):
    assert lost(hz, mm, fps, seconds) == 0


def test_mirroring_swaps_hands_that_strike_one_spot_in_unison():
    part = Part((0.05, -1.0), 3.0, 200.0, 0.0)
    shown, _ = Performance(replace(part, place=(-0.05, -1.0)), part, 100.0, 0.0, 0.0, 0).film()
    swapped = [replace(hit, limb=mirrored(hit.limb)) for hit in hits(shown, HALVES)]
    assert told(hits(changed(shown, mirror), HALVES, left_handed=True)) == told(swapped) != []
