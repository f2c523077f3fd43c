"""From poses to events: one body frame per player, one stroke finder per limb, one kit. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lalelu.config.schema import KitConfig
from lalelu.errors import UsageError
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.motion import GATE, Motion
from lalelu.gesture.pads import Played, PlayerPads, Refused
from lalelu.gesture.strike import Stroke, StrokeFinder
from lalelu.gesture.velocity import Speeds
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
    """Finds the hits of every player on their pads of one kit. Pure: all times are the poses' own stamps.

    `skeleton` names the poses' keypoints. `explain` is told of every candidate stroke, hit or not, as soon as its
    fate is sure: not quite in the order of their times. It changes no hit, and costs nothing when it is None.
    `row_delay_ns` (a rolling shutter) tells how long after `captured_ns` a point of the upright picture was exposed,
    from its place in image heights: a stroke's time is that of the row on which it ended.
    `lead_ms`: so long before its end a stroke is decided, predicted from its fall where that is clear enough; what
    cannot be predicted is decided when the limb surely rises again, as everything is with 0.
    `aspect`: the upright picture's width in image heights, for pads that lie in the picture of a left-handed player.
    Raises UsageError when the kit needs a limb that the skeleton does not have, or the aspect where there is none.
    """

    def __init__(
        self,
        kit: KitConfig,
        *,
        skeleton: tuple[str, ...],
        left_handed: bool = False,
        explain: Callable[[Verdict], None] | None = None,
        row_delay_ns: _RowDelay | None = None,
        lead_ms: float = 0.0,
        aspect: float | None = None,
    ) -> None:
        self._lead_s = lead_ms * 1e-3
        self._row_delay_ns = row_delay_ns
        self._explain = explain
        zones = Zones(kit.pads, left_handed=left_handed, aspect=aspect)
        for name in (*zones.limbs, "left_shoulder", "right_shoulder"):
            if name not in skeleton:
                raise UsageError(
                    f"kit {kit.name!r} needs the keypoint {name!r}, which the poses do not have; "
                    f"they have {', '.join(skeleton)}{did_you_mean(name, skeleton)}"
                )
        named = {number for pad in kit.pads.values() for number in pad.players or ()}
        self._shares = {  # by the player's number; None = everybody else
            number: (
                share := _share_of(kit, number),
                Zones(share.pads, left_handed=left_handed, aspect=aspect),
            )
            for number in (None, *named)
        }
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
        for limb, stroke, played in player.strokes(pose):
            self._events.append(_hit(pose, limb, stroke, played))
        return self._events

    def finish(self) -> None:
        """Tell `explain` the last verdicts; no pose may follow. Without `explain` there is nothing to do."""
        for player in self._players.values():
            player.finish()

    def _welcome(self, number: int) -> "_Player":
        if len(self._players) >= MOST_PLAYERS:
            del self._players[min(self._players, key=lambda known: self._players[known].last_ns or 0)]
        kit, zones = self._shares.get(number, self._shares[None])
        player = _Player(kit, zones, self._index, self._row_delay_ns, self._lead_s)
        if self._explain is not None:
            player.watch(number, self._explain)
        self._players[number] = player
        return player


def _share_of(kit: KitConfig, number: int | None) -> KitConfig:
    """Return the kit with only the pads that a player may play; None = one whom no pad names."""
    pads = {name: pad for name, pad in kit.pads.items() if pad.players is None or number in pad.players}
    return kit.model_copy(update={"pads": pads})


def _hit(pose: Pose, limb: str, stroke: Stroke, played: Played) -> Hit:
    return Hit(
        seq=pose.seq,
        captured_ns=pose.captured_ns,
        struck_ns=stroke.struck_ns,
        player=pose.player,
        limb=limb,
        pad=played.pad,
        strength=played.strength,
    )


class _Limb:
    __slots__ = ("borrowed", "finder", "index", "last_hit_ns", "motion", "name", "other", "speeds", "witness")

    def __init__(self, name: str, index: int, kit: KitConfig, lead_s: float) -> None:
        self.name = name
        self.index = index
        self.motion = Motion()
        self.finder = StrokeFinder(kit.strike, lead_s=lead_s)
        self.speeds = Speeds()
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


@dataclass(slots=True)
class _Found:
    """What a limb's finder made of a frame."""

    limb: _Limb
    point: _Point
    stroke: Stroke | None
    echo: bool
    fate: Played | Refused | None = None


class _Player:
    """One player's body and limbs."""

    def __init__(
        self,
        kit: KitConfig,
        zones: Zones,
        index: dict[str, int],
        row_delay_ns: _RowDelay | None,
        lead_s: float,
    ) -> None:
        self._row_delay_ns = row_delay_ns
        self.last_ns: int | None = None
        self._strike = kit.strike
        self._min_score = kit.strike.min_score
        self._mask_ns = kit.strike.mask_ms * 1_000_000
        self._body = BodyFrame()
        self._pads = PlayerPads(kit, zones, self._body)
        self._limbs = {name: _Limb(name, index[name], kit, lead_s) for name in zones.limbs}
        for name, limb in self._limbs.items():
            if mirrored(name) != name:
                limb.other = self._limbs.get(mirrored(name))
        self._left_shoulder, self._right_shoulder = index["left_shoulder"], index["right_shoulder"]
        self._hips = (
            (index["left_hip"], index["right_hip"]) if {"left_hip", "right_hip"} <= set(index) else None
        )

    def watch(self, number: int, tell: Callable[[Verdict], None]) -> None:
        """Have the verdict on every candidate stroke told."""
        for name, limb in self._limbs.items():
            limb.witness = Witness(number, name, self._strike, self._pads, tell)

    def finish(self) -> None:
        """Have the last verdicts told."""
        for limb in self._limbs.values():
            if limb.witness is not None:
                limb.witness.finish()

    def strokes(self, pose: Pose) -> list[tuple[str, Stroke, Played]]:
        """Take in one pose and return the strokes that have become sure with it and sound, by limb."""
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
        found: list[_Found] = []
        for name, limb in self._limbs.items():
            point = points[name]
            if point is not None and self._follow(limb, now_ns, *point):
                limb.borrowed = limb.borrowed and limb.beside_other(APART)
                if limb.finder.peak == 0.0:  # a new movement
                    limb.speeds.forget()
                limb.speeds.see(now_ns, limb.motion.vx, limb.motion.vy)
                stroke = limb.finder.step(now_ns, *point, limb.motion)
                if (
                    stroke is not None
                    and stroke.predicted
                    and self._pads.pad_at(name, stroke.x, stroke.y) is None
                ):
                    limb.finder.take_back()  # perhaps its real end is within reach of a pad
                    stroke = None
                if stroke is not None and self._row_delay_ns is not None:
                    stroke = self._on_its_row(stroke, self._row_delay_ns)
                echo = stroke is not None and self._is_echo(limb, stroke)
                if stroke is not None and not echo:
                    limb.last_hit_ns = stroke.struck_ns
                if stroke is not None or limb.witness is not None:
                    found.append(_Found(limb, point, stroke, echo))
            elif limb.witness is not None:
                x, y = xy[limb.index]
                place = self._body.locate(x, y) if score[limb.index] > 0.0 and math.isfinite(x + y) else None
                limb.witness.miss(pose, place, score[limb.index], limb.motion, held=point is not None)
        return self._judge(pose, score, found) if found else []

    def _judge(
        self, pose: Pose, score: list[float], found: list["_Found"]
    ) -> list[tuple[str, Stroke, Played]]:
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
                    pose, one.point, score[limb.index], limb.motion, limb.finder, one.stroke,
                    echo=one.echo, refused=refused,
                )  # fmt: skip
            if one.stroke is not None and isinstance(fate, Played):
                played.append((limb.name, one.stroke, fate))
        return played

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
