"""From poses to events: one body frame per player, one stroke finder per limb, one kit. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from lalelu.config.schema import KitConfig
from lalelu.errors import UsageError
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.motion import GATE, Motion
from lalelu.gesture.strike import Stroke, StrokeFinder
from lalelu.gesture.verdict import Verdict
from lalelu.gesture.witness import Witness
from lalelu.gesture.zones import Zones
from lalelu.registry import did_you_mean
from lalelu.skeleton import mirrored
from lalelu.types import Event, Hit, Pose

# Body units. Two wrists nearer than this are one wrist to the network: its noise is 0.03, a hand's width 0.2.
TOGETHER: Final = 0.15
APART: Final = 0.3  # and only so far from each other they are two again
MOST_PLAYERS: Final = 8  # remembered at a time; the one unseen for longest is forgotten

_Point = tuple[float, float]
_RowDelay = Callable[[float, float], float]  # (x, y) in image heights -> ns after the frame's time


class Detector:
    """Finds the hits of every player on one kit. Pure: all times are the poses' own stamps.

    `skeleton` names the poses' keypoints. `explain` is told of every candidate stroke, hit or not, as soon as its
    fate is sure: not quite in the order of their times. It changes no hit, and costs nothing when it is None.
    `row_delay_ns` (a rolling shutter) tells how long after `captured_ns` a point of the upright picture was exposed,
    from its place in image heights: a stroke's time is that of the row on which it ended.
    Raises UsageError when the kit needs a limb that the skeleton does not have.
    """

    def __init__(
        self,
        kit: KitConfig,
        *,
        skeleton: tuple[str, ...],
        left_handed: bool = False,
        explain: Callable[[Verdict], None] | None = None,
        row_delay_ns: _RowDelay | None = None,
    ) -> None:
        self._kit = kit
        self._row_delay_ns = row_delay_ns
        self._explain = explain
        self._zones = Zones(kit.pads, left_handed=left_handed)
        for name in (*self._zones.limbs, "left_shoulder", "right_shoulder"):
            if name not in skeleton:
                raise UsageError(
                    f"kit {kit.name!r} needs the keypoint {name!r}, which the poses do not have; "
                    f"they have {', '.join(skeleton)}{did_you_mean(name, skeleton)}"
                )
        self._index = {name: index for index, name in enumerate(skeleton)}
        self._players: dict[int, _Player] = {}
        self._events: list[Event] = []

    def step(self, pose: Pose) -> Sequence[Event]:
        """Take in one player's pose and return what has become sure with it.

        Call once per player and frame, in order. The list is reused: it is valid until the next call.
        A pose that is not later than the player's last one is ignored.
        """
        self._events.clear()
        player = self._players.get(pose.player)
        if player is None:
            player = self._welcome(pose.player)
        if player.last_ns is not None and pose.captured_ns <= player.last_ns:
            return self._events
        player.last_ns = pose.captured_ns
        for limb, stroke in player.strokes(pose):
            pad = self._zones.pad_at(limb, stroke.x, stroke.y)
            if pad is not None:
                self._events.append(self._hit(pose, limb, pad, stroke))
        return self._events

    def finish(self) -> None:
        """Tell `explain` the last verdicts; no pose may follow. Without `explain` there is nothing to do."""
        for player in self._players.values():
            player.finish()

    def _welcome(self, number: int) -> "_Player":
        if len(self._players) >= MOST_PLAYERS:
            del self._players[min(self._players, key=lambda known: self._players[known].last_ns or 0)]
        player = _Player(self._kit, self._zones.limbs, self._index, self._row_delay_ns)
        if self._explain is not None:
            player.watch(number, self._zones, self._explain)
        self._players[number] = player
        return player

    def _hit(self, pose: Pose, limb: str, pad: str, stroke: Stroke) -> Hit:
        strength = stroke.speed / self._kit.strike.full_speed * self._kit.pads[pad].sensitivity
        return Hit(
            seq=pose.seq,
            captured_ns=pose.captured_ns,
            struck_ns=stroke.struck_ns,
            player=pose.player,
            limb=limb,
            pad=pad,
            strength=min(1.0, strength),
        )


class _Limb:
    __slots__ = ("borrowed", "finder", "index", "last_hit_ns", "motion", "name", "other", "witness")

    def __init__(self, name: str, index: int, kit: KitConfig) -> None:
        self.name = name
        self.index = index
        self.motion = Motion()
        self.finder = StrokeFinder(kit.strike)
        self.other: _Limb | None = None  # the same limb of the body's other side
        self.last_hit_ns: int | None = None
        self.borrowed = False  # it has jumped onto the other one and moves with it
        self.witness: Witness | None = None  # only where verdicts are asked for

    def beside_other(self, distance: float) -> bool:
        """Whether both limbs are known and nearer than `distance` (body units)."""
        other = self.other
        return (
            other is not None
            and other.motion.frames > 0
            and math.hypot(self.motion.x - other.motion.x, self.motion.y - other.motion.y) < distance
        )


class _Player:
    """One player's body and limbs."""

    def __init__(
        self, kit: KitConfig, limbs: Sequence[str], index: dict[str, int], row_delay_ns: _RowDelay | None
    ) -> None:
        self._row_delay_ns = row_delay_ns
        self.last_ns: int | None = None
        self._strike = kit.strike
        self._min_score = kit.strike.min_score
        self._mask_ns = kit.strike.mask_ms * 1_000_000
        self._body = BodyFrame()
        self._limbs = {name: _Limb(name, index[name], kit) for name in limbs}
        for name, limb in self._limbs.items():
            if mirrored(name) != name:
                limb.other = self._limbs.get(mirrored(name))
        self._left_shoulder, self._right_shoulder = index["left_shoulder"], index["right_shoulder"]
        self._hips = (
            (index["left_hip"], index["right_hip"]) if {"left_hip", "right_hip"} <= set(index) else None
        )

    def watch(self, number: int, zones: Zones, tell: Callable[[Verdict], None]) -> None:
        """Have the verdict on every candidate stroke told."""
        for name, limb in self._limbs.items():
            limb.witness = Witness(number, name, self._strike, zones, tell)

    def finish(self) -> None:
        """Have the last verdicts told."""
        for limb in self._limbs.values():
            if limb.witness is not None:
                limb.witness.finish()

    def strokes(self, pose: Pose) -> list[tuple[str, Stroke]]:
        """Take in one pose and return the strokes that have become sure with it, by limb."""
        xy: list[list[float]] = pose.xy.tolist()
        score: list[float] = pose.score.tolist()
        self._observe_body(pose.captured_ns, xy, score)
        if not self._body.known:
            return []
        now_ns = pose.captured_ns
        points = {name: self._point(limb.index, xy, score) for name, limb in self._limbs.items()}
        for limb in self._limbs.values():
            if not limb.motion.predict(now_ns):
                limb.finder.restart()
        self._undo_swaps(points)
        found = []
        for name, limb in self._limbs.items():
            point = points[name]
            if point is not None and self._follow(limb, now_ns, *point):
                limb.borrowed = limb.borrowed and limb.beside_other(APART)
                stroke = limb.finder.step(now_ns, *point, limb.motion)
                if stroke is not None and self._row_delay_ns is not None:
                    stroke = self._on_its_row(stroke, self._row_delay_ns)
                echo = stroke is not None and self._is_echo(limb, stroke)
                if stroke is not None and not echo:
                    limb.last_hit_ns = stroke.struck_ns
                    found.append((name, stroke))
                if limb.witness is not None:
                    limb.witness.see(
                        pose, point, score[limb.index], limb.motion, limb.finder, stroke, echo=echo
                    )
            elif limb.witness is not None:
                x, y = xy[limb.index]
                place = self._body.locate(x, y) if score[limb.index] > 0.0 and math.isfinite(x + y) else None
                limb.witness.miss(pose, place, score[limb.index], limb.motion, held=point is not None)
        return found

    def _observe_body(self, captured_ns: int, xy: list[list[float]], score: list[float]) -> None:
        left, right = (
            self._known(self._left_shoulder, xy, score),
            self._known(self._right_shoulder, xy, score),
        )
        hips = None
        if self._hips is not None:
            left_hip, right_hip = (self._known(index, xy, score) for index in self._hips)
            if left_hip is not None and right_hip is not None:
                hips = (left_hip[0] + right_hip[0]) * 0.5, (left_hip[1] + right_hip[1]) * 0.5
        self._body.observe(captured_ns, left, right, hips)

    def _known(self, index: int, xy: list[list[float]], score: list[float]) -> _Point | None:
        x, y = xy[index]
        if score[index] >= self._min_score and score[index] > 0.0 and math.isfinite(x) and math.isfinite(y):
            return x, y
        return None

    def _point(self, index: int, xy: list[list[float]], score: list[float]) -> _Point | None:
        known = self._known(index, xy, score)
        return None if known is None else self._body.locate(*known)

    def _on_its_row(self, stroke: Stroke, row_delay_ns: _RowDelay) -> Stroke:
        """Return the stroke at the time at which the row that shows its end was exposed."""
        body = self._body
        x, y = body.place_x + body.side * body.size * stroke.x, body.place_y - body.size * stroke.y
        return replace(stroke, struck_ns=stroke.struck_ns + round(row_delay_ns(x, y)))

    def _undo_swaps(self, points: dict[str, _Point | None]) -> None:
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
    def _follow(limb: _Limb, now_ns: int, x: float, y: float) -> bool:
        """Feed the limb's motion; False when this keypoint is not to be used for strokes."""
        motion = limb.motion
        if motion.frames == 0:
            motion.start(now_ns, x, y)
        elif not motion.plausible(x, y):
            if not motion.skip(now_ns):
                motion.start(now_ns, x, y)
                limb.finder.restart()
                limb.borrowed = limb.beside_other(TOGETHER)
            return False
        else:
            motion.correct(now_ns, x, y)
        return True

    def _is_echo(self, limb: _Limb, stroke: Stroke) -> bool:
        """Whether the network has put both wrists on one, so that the stroke is the other limb's."""
        other = limb.other
        if limb.borrowed or other is None or other.last_hit_ns is None:
            return limb.borrowed
        return abs(stroke.struck_ns - other.last_hit_ns) < self._mask_ns and limb.beside_other(TOGETHER)
