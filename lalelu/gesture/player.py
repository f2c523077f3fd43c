"""One player of one kit: a body, its limbs, their strokes and the kit's other gestures. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.config.kit import KitConfig
from lalelu.gesture.act import Act, End, Miss, PlayedGesture, Point, Sight, Sound, StandIn, Taps, Tell, Value
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.hihat import HiHatPlayer
from lalelu.gesture.keypoints import Keypoints, mirrored_own
from lalelu.gesture.kick import KickPlayer
from lalelu.gesture.learned import LearnedFinder
from lalelu.gesture.limb import APART, TOGETHER, Found, Limb
from lalelu.gesture.motion import GATE
from lalelu.gesture.pads import Played, PlayerPads, Refused
from lalelu.gesture.strike import Stroke, StrokeFinder
from lalelu.gesture.verdict import Rule, Verdict
from lalelu.gesture.view import LimbView, PlayerView
from lalelu.gesture.witness import Witness
from lalelu.gesture.zones import Zones
from lalelu.skeleton import mirrored
from lalelu.types import Command, Control, Event, Hit, Pose, Release

RowDelay: TypeAlias = Callable[[float, float], float]  # (x, y) in image heights -> ns after the frame's time


@dataclass(frozen=True, slots=True)
class Setting:
    """What all players of one kit have in common."""

    kit: KitConfig  # as this player may play it
    number: int  # of the kit
    zones: Zones
    skeleton: Sequence[str]
    gestures: Callable[[], Mapping[str, PlayedGesture]]  # makes a player's own
    left_handed: bool
    finder: Callable[[], StrokeFinder]  # makes a limb's own
    chokes: bool
    row_delay_ns: RowDelay | None


class Player:
    """One player's body and limbs. `told` holds what the last `step` tells lalelu itself.

    `muted`: nothing sounds and nothing is learned, but poses that are held still count.
    """

    def __init__(self, number: int, setting: Setting) -> None:
        kit, skeleton = setting.kit, setting.skeleton
        self._number = number
        self._setting = setting
        self._row_delay_ns = setting.row_delay_ns
        self.last_ns: int | None = None
        self.muted = False
        self.told: list[Tell] = []
        self._strike = kit.strike
        self._min_score = kit.strike.min_score
        self._mask_ns = kit.strike.mask_ms * 1_000_000
        self._body = BodyFrame()
        self._pads = PlayerPads(kit, setting.zones, self._body)
        self._limbs = {name: Limb(name, setting.finder()) for name in setting.zones.limbs}
        own = mirrored_own(kit.keypoints) if setting.left_handed else kit.keypoints
        self._striking = Keypoints(skeleton, own, self._limbs)
        self._gestures = setting.gestures()
        # A left-handed player is shown to the gestures as a right-handed one, so none of them has to know.
        shown = [mirrored(name) for name in skeleton] if setting.left_handed else skeleton
        self._handed = -1.0 if setting.left_handed else 1.0
        self._moving = Keypoints(
            shown, kit.keypoints, {limb for gesture in self._gestures.values() for limb in gesture.limbs}
        )
        self._taps = Taps(active=False)
        self._seen: tuple[Sight, list[float]]  # what the gestures were shown last, and all keypoints' scores
        self._explain: Callable[[Verdict], None] | None = None
        hips = ("mid_hip",) if {"left_hip", "right_hip"} <= set(skeleton) else ()
        self._torso = Keypoints(skeleton, {}, ("left_shoulder", "right_shoulder", *hips))
        # last: what refers to each other is left to the garbage collector where something above is refused
        for name, limb in self._limbs.items():
            if mirrored(name) != name:
                limb.other = self._limbs.get(mirrored(name))

    def follow(self, before: "Player") -> None:
        """Go on where the same player of the kit before has stopped: with their body and their moving limbs."""
        self.last_ns = before.last_ns
        self._body = before._body
        self._pads.follow(before._pads)
        for name, limb in self._limbs.items():
            if name in before._limbs:
                limb.follow(before._limbs[name])

    def part(self) -> None:
        """Untie what refers to each other, so that the player's memory is free without a garbage collector."""
        for limb in self._limbs.values():
            limb.other = None
        self._limbs.clear()

    def watch(self, tell: Callable[[Verdict], None]) -> None:
        """Have the verdict on every candidate stroke and stomp, and on every sound of a gesture, told."""
        self._explain = tell
        for name, limb in self._limbs.items():
            limb.witness = Witness(self._number, name, self._strike, self._pads, tell)
        for gesture in self._gestures.values():
            if isinstance(gesture, KickPlayer):
                gesture.watch()

    def view(self) -> PlayerView | None:
        """Return what is made of the player at the moment; None before the body is known."""
        body, now_ns = self._body, self.last_ns
        if not body.known or now_ns is None:
            return None
        limbs = {
            name: LimbView(
                name,
                limb.motion.x,
                limb.motion.y,
                limb.motion.vy,
                limb.motion.settled
                and (limb.last_hit_ns is None or now_ns - limb.last_hit_ns >= self._mask_ns),
            )
            for name, limb in self._limbs.items()
            if limb.motion.frames > 0
        }
        for gesture in self._gestures.values():
            if isinstance(gesture, KickPlayer | HiHatPlayer):
                name = self._shown(gesture.limbs[0])
                foot = gesture.view(name, now_ns)
                if foot is not None:
                    limbs.setdefault(name, foot)
        return PlayerView((body.place_x, body.place_y), body.size, body.side, tuple(limbs.values()))

    def have_watched(self, tell: Callable[[str, int, NDArray[np.float32]], None]) -> None:
        """Have every candidate of the learned detector told: limb, lowest point in ns, and features."""
        for name, limb in self._limbs.items():
            if isinstance(limb.finder, LearnedFinder):
                limb.finder.watch = partial(tell, name)

    def finish(self) -> None:
        """Have the last verdicts told."""
        for limb in self._limbs.values():
            if limb.witness is not None:
                limb.witness.finish()

    def step(self, pose: Pose) -> list[Event]:
        """Take in one pose and return what has become sure with it: gestures first, then strokes by limb."""
        self.told.clear()
        xy: list[list[float]] = pose.xy.tolist()
        score: list[float] = pose.score.tolist()
        self._observe_body(pose.captured_ns, xy, score)
        if not self._body.known:
            return []
        events: list[Event] = []
        if self._gestures:
            self._gesticulate(pose, xy, score, events)
        for limb, stroke, played in self._strokes(pose, xy, score):
            if self._taps.active and self._shown(limb) not in self._taps.but:
                events.append(Command(pose.seq, pose.captured_ns, self._number, "tap", stroke.struck_ns))
            else:
                hit = self._hit(pose.seq, pose.captured_ns, stroke.struck_ns, limb, played)
                self._limbs[limb].foretold = hit if stroke.predicted else None
                events.append(hit)
        if self._setting.chokes:
            self._choke(pose, events)
        return events

    def _choke(self, pose: Pose, events: list[Event]) -> None:
        """End what predicted strokes that have not happened sound."""
        for limb in self._limbs.values():
            hit = limb.foretold
            if limb.finder.overdue and hit is not None:
                limb.foretold = None
                events.append(
                    Release(pose.seq, pose.captured_ns, hit.struck_ns, hit.player, hit.pad, hit.kit)
                )
            elif not limb.finder.foretold:
                limb.foretold = None  # it has happened, or the limb was lost

    def rest(self, seq: int, at_ns: int) -> list[Event]:
        """End what gestures sound: the player has gone, or has stopped playing this kit."""
        events: list[Event] = []
        for name, gesture in self._gestures.items():
            for act in gesture.rest(at_ns):
                self._act(name, act, seq, at_ns, events)
        return events

    def _gesticulate(
        self, pose: Pose, xy: list[list[float]], score: list[float], events: list[Event]
    ) -> None:
        body, handed = self._body, self._handed
        points: dict[str, Point | None] = {}
        for name, point in self._moving.points(xy, score, self._min_score).items():
            if point is None:
                points[name] = None
            else:
                x, y = body.locate(*point)
                points[name] = (handed * x, y)
        sight = Sight(pose.captured_ns, points, body, handed)
        self._seen = sight, score
        for name, gesture in self._gestures.items():
            if self.muted and not gesture.commands:
                continue
            for act in gesture.step(sight):
                self._act(name, act, pose.seq, pose.captured_ns, events)

    def _act(self, name: str, act: Act, seq: int, captured_ns: int, events: list[Event]) -> None:
        """Turn what the gesture `name` does into an event, or a change of this player."""
        number, kit = self._number, self._setting.number
        if isinstance(act, Sound):
            limb = self._shown(act.limb)
            played = self._pads.sound(act, limb)
            if self._explain is not None:
                speed = "" if act.speed is None else f" at {act.speed:.1f} shoulder widths/s"
                rule, why = None, f"the gesture {name}{speed}"
                if isinstance(played, Refused):
                    rule, why = played.rule, played.why
                self._explain(self._verdict(act, act.struck_ns, rule, why, seq, captured_ns))
            if isinstance(played, Played):
                events.append(self._hit(seq, captured_ns, act.struck_ns, limb, played))
        elif isinstance(act, Miss):
            if self._explain is not None:
                why = f"the gesture {name}: {act.why}"
                self._explain(self._verdict(act, act.lowest_ns, act.rule, why, seq, captured_ns))
        elif isinstance(act, End):
            events.append(Release(seq, captured_ns, act.at_ns, number, act.pad, kit))
        elif isinstance(act, StandIn):
            self._pads.stand_in(act.pad, act.other)
        elif isinstance(act, Value):
            events.append(Control(seq, captured_ns, number, name, act.value, kit))
        elif isinstance(act, Taps):
            self._taps = act
        else:
            self.told.append(act)

    def _verdict(
        self, act: Sound | Miss, lowest_ns: int, rule: Rule | None, why: str, seq: int, captured_ns: int
    ) -> Verdict:
        """Return why what a gesture does, or does not do, is heard or not."""
        sight, score = self._seen
        x, y = sight.points[act.limb] or (0.0, 0.0)
        return Verdict(
            seq=seq,
            captured_ns=captured_ns,
            lowest_ns=lowest_ns,
            player=self._number,
            limb=self._shown(act.limb),
            rule=rule,
            why=why,
            pad=act.pad,
            x=self._handed * x,
            y=y,
            score=self._moving.score_of(act.limb, score),
            measured=None,
        )

    def _shown(self, limb: str) -> str:
        """Return a limb's name as a right-handed player's, or back again."""
        return mirrored(limb) if self._setting.left_handed else limb

    def _hit(self, seq: int, captured_ns: int, struck_ns: int, limb: str, played: Played) -> Hit:
        return Hit(
            seq=seq,
            captured_ns=captured_ns,
            struck_ns=struck_ns,
            player=self._number,
            limb=limb,
            pad=played.pad,
            strength=played.strength,
            kit=self._setting.number,
        )

    def _strokes(
        self, pose: Pose, xy: list[list[float]], score: list[float]
    ) -> list[tuple[str, Stroke, Played]]:
        """Return the strokes that have become sure with this pose and sound, by limb."""
        now_ns = pose.captured_ns
        body = self._body
        points = {
            name: None if point is None else body.locate(*point)
            for name, point in self._striking.points(xy, score, self._min_score).items()
        }
        for limb in self._limbs.values():
            if not limb.motion.predict(now_ns):
                limb.finder.restart()
        self._undo_swaps(points)
        found: list[Found] = []
        for name, limb in self._limbs.items():
            point = points[name]
            if point is not None and self._follow(limb, now_ns, *point):
                stroke = self._stroke(limb, now_ns, point)
                echo = stroke is not None and limb.echoes(stroke, self._mask_ns)
                if stroke is not None and not echo:
                    limb.last_hit_ns = stroke.struck_ns
                if stroke is not None or limb.witness is not None:
                    found.append(Found(limb, point, stroke, echo))
            elif limb.witness is not None:
                seen = self._striking.points(xy, score, 0.0)[name]
                limb.witness.miss(
                    pose,
                    None if seen is None else body.locate(*seen),
                    self._striking.score_of(name, score),
                    limb.motion,
                    held=point is not None,
                )
        return self._judge(pose, score, found) if found and not self.muted else []

    def _stroke(self, limb: Limb, now_ns: int, point: Point) -> Stroke | None:
        """Return the limb's stroke that has become sure with this keypoint, which its motion has taken in."""
        limb.borrowed = limb.borrowed and limb.beside_other(APART)
        if limb.finder.peak == 0.0:  # a new movement
            limb.speeds.forget()
        limb.speeds.see(now_ns, limb.motion.vx, limb.motion.vy)
        stroke = limb.finder.step(now_ns, *point, limb.motion)
        if (
            stroke is not None
            and stroke.predicted
            and self._pads.pad_at(limb.name, stroke.x, stroke.y) is None
        ):
            limb.finder.take_back()  # perhaps its real end is within reach of a pad
            return None
        if stroke is not None and self._row_delay_ns is not None:
            return self._on_its_row(stroke, self._row_delay_ns)
        return stroke

    def _judge(self, pose: Pose, score: list[float], found: list[Found]) -> list[tuple[str, Stroke, Played]]:
        """Return what sounds, in the order of `found`, and have it witnessed."""
        # the fastest first: of two limbs in one frame the weaker may be the other one's crosstalk
        for one in sorted(found, key=lambda one: -one.stroke.speed if one.stroke is not None else 0.0):
            if one.stroke is not None and not one.echo:
                one.fate = self._pads.judge(one.limb.name, one.stroke, one.limb.speeds)
        played = []
        for one in found:
            limb, fate = one.limb, one.fate
            if limb.witness is not None:
                refused = fate if isinstance(fate, Refused) else None
                limb.witness.see(
                    pose, one.point, self._striking.score_of(limb.name, score), limb.motion, limb.finder, one.stroke,
                    echo=one.echo, refused=refused,
                )  # fmt: skip
            if one.stroke is not None and isinstance(fate, Played):
                played.append((limb.name, one.stroke, fate))
        return played

    def _observe_body(self, captured_ns: int, xy: list[list[float]], score: list[float]) -> None:
        seen = self._torso.points(xy, score, self._min_score)
        self._body.observe(captured_ns, seen["left_shoulder"], seen["right_shoulder"], seen.get("mid_hip"))

    def _on_its_row(self, stroke: Stroke, row_delay_ns: RowDelay) -> Stroke:
        """Return the stroke at the time at which the row that shows its end was exposed."""
        delay_ns = row_delay_ns(*self._body.in_image(stroke.x, stroke.y))
        return replace(stroke, struck_ns=stroke.struck_ns + round(delay_ns))

    def _undo_swaps(self, points: dict[str, Point | None]) -> None:
        """Give both wrists their own keypoints back where the network exchanged them in crossing.

        Only when neither is plausible as it stands and both are the other way round.
        """
        for name, limb in self._limbs.items():
            other = limb.other
            if other is None or not name.startswith("left_"):
                continue
            mine, others = points[name], points[other.name]
            if mine is None or others is None or not (limb.motion.settled and other.motion.settled):
                continue
            if (
                limb.motion.misfit(*mine) > GATE
                and other.motion.misfit(*others) > GATE
                and limb.motion.misfit(*others) < GATE
                and other.motion.misfit(*mine) < GATE
            ):
                points[name], points[other.name] = others, mine

    @staticmethod
    def _follow(limb: Limb, now_ns: int, x: float, y: float) -> bool:
        """Feed the limb's motion; False when this keypoint is not to be used for strokes."""
        taken = limb.motion.take(now_ns, x, y)
        if not taken and limb.motion.frames == 1:  # taken up anew elsewhere
            limb.finder.restart()
            limb.borrowed = limb.beside_other(TOGETHER)
        return taken
