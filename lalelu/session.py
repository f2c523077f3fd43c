"""The folder in memory where one running instrument's processes meet. Makes and removes files.

It lies in $RUNTIME_DIRECTORY (a service's), else $XDG_RUNTIME_DIR/lalelu, else /dev/shm/lalelu-UID: never on a disk,
where write-back would stall a mapped page. It is named after the process that leads it, and locked while that lives.
"""

import fcntl
import json
import os
import shutil
import stat
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from lalelu.channel import create_board, create_ring
from lalelu.config.source import Source
from lalelu.errors import MissingError, UsageError
from lalelu.ledger.layout import EVENT, FRAME, NOTE

if TYPE_CHECKING:  # the desk, which asks for an outline only, starts faster without
    from lalelu.config.kit import KitConfig
    from lalelu.config.schema import Config

ROLES: Final = ("engine", "voice", "desk")
NET: Final = "net"  # the board of the network's own process, beside a carried flow
NET_RESULTS: Final = "net.results"  # its ring, by which one sees that it works

# What goes through the rings beside the ledger's rows; all numbers little-endian.
# seq, captured_ns, struck_ns, strength, kind, player, limb, pad (limb and pad as in NOTE_DTYPE), epoch modulo 256
HIT: Final = struct.Struct("<qqqdBBBxHBx")
POSE_HEAD: Final = struct.Struct(
    "<qqBBH4x"
)  # seq, captured_ns, player, via, K; then K * (x, y), K scores, float32
ORDER: Final = struct.Struct("<qB3xI")  # at_ns, kind, number (see `orders`)
PIECE: Final = struct.Struct("<IHBx")  # epoch, bytes, kind, then JSON (see `offer`)
PIECE_BYTES: Final = 4096  # of one record of the ring `offer`
# Kinds of HIT. PLAY: sound it. SILENCE: end every note now. FINISH: sound what is due, then end. RELEASE: end what
# the pad sounds, from struck_ns on (see types.Release). CONTROL: set the target of control number `pad` (counted from
# 1 over the gestures of all kits) to `strength`, 0..1. TAP: the player has tapped the tempo at struck_ns. EPOCH: the
# record's epoch of the configuration holds from here on, and so do the numbers of its pads and controls.
PLAY, SILENCE, FINISH, RELEASE, CONTROL, TAP, EPOCH = range(7)

_FRAME_ROWS: Final = 32_768  # five minutes at 100 frames a second
_NOTE_ROWS: Final = 16_384
_EVENT_ROWS: Final = 512
_HITS: Final = 1024
_ORDERS: Final = 64  # a player gives one now and then
PIECES: Final = 512  # 2 MB; the shipped kits together have 80
# by name: who leads stays small
_MODULES: Final = {
    "engine": "lalelu.instrument",
    "voice": "lalelu.voice.process",
    "desk": "lalelu.desk.process",
}
_PLAN: Final = "plan.json"  # of the start; `plan.N.json` is that of epoch N
_LOCK: Final = "lock"
_ATTENDED: Final = "attended"


@dataclass(frozen=True, slots=True)
class Recording:
    """Where a performance is kept; None = not at all."""

    ledger: Path | None = None
    take: Path | None = None
    rotates: bool = False  # a ledger in a folder of ledgers: a new one now and then, the oldest go


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes of one instrument have agreed on before they start."""

    config: "Config"
    kits: tuple["KitConfig", ...]  # by number from 0; the first one is played first
    recording: Recording
    core: int | None  # the engine's, which the others leave
    seconds: float | None = None  # of play; None = until stopped
    once: bool = False  # a lost device ends the run
    source: Source | None = None  # of config and kits, to read them again when they are saved; None = never

    @property
    def kit(self) -> "KitConfig":
        """The kit that is played first."""
        return self.kits[0]


@dataclass(frozen=True, slots=True)
class Outline:
    """What of a plan its recording needs: read in a moment, without the schemas."""

    recording: Recording
    core: int | None  # the engine's
    rotate_hours: int
    keep_mb: int


class Session:
    """The folder of one instrument: its plan, its rings and its boards.

    Rings: `frames`, `poses`, `hits` and `events.engine` are written by the engine, `notes` and `events.voice` by the
    voice, `orders` by the desk, `events.lead` by the leading process. Boards: one for each of ROLES, and the leader's
    `lead`, and NET where the network has its own process. The desk's ring `offer` has new kits, piece by piece. The
    engine shows its newest picture in `picture` while somebody looks (see `glimpse`). The page keeps what can be undone
    in `changes.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def leader(self) -> int:
        """The leading process's id."""
        return int(self.folder.name)

    @property
    def plan(self) -> Plan:
        """What was agreed on at the start. Raises UsageError where that cannot be read."""
        return self.plan_at(0)

    @property
    def outline(self) -> Outline:
        """What a recording needs of what was agreed on at the start. Raises UsageError where that cannot be read."""
        with self._agreed(0) as data:
            ledger = data["config"]["ledger"]
            return Outline(_recording(data), data["core"], ledger["rotate_hours"], ledger["keep_mb"])

    def plan_at(self, epoch: int) -> Plan:
        """Return what holds in this epoch of the configuration. Raises UsageError where that cannot be read."""
        from lalelu.config.kit import KitConfig
        from lalelu.config.schema import Config

        with self._agreed(epoch) as data:
            return Plan(
                config=Config.model_validate(data["config"]),
                kits=tuple(KitConfig.model_validate(kit) for kit in data["kits"]),
                recording=_recording(data),
                core=data["core"],
                seconds=data["seconds"],
                once=data["once"],
                source=_source(data["source"]),
            )

    @contextmanager
    def _agreed(self, epoch: int) -> Iterator[dict[str, Any]]:
        """Read a plan's file; whatever is wrong with it becomes a UsageError."""
        path = self / _plan_file(epoch)
        try:
            yield json.loads(path.read_bytes())
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as exc:
            raise UsageError(f"the plan {path} cannot be read ({exc}); start lalelu again") from exc

    def keep_plan(self, plan: Plan, epoch: int) -> None:
        """Keep what is to hold in an epoch. Raises OSError."""
        unfinished = self / f".{_plan_file(epoch)}"
        unfinished.write_text(json.dumps(_plain(plan)), encoding="utf-8")
        unfinished.replace(self / _plan_file(epoch))

    def epochs(self) -> list[int]:
        """Return the epochs whose plans are kept, that of the start not among them."""
        return [int(path.name.split(".")[1]) for path in self.folder.glob("plan.*.json")]

    def drop_plans(self, before: int) -> None:
        """Forget what held in earlier epochs, but not at the start."""
        for epoch in self.epochs():
            if epoch < before:
                self.drop_plan(epoch)

    def drop_plan(self, epoch: int) -> None:
        """Forget what was to hold in an epoch."""
        (self / _plan_file(epoch)).unlink(missing_ok=True)

    def command(self, role: str, *descriptors: int) -> list[str]:
        """Return the command line that starts the session's engine, voice or desk."""
        return [sys.executable, "-m", _MODULES[role], str(self.folder), *map(str, descriptors)]

    def alive(self) -> bool:
        """Whether its leading process lives."""
        return _locked(self / _LOCK)

    def is_attended(self) -> bool:
        """Whether a desk that is a service of its own serves it, its leader living or not."""
        return _locked(self / _ATTENDED)

    @contextmanager
    def attended(self) -> Iterator[bool]:
        """Hold the session for such a desk while the block runs; False where another desk holds it, or it is gone."""
        with ExitStack() as opened:
            try:
                file = opened.enter_context((self / _ATTENDED).open("wb"))
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True

    def remove(self) -> None:
        """Remove the folder; a process that still has a ring mapped keeps it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def create_session(
    plan: Plan, environment: Mapping[str, str], *, keypoints: int
) -> tuple[Session, IO[bytes]]:
    """Make this process's session and return it with the lock, to be kept open while it leads.

    `keypoints` is K of the poses. What dead leaders left is removed.
    Raises MissingError where there is no room.
    """
    place = runtime_directory(environment)
    unfinished = Session(place / f".{os.getpid()}")
    with ExitStack() as undo:
        undo.callback(unfinished.remove)
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(place)
            for old in (*sessions(environment), *_unfinished(place)):
                if not (old.alive() or old.is_attended()):
                    old.remove()
            unfinished.remove()
            unfinished.folder.mkdir(mode=0o750)  # `lalelu status` may look where the place lets its group in
            lock = undo.enter_context((unfinished / _LOCK).open("wb"))
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            (unfinished / _PLAN).write_text(json.dumps(_plain(plan)), encoding="utf-8")
            _create_channels(unfinished, keypoints)
            session = Session(place / str(os.getpid()))
            session.remove()
            unfinished.folder.rename(session.folder)  # others see it whole and locked, or not at all
        except OSError as exc:
            raise MissingError(
                f"the folder {place} cannot be used ({exc.strerror}); set XDG_RUNTIME_DIR to one in memory that is "
                "yours"
            ) from exc
        undo.pop_all()
    return session, lock


def _locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _check_owner(place: Path) -> None:
    """Refuse a place that another user has made, or a link to it, or may write to."""
    mine = place.stat().st_uid == os.getuid() and place.lstat().st_uid in (0, os.getuid())
    if not mine:
        raise MissingError(f"the folder {place} is another user's; set XDG_RUNTIME_DIR to one that is yours")
    if place.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise MissingError(f"the folder {place} may be written by others; `chmod go-w` takes that away")


def _create_channels(session: Session, keypoints: int) -> None:
    from lalelu.glimpse import RING, create_glimpse  # numpy comes with it

    create_ring(session / "frames", FRAME.size, _FRAME_ROWS)
    create_ring(session / "notes", NOTE.size, _NOTE_ROWS)
    create_ring(session / "hits", HIT.size, _HITS)
    create_ring(session / "orders", ORDER.size, _ORDERS)
    create_ring(session / "offer", PIECE_BYTES, PIECES)
    for writer in ("engine", "voice", "lead"):
        create_ring(session / f"events.{writer}", EVENT.size, _EVENT_ROWS)
    create_ring(session / "poses", pose_bytes(keypoints), _FRAME_ROWS)
    create_glimpse(session / RING)
    for role in (*ROLES, "lead"):
        create_board(session / role)


def sessions(environment: Mapping[str, str]) -> Sequence[Session]:
    """Return the sessions in the runtime directory, living or not, by their leaders' ids."""
    return sorted(_sessions(runtime_directory(environment)), key=lambda session: session.leader)


def _sessions(place: Path) -> Iterator[Session]:
    if place.is_dir():
        for entry in place.iterdir():
            if entry.name.isdecimal() and (entry / _LOCK).exists():
                yield Session(entry)


def _unfinished(place: Path) -> Iterator[Session]:
    """Yield what leaders that were killed while they made their sessions have left."""
    for entry in place.iterdir():
        pid = entry.name.removeprefix(".")
        if entry.name != pid and pid.isdecimal() and not Path("/proc", pid).exists():
            yield Session(entry)


def runtime_directory(environment: Mapping[str, str]) -> Path:
    """Return the folder in memory for running instruments: the service's, the user's, else one in /dev/shm."""
    if environment.get("RUNTIME_DIRECTORY"):
        return Path(environment["RUNTIME_DIRECTORY"].split(":")[0])
    if environment.get("XDG_RUNTIME_DIR"):
        return Path(environment["XDG_RUNTIME_DIR"]) / "lalelu"
    return Path(f"/dev/shm/lalelu-{os.getuid()}")  # noqa: S108 - made with mode 700


def pose_bytes(keypoints: int) -> int:
    """Return the size of one pose in its ring."""
    return -(-(POSE_HEAD.size + keypoints * 12) // 8) * 8


def _plan_file(epoch: int) -> str:
    return f"plan.{epoch}.json" if epoch else _PLAN


def _recording(data: Mapping[str, Any]) -> Recording:
    told = data["recording"]
    paths = {key: None if told[key] is None else Path(told[key]) for key in ("ledger", "take")}
    return Recording(**paths, rotates=told["rotates"])


def _source(data: Mapping[str, Any] | None) -> Source | None:
    if data is None:
        return None
    return Source(None if data["path"] is None else Path(data["path"]), data["overrides"])


def _plain(plan: Plan) -> dict[str, Any]:
    recording = asdict(plan.recording)
    return {
        "config": plan.config.model_dump(mode="json"),
        "kits": [kit.model_dump(mode="json") for kit in plan.kits],
        "recording": {
            **recording,
            **{key: recording[key] and str(recording[key]) for key in ("ledger", "take")},
        },
        "core": plan.core,
        "seconds": plan.seconds,
        "once": plan.once,
        "source": plan.source
        and {
            "path": plan.source.path and str(plan.source.path),
            "overrides": {section: dict(given) for section, given in plan.source.overrides.items()},
        },
    }
