"""Follow a running instrument for those who look: what its rings and boards say, as live messages. Maps files.

A detector of its own runs over the engine's poses, with the same kits: traces, verdicts and what was rejected cost the
engine nothing.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.channel import BoardReader, RingReader
from lalelu.errors import LaleluError
from lalelu.gesture.verdict import Verdict
from lalelu.glimpse import RING as PICTURE
from lalelu.glimpse import Glimpse, GlimpseReader
from lalelu.jpeg import encode_jpeg, orientation_of, upright
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, VIA
from lalelu.numbering import Numbers
from lalelu.page.outline import drawn_pads, stomps
from lalelu.session import POSE_HEAD, ROLES, Plan, Session
from lalelu.skeleton import COCO17_BONES
from lalelu.take import TakeHeader
from lalelu.takes.replaying import band_of
from lalelu.types import Pose

_MOST_FRAMES: Final = 64  # of one message; what is older than the last half second is not caught up with
PICTURED_NS: Final = 500_000_000  # after a picture, players are told with the next one; then without
_LINES: Final = 4  # said last, of each process
_BOARDS: Final = ("lead", *ROLES)


class Tracker:
    """One instrument, from the moment at which somebody begins to look. `tick` about 15 times a second."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._boards = {name: BoardReader(session / name) for name in _BOARDS}
        self._frames, self._notes, self._poses = (
            RingReader(session / name) for name in ("frames", "notes", "poses")
        )
        self._next_frame, self._next_note = self._frames.head, self._notes.head
        self._next_pose = self._poses.head
        self._waiting: list[Pose] = []  # their frame has no row yet
        self._picture = GlimpseReader(session / PICTURE)
        self._verdicts: list[Verdict] = []
        self._epoch: int | None = None
        self._shadow: _Shadow | None = None
        self._changed = False  # not told to everybody yet
        self._origin_ns = 0  # of the messages' times
        self._pictured_ns = -PICTURED_NS  # when there was a picture last

    def greeting(self) -> dict[str, Any]:
        """Return what a browser that comes must know first."""
        self._changed |= self._follow_plan()
        return {"state": self._state(), **self._scene()}

    def tick(self, at_ns: int) -> tuple[dict[str, Any], bytes]:
        """Return what has happened since the last call, and the newest picture as a JPEG (empty: none is new)."""
        self._picture.ask(at_ns)
        changed, self._changed = self._follow_plan() or self._changed, False
        head: dict[str, Any] = {"state": self._state()}
        if changed:
            head |= self._scene()
        glimpse = self._picture.newest()  # first: its frame's row is there already
        jpeg = b"" if glimpse is None else self._jpeg(glimpse)
        if jpeg:
            self._pictured_ns = at_ns
        rows = self._new_rows()
        self._origin_ns = self._origin_ns or (int(rows[0]["captured_ns"]) if len(rows) else 0)
        if len(rows):
            head["frames"] = [
                (self._seconds(row["captured_ns"]), round(int(row["sent_ns"] - row["arrived_ns"]) * 1e-6, 3))
                for row in rows
            ]
            if self._shadow is not None:
                shown_ns = glimpse.captured_ns if glimpse is not None and jpeg else None
                head |= self._watch(rows, self._shadow, shown_ns)
                if not jpeg and at_ns - self._pictured_ns < PICTURED_NS:
                    del head["players"]  # those of the picture that is shown stay
        if self._origin_ns:
            head["notes"] = list(self._new_notes())
        return head, jpeg

    def _follow_plan(self) -> bool:
        """Have the detector follow the engine, made anew where the configuration has changed; whether it has."""
        engine = self._boards["engine"].value()
        if "take" not in engine or "epoch" not in engine:
            return False
        epoch = int(engine["epoch"])
        changed = epoch != self._epoch
        if changed:
            try:
                self._shadow = _Shadow(self._session.plan_at(epoch), engine["take"], self._verdicts)
            except LaleluError:  # a plan that has just been dropped: there is a newer one
                return False
            self._epoch = epoch
        if self._shadow is not None:
            self._shadow.follow(engine)
        return changed

    def _scene(self) -> dict[str, Any]:
        return {} if self._shadow is None else {"scene": self._shadow.scene()}

    def _state(self) -> dict[str, Any]:
        values = {name: board.value() for name, board in self._boards.items()}
        lead, engine = values["lead"], values["engine"]
        return {
            "state": engine.get("state", lead.get("state", "starting")),
            "standby": bool(engine.get("standby")),
            "kit": engine.get("kit"),
            "conditions": [
                {"name": each["name"], "text": each["text"]} for each in lead.get("conditions", [])
            ],
            "lines": [line for value in values.values() for line in value.get("lines", [])[-_LINES:]],
        }

    def _new_rows(self) -> NDArray[np.void]:
        batch = self._frames.read(max(self._next_frame, self._frames.head - _MOST_FRAMES))
        self._next_frame = batch.next
        return np.frombuffer(b"".join(batch.records), FRAME_DTYPE)

    def _new_poses(self) -> list[Pose]:
        batch = self._poses.read(self._next_pose)
        self._next_pose = batch.next
        return [_pose(record) for record in batch.records]

    def _new_notes(self) -> Iterator[dict[str, Any]]:
        batch = self._notes.read(self._next_note)
        self._next_note = batch.next
        for note in np.frombuffer(b"".join(batch.records), NOTE_DTYPE):
            pad = None if self._shadow is None else self._shadow.pads.get(int(note["pad"]))
            yield {"player": int(note["player"]), "pad": pad, "velocity": int(note["velocity"])}

    def _watch(self, rows: NDArray[np.void], shadow: "_Shadow", shown_ns: int | None) -> dict[str, Any]:
        """Have the detector see the frames of these rows; the players are those of the frame that is shown."""
        waiting = [*self._waiting, *self._new_poses()]
        by_frame: dict[int, list[Pose]] = {}
        for pose in waiting:
            by_frame.setdefault(pose.captured_ns, []).append(pose)
        last_ns = int(rows[-1]["captured_ns"])
        self._waiting = [pose for pose in waiting if pose.captured_ns > last_ns]
        traces: dict[str, list[Any]] = {}
        players: list[dict[str, Any]] = []
        if shown_ns not in rows["captured_ns"]:
            shown_ns = last_ns
        self._verdicts.clear()
        for row in rows:
            captured_ns = int(row["captured_ns"])
            poses = by_frame.get(captured_ns, ())
            shadow.band.frame(int(row["seq"]), captured_ns, poses)
            if captured_ns == shown_ns:
                players = [shadow.player(pose) for pose in poses]
            for pose in poses:
                view = shadow.band.view(pose.player)
                for limb in () if view is None else view.limbs:
                    traces.setdefault(f"{pose.player}:{limb.limb}", []).append(
                        (self._seconds(captured_ns), round(limb.y, 3), round(limb.vy, 2), int(limb.armed))
                    )
        return {
            "players": players,
            "traces": traces,
            "verdicts": [self._told(verdict) for verdict in self._verdicts],
        }

    def _told(self, verdict: Verdict) -> dict[str, Any]:
        measured = verdict.measured
        return {
            "t": self._seconds(verdict.lowest_ns),
            "player": verdict.player,
            "limb": verdict.limb,
            "rule": verdict.rule,
            "why": verdict.why,
            "pad": verdict.pad,
            "x": round(verdict.x, 3),
            "y": round(verdict.y, 3),
            "speed": None if measured is None else round(measured.peak_speed, 2),
        }

    def _seconds(self, at_ns: int) -> float:
        return round((int(at_ns) - self._origin_ns) * 1e-9, 4)

    def _jpeg(self, glimpse: Glimpse) -> bytes:
        if self._shadow is None:
            return b""
        return encode_jpeg(upright(glimpse.image, self._shadow.orientation))


class _Shadow:
    """The detector of one epoch, and what it lies in."""

    def __init__(self, plan: Plan, take: dict[str, Any], verdicts: list[Verdict]) -> None:
        config = plan.config
        self._plan = plan
        header = TakeHeader(**take)
        self._skeleton = header.keypoints
        self._aspect = header.width / header.height
        self.orientation = orientation_of(config.camera)
        self.pads = {number: name for (_, name), number in Numbers(plan.kits).pads.items()}
        self.band = band_of(config, plan.kits, header, explain=verdicts.append, follows=True)

    def follow(self, engine: dict[str, Any]) -> None:
        """Have everybody play the kits that the engine's board tells, and stand by where it does."""
        if "kits" in engine:
            first, of = engine["kits"]
            self.band.follow(first, {int(player): kit for player, kit in of.items()}, 0, 0)
        self.band.toggle(0, 0, standby=bool(engine.get("standby")))

    def scene(self) -> dict[str, Any]:
        """Return what changes only with the configuration."""
        left_handed = self._plan.config.left_handed
        there = set(self._skeleton)
        return {
            "aspect": round(self._aspect, 4),
            "bones": [
                [self._skeleton.index(name) for name in bone]
                for bone in COCO17_BONES
                if there.issuperset(bone)
            ],
            "kits": {
                kit.name: {
                    "min_score": kit.strike.min_score,
                    "pads": drawn_pads(kit, left_handed=left_handed, aspect=self._aspect),
                    "stomps": stomps(kit, left_handed=left_handed),
                }
                for kit in self._plan.kits
            },
        }

    def player(self, pose: Pose) -> dict[str, Any]:
        """Return a player as they are drawn: keypoints in image heights, and the body frame."""
        view = self.band.view(pose.player)
        frame = None
        if view is not None:
            frame = {
                "x": round(view.place[0], 4),
                "y": round(view.place[1], 4),
                "size": round(view.size, 4),
                "side": view.side,
            }
        return {
            "player": pose.player,
            "kit": self.band.kit_name(pose.player),
            "xy": np.round(pose.xy.astype(float), 4).tolist(),
            "score": np.round(pose.score.astype(float), 2).tolist(),
            "frame": frame,
        }


def _pose(record: bytes) -> Pose:
    seq, captured_ns, player, via, count = POSE_HEAD.unpack_from(record)
    numbers = np.nan_to_num(np.frombuffer(record, "<f4", 3 * count, POSE_HEAD.size), posinf=0.0, neginf=0.0)
    return Pose(
        seq, captured_ns, player, numbers[: 2 * count].reshape(count, 2), numbers[2 * count :], VIA[via]
    )
