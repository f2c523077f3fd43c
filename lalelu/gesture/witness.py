"""Watch one limb beside its stroke finder and tell what became of every candidate stroke. Pure.

A candidate is a downward movement of at least SMALL and SMALL_NOISES that came to its end: the wrist rose again or
stayed down. It is followed apart from the finder, which forgets a movement as soon as it can be no stroke any
more; the finder's own strokes are told as they are, whatever their size. Nothing here runs unless somebody asked
for verdicts.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lalelu.config.kit import StrikeSection
from lalelu.gesture.ending import FIT_S
from lalelu.gesture.motion import GAP_S, Motion
from lalelu.gesture.pads import PlayerPads, Refused
from lalelu.gesture.strike import (
    FRESH_S,
    RISE,
    Stroke,
    StrokeFinder,
    Unturned,
    least_fall,
    least_mean_speed,
    least_rise,
)
from lalelu.gesture.verdict import Measured, Rule, Verdict, sentence, shortfall
from lalelu.types import Pose

# Body units (19 mm): half of the least fall that a kit asks for by default, a quarter of the smallest stroke of the
# mocap takes (80 mm). Smaller ones are no attempt to play.
SMALL: Final = 0.05
# Standard deviations of the keypoint: a resting hand's own noise is told less than 1.5 times a second (rendered with
# 0.003..0.03 body units; 4 would tell it twice as often), a fall of 5..6 that a player meant is told as noise.
SMALL_NOISES: Final = 5.0
# A rejected movement can yet become a stroke while its fall is fresh; a fall's mean speed lags by half its time.
SURE_S: Final = FRESH_S + 0.1

_NO_SPREAD: Final = math.inf  # of a movement too short for a mean speed: noise has no say in it


class Witness:
    """Tells `tell` one verdict per candidate stroke of one limb, up to SURE_S after its lowest point.

    Call `see` for every frame that the finder took in, and `miss` for every other one of this player.
    """

    def __init__(
        self,
        player: int,
        limb: str,
        options: StrikeSection,
        pads: PlayerPads,
        tell: Callable[[Verdict], None],
    ) -> None:
        self._player = player
        self._limb = limb
        self._options = options
        self._pads = pads
        self._tell = tell
        self._unsure: Verdict | None = None  # a rejection that the finder may yet overrule
        self._struck_ns: int | None = None  # the last stroke that began a mask time
        self._glimpsed = Motion()  # the limb while its keypoint scores too low to play
        # The movement so far; `_begin` gives the values.
        self._traced_ns: int
        self._top: float
        self._lowest: float
        self._lowest_ns: int
        self._lowest_x: float
        self._lowest_score: float
        self._peak: float
        self._mean: float
        self._spread: float
        self._rose: bool
        self._unseen_score: float | None  # of the last frame whose keypoint was not good enough
        self._attempt: Measured | None  # the movement as the finder refused it when the limb rose
        self._whole: Measured | None  # the whole movement at that frame
        self._unturned: Unturned | None  # why the finder did not take the rise for a stroke's
        self._begin(0, 0.0, 0.0, 0.0)

    def see(
        self,
        pose: Pose,
        place: tuple[float, float],
        score: float,
        motion: Motion,
        finder: StrokeFinder,
        stroke: Stroke | None,
        *,
        echo: bool,
        refused: Refused | None = None,
    ) -> None:
        """Take in a frame after the finder.

        `place` in body units, the stroke that the finder returned, and its pad's refusal.
        """
        now_ns = pose.captured_ns
        glimpsed = self._glimpsed.frames > 0 and (now_ns - self._traced_ns) * 1e-9 <= GAP_S
        self._glimpsed.forget()
        if stroke is not None or finder.masked is not None:
            self._tell_stroke(pose, score, motion, finder, stroke, echo=echo, refused=refused)
            self._begin(now_ns, place[0], motion.y, score)
            return
        self._flush(now_ns)
        if finder.foretold:  # told already
            self._begin(now_ns, place[0], motion.y, score)
            return
        if not motion.settled:
            if motion.frames == 1 and not glimpsed:
                self._break_off(pose, "lost", motion)
                self._begin(now_ns, place[0], motion.y, score)
            elif self._unseen_score is None:
                self._begin(now_ns, place[0], motion.y, score)
            return  # a movement that was glimpsed goes on
        mean_speed, spread = finder.falling(now_ns, place[1])
        self._trace(now_ns, place[0], motion, score, mean_speed)
        self._spread = spread
        if self._attempt is None and motion.vy > 0.0 and finder.rises(motion):
            self._attempt = self._measure(
                motion, finder.peak, finder.top - finder.lowest, finder.mean_speed, spread
            )
            self._whole = self._measure(motion, self._peak, self._top - self._lowest, self._mean, spread)
        self._unturned = finder.unturned or self._unturned
        self._end_if_over(pose, motion)

    def miss(
        self, pose: Pose, place: tuple[float, float] | None, score: float, motion: Motion, *, held: bool
    ) -> None:
        """Take in a frame whose keypoint cannot be used for strokes.

        `place` in body units, None = unknown; `held` = it scored well, but is implausible.
        """
        now_ns = pose.captured_ns
        self._flush(now_ns)
        if held:
            if motion.frames == 1:  # taken up anew elsewhere
                self._break_off(pose, "unsteady", motion)
                self._begin(now_ns, motion.x, motion.y, score)
            return
        self._unseen_score = score
        if place is None:
            if motion.frames == 0 and not self._glimpsed.predict(now_ns):
                self._break_off(pose, "lost", motion)
                self._begin(now_ns, self._lowest_x, self._lowest, score)
            return
        glimpsed = self._glimpsed
        if glimpsed.predict(now_ns):
            glimpsed.correct(now_ns, *place)
        else:
            glimpsed.start(now_ns, *place)
            if (now_ns - self._traced_ns) * 1e-9 > GAP_S:
                self._begin(now_ns, *place, score)
        if glimpsed.settled:
            self._trace(now_ns, place[0], glimpsed, score, max(0.0, -glimpsed.vy))
            self._unseen_score = score
            self._end_if_over(pose, glimpsed)

    def finish(self) -> None:
        """Tell what the finder can no longer overrule, because no frame will follow."""
        if self._unsure is not None:
            self._tell(self._unsure)
            self._unsure = None

    def _begin(self, now_ns: int, x: float, y: float, score: float) -> None:
        """Wait for the next movement from here."""
        self._traced_ns = self._lowest_ns = now_ns
        self._top = self._lowest = y
        self._lowest_x, self._lowest_score = x, score
        self._peak = self._mean = 0.0
        self._spread = _NO_SPREAD
        self._rose = False
        self._unseen_score = None
        self._attempt = self._whole = self._unturned = None

    def _trace(self, now_ns: int, x: float, motion: Motion, score: float, mean_speed: float) -> None:
        """Follow the movement by one frame."""
        self._traced_ns = now_ns
        y = motion.y
        if y >= self._top:
            self._begin(now_ns, x, y, score)
            return
        self._peak = max(self._peak, -motion.vy)
        self._mean = max(self._mean, mean_speed)
        if y < self._lowest:
            self._lowest, self._lowest_ns, self._lowest_x, self._lowest_score = y, now_ns, x, score
            self._rose = False
            self._attempt = self._whole = self._unturned = None
        elif y - self._lowest >= RISE and motion.vy >= least_rise(motion, self._peak):
            self._rose = True

    def _end_if_over(self, pose: Pose, motion: Motion) -> None:
        """Judge a movement that has risen again by SMALL, or has stayed down."""
        now_ns = pose.captured_ns
        if motion.y - self._lowest < SMALL and (now_ns - self._lowest_ns) * 1e-9 <= FRESH_S:
            return
        if self._is_candidate(motion):
            self._judge(pose, motion)
        self._begin(now_ns, motion.x, motion.y, self._lowest_score)

    def _is_candidate(self, motion: Motion) -> bool:
        """Whether the movement so far is worth a verdict."""
        return self._top - self._lowest >= max(SMALL, SMALL_NOISES * motion.noise)

    def _judge(self, pose: Pose, motion: Motion) -> None:
        fall = self._top - self._lowest
        measured = self._whole or self._measure(motion, self._peak, fall, self._mean, self._spread)
        rule = shortfall(measured, self._options)
        unseen = self._lowest_score < self._options.min_score
        if rule is not None and unseen:
            return  # a point that the network hardly sees wanders; only what looks like a stroke is of interest
        if rule is None:
            rose = self._rose or self._attempt is not None
            if rose and self._unseen_score is not None:
                rule = "lost"  # large and fast enough, but the finder saw a part of it at most
            elif self._unturned is not None:
                rule = self._unturned
            elif self._attempt is not None:
                rule, measured = "braked", self._attempt
            else:
                rule = "landing"
        self._reject(pose, rule, measured)

    def _break_off(self, pose: Pose, rule: Rule, motion: Motion) -> None:
        """Tell of a fast fall that the limb's own loss or jump has ended."""
        fall = self._top - self._lowest
        if self._is_candidate(motion) and self._peak >= self._options.min_speed:
            self._reject(pose, rule, self._measure(motion, self._peak, fall, self._mean, self._spread))

    def _reject(self, pose: Pose, rule: Rule, measured: Measured) -> None:
        if self._unsure is not None:
            self._tell(self._unsure)
        place = self._lowest_x, self._lowest
        score = self._lowest_score
        if rule == "lost" and self._unseen_score is not None:
            score = self._unseen_score
        self._unsure = self._verdict(pose, self._lowest_ns, rule, place, score, measured)

    def _tell_stroke(
        self,
        pose: Pose,
        score: float,
        motion: Motion,
        finder: StrokeFinder,
        stroke: Stroke | None,
        *,
        echo: bool,
        refused: Refused | None,
    ) -> None:
        rule: Rule | None = "echo_of_other_limb" if echo else None
        if stroke is None:
            stroke, rule = finder.masked, "masked"
            finder.masked = None
        assert stroke is not None  # one of both, or nobody calls
        if self._unsure is not None and self._unsure.lowest_ns < stroke.struck_ns - round(FIT_S * 1e9):
            self._tell(self._unsure)
        self._unsure = None  # a rejection of the same lowest point is overruled
        if rule is None and self._pads.pad_at(self._limb, stroke.x, stroke.y) is None:
            rule = "no_pad"
        measured = self._measure(motion, stroke.speed, stroke.fall, stroke.mean_speed, self._spread)
        verdict = self._verdict(pose, stroke.struck_ns, rule, (stroke.x, stroke.y), score, measured)
        if refused is not None:
            verdict = replace(verdict, rule=refused.rule, why=refused.why)
        self._tell(verdict)
        if rule != "masked":
            self._struck_ns = stroke.struck_ns

    def _flush(self, now_ns: int) -> None:
        """Tell a rejection that has become final."""
        if self._unsure is not None and (now_ns - self._unsure.lowest_ns) * 1e-9 > SURE_S:
            self._tell(self._unsure)
            self._unsure = None

    def _measure(
        self, motion: Motion, peak: float, fall: float, mean_speed: float, spread: float
    ) -> Measured:
        return Measured(
            peak_speed=peak,
            least_peak_speed=self._options.min_speed,
            mean_speed=mean_speed,
            least_mean_speed=least_mean_speed(self._options, motion, spread),
            fall=fall,
            least_fall=least_fall(self._options, motion, peak),
            noise=motion.noise,
        )

    def _verdict(
        self,
        pose: Pose,
        lowest_ns: int,
        rule: Rule | None,
        place: tuple[float, float],
        score: float,
        measured: Measured,
    ) -> Verdict:
        gap_ms = (lowest_ns - self._struck_ns) * 1e-6 if self._struck_ns is not None else 0.0
        return Verdict(
            seq=pose.seq,
            captured_ns=pose.captured_ns,
            lowest_ns=lowest_ns,
            player=self._player,
            limb=self._limb,
            rule=rule,
            why=sentence(rule, measured, self._options, score=score, gap_ms=gap_ms),
            pad=self._pads.pad_at(self._limb, *place),
            x=place[0],
            y=place[1],
            score=score,
            measured=measured,
        )
