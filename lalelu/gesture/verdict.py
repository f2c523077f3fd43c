"""Why a movement of a limb sounded or not: the verdict on one candidate stroke. Pure; lengths in body units."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lalelu.config.kit import StrikeSection
from lalelu.gesture.strike import FRESH_S, SPEED_PER_FALL
from lalelu.gesture.zones import REACH

Rule: TypeAlias = Literal[
    "too_slow",  # never as fast as strike.min_speed, or not for long enough
    "too_short_fall",  # lower than strike.min_height
    "noise",  # not clear of the keypoint's measured noise
    "too_sudden",  # shorter than a hand needs for this speed: the keypoint jerked
    "landing",  # did not come up again soon and fast enough: the hand was put down
    "braked",  # fast at first, then slow for so long that its end is no stroke's
    "soft_end",  # did not brake and turn back as hard as a stroke, or not clearly so in the keypoint's noise
    "sideways",  # passed its lowest point sideways: an arc, no stroke
    "masked",  # within strike.mask_ms of the same limb's last stroke
    "echo_of_other_limb",  # both keypoints lay on one limb, and the other one plays
    "pad_threshold",  # slower than its pad's `threshold`
    "pad_mask",  # within its pad's `mask_ms` of the same limb's last hit there
    "retrigger",  # too weak so soon after the same limb's last hit on this pad: its swing back
    "crosstalk",  # too weak so near to the other hand's hit: moved along by it
    "no_pad",  # a stroke, but no pad that this limb may play was within reach
    "lost",  # the keypoint was missing or scored below strike.min_score
    "unsteady",  # the keypoint jumped further than a hand can
]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a movement is judged by, beside the least that sounds (speeds: downward, body units/s)."""

    peak_speed: float
    least_peak_speed: float
    mean_speed: float  # the fastest over a tenth of a second
    least_mean_speed: float
    fall: float  # body units
    least_fall: float
    noise: float  # standard deviation of one coordinate of the keypoint, body units


@dataclass(frozen=True, slots=True)
class Verdict:
    """One downward movement of one limb that came to its end, and why it did or did not sound."""

    seq: int  # the frame at which it was decided
    captured_ns: int  # of that frame
    lowest_ns: int  # a stroke's `struck_ns`; otherwise the frame with the lowest place
    player: int
    limb: str
    rule: Rule | None  # why it was rejected; None = it is a hit
    why: str  # the same in a sentence for the player
    pad: str | None  # that it plays, or would have played
    x: float  # body units, at the lowest point
    y: float
    score: float  # of the keypoint at the lowest point, 0..1; a stroke's: at the deciding frame
    measured: Measured | None  # None = a gesture sounded, or would have


_WORDS: Final[dict[str, str]] = {
    "hit": "a stroke: fell {seen.fall:.2f} shoulder widths at up to {seen.peak_speed:.1f}/s",
    "too_slow": (
        "peak speed {seen.peak_speed:.2f} shoulder widths/s, a stroke needs {options.min_speed:g} (strike.min_speed)"
    ),
    "too_slow_in_the_mean": (
        "fast for too short: mean speed {seen.mean_speed:.2f}/s, a stroke needs {seen.least_mean_speed:.2f} "
        "(a share of strike.min_speed)"
    ),
    "too_short_fall": (
        "fell {seen.fall:.3f} shoulder widths, a stroke needs {options.min_height:g} (strike.min_height)"
    ),
    "noise": (
        "fell {seen.fall:.3f} shoulder widths, needed {seen.least_fall:.3f} to stand clear of the keypoint's "
        "noise of {seen.noise:.3f}; more light or a nearer camera helps"
    ),
    "noise_of_speed": (
        "mean speed {seen.mean_speed:.2f}/s, needed {seen.least_mean_speed:.2f} to stand clear of the "
        "keypoint's noise of {seen.noise:.3f}; more light or a nearer camera helps"
    ),
    "too_sudden": (
        "fell only {seen.fall:.3f} shoulder widths at {seen.peak_speed:.1f}/s, where a hand needs "
        "{seen.least_fall:.3f}: a jerk of the keypoint"
    ),
    "landing": "the hand did not come up again soon and fast enough: put down, not struck",
    "braked": (
        "slow for {fresh_s:g} s on the way; after that fell {seen.fall:.3f} of {seen.least_fall:.3f} shoulder "
        "widths at {seen.peak_speed:.2f} of {options.min_speed:g}/s"
    ),
    "soft_end": (
        "its fall at {seen.mean_speed:.1f}/s ended too softly: a stroke brakes harder, and comes up again at once"
    ),
    "sideways": "it passed its lowest point sideways, in an arc: a stroke stands still there",
    "masked": "{gap_ms:.0f} ms after this limb's last stroke, deaf for {options.mask_ms} (strike.mask_ms)",
    "echo_of_other_limb": "the network had both limbs in one place, and the other one plays there",
    "no_pad": "a stroke, but no pad that this limb may play is within {reach:g} shoulder widths of its end",
    "lost": (
        "the keypoint was not seen well enough: score {score:.2f}, needed {options.min_score:g} (strike.min_score)"
    ),
    "missing": "the keypoint was missing on the way",
    "unsteady": "the keypoint jumped further than a hand can move, and was taken up anew elsewhere",
}


def shortfall(measured: Measured, options: StrikeSection) -> Rule | None:
    """Return the first rule of size and speed that a movement breaks, or None."""
    if measured.peak_speed < options.min_speed:
        return "too_slow"
    if measured.fall < measured.least_fall:
        if measured.fall < options.min_height:
            return "too_short_fall"
        return "too_sudden" if measured.fall < measured.peak_speed / SPEED_PER_FALL else "noise"
    if measured.mean_speed < measured.least_mean_speed:
        # Without noise the least mean speed is a share of min_speed, so it lies below it.
        return "too_slow" if measured.least_mean_speed < options.min_speed else "noise"
    return None


def sentence(
    rule: Rule | None, seen: Measured, options: StrikeSection, *, score: float, gap_ms: float
) -> str:
    """Return the reason in words; `gap_ms` = since the limb's last stroke (used by `masked` only)."""
    wording: str = rule or "hit"
    if rule == "too_slow" and seen.peak_speed >= options.min_speed:
        wording = "too_slow_in_the_mean"
    elif rule == "noise" and seen.fall >= seen.least_fall:
        wording = "noise_of_speed"
    elif rule == "lost" and score >= options.min_score:
        wording = "missing"
    return _WORDS[wording].format(
        seen=seen, options=options, score=score, gap_ms=gap_ms, reach=REACH, fresh_s=FRESH_S
    )
