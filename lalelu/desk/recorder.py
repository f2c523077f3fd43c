"""Record a take while an instrument plays, whenever somebody asks. Writes files, opens a socket.

It has a drain of its own (see `drain`), so that a recording goes on after the desk was killed.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from lalelu.asks import AskDoor
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader
from lalelu.clock import now_ns
from lalelu.desk.drain import Drain, Progress, Sink
from lalelu.desk.takes import TakeLines
from lalelu.errors import LaleluError, UsageError
from lalelu.session import Plan, Session
from lalelu.take import pack, recorded_at
from lalelu.takes.folder import takes_folder

_STATE: Final = "recorded.json"
_SINK: Final = "take"
_MOST_BPM: Final = 1000


class Recorder:
    """One take at a time into the folder of takes. A context manager; `step` often, it never waits for a disk.

    The board tells of it as `recording`: the take's name and since when, or None.
    """

    def __init__(self, session: Session, plan: Plan, board: Bulletin, say: Callable[[str], None]) -> None:
        self._session = session
        self._folder = takes_folder(plan.config, os.environ)
        self._board = board
        self._say = say
        self._engine = BoardReader(session / "engine")
        self._drain = Drain(session / _STATE, say)
        self._door = AskDoor(session, self._answer)
        self._asked = 0  # takes that players have asked for by a pose
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Go on with what a desk before this one has recorded."""
        self._asked = self._takes_asked()
        if "take" in self._drain.facts:
            self._drain.add(_SINK, self._sink())
        self._show()
        try:
            self._closing.enter_context(self._door)
        except OSError as exc:
            self._say(f"nobody can ask for a take ({exc.strerror})")
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()
        if self._recording is not None:
            with suppress(LaleluError):
                self.stop()

    def step(self) -> None:
        """Write what has come, and do what was asked for."""
        if _SINK in self._drain.sinks:
            with suppress(OSError):  # the session's memory is full; the rows wait in their rings
                self._drain.step(now_ns())
        self._door.step()
        asked = self._takes_asked()
        if asked != self._asked:
            self._asked = asked
            try:
                self._say(self.stop() if self._recording else self.start())
            except LaleluError as exc:
                self._say(str(exc))

    def start(self, more: Mapping[str, Any] | None = None) -> str:
        """Begin a take whose first line says `more`, too; return its name in a sentence. Raises UsageError."""
        if self._recording is not None:
            raise UsageError(f"the take {self._recording.name} is being recorded; stop it first")
        header = self._engine.value().get("take")
        if header is None:
            raise UsageError("the instrument has no camera yet; start the take once it plays")
        take = self._folder / f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}.take.gz"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            recorded_at(take).touch(exist_ok=False)
        except OSError as exc:
            raise UsageError(
                f"the take {take} cannot be written ({exc.strerror}); check the folder, or set takes.dir"
            ) from exc
        # poses first: those of the next frame may be there before its row
        cursors = {ring: RingReader(self._session / ring).head for ring in ("poses", "frames")}
        facts = {
            "take": str(take),
            "header": {**header, **(more or {})},
            "since_ns": now_ns(),
            "first": cursors["frames"],
        }
        self._drain.facts |= facts
        sink = self._sink()
        sink.done = sink.planned = Progress(0, cursors)
        self._drain.sinks[_SINK] = sink
        self._show()
        return f"recording the take {take.name.removesuffix('.take.gz')}"

    def stop(self) -> str:
        """End the take; return its name in a sentence. Raises UsageError."""
        take = self._recording
        if take is None:
            raise UsageError("no take is being recorded; start one first")
        with suppress(OSError):
            while self._drain.step(now_ns()):
                pass
        lost = sum(self._drain.lost().values())
        sink = self._drain.sinks[_SINK]
        frames = sink.done.cursors.get("frames", 0) - self._drain.facts["first"] - lost
        self._drain.close()
        self._drain.sinks.clear()
        self._drain.facts.clear()
        with suppress(OSError):
            (self._session / _STATE).unlink(missing_ok=True)
        self._drain = Drain(self._session / _STATE, self._say)
        self._show()
        plain, missing = recorded_at(take), f"; {lost} frames are missing" if lost else ""
        try:
            if frames <= 0:
                plain.unlink()
                return f"the take {plain.stem} had no frame and was not kept"
            pack(plain, take)
        except OSError as exc:
            return f"the take {plain.stem} stays unpacked ({exc.strerror}){missing}"
        return f"recorded the take {plain.stem}{missing}"

    @property
    def _recording(self) -> Path | None:
        take = self._drain.facts.get("take")
        return None if take is None else Path(take)

    def _sink(self) -> Sink:
        facts = self._drain.facts
        lines = TakeLines(
            RingReader(self._session / "frames"), RingReader(self._session / "poses"), facts["header"]
        )
        return Sink(recorded_at(Path(facts["take"])), lines, 0)

    def _answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        name = recorded_at(self._recording).stem if self._recording else None
        if question.get("do") == "record":
            self._say(said := self.start(_practice(question.get("practice"))))
            assert self._recording is not None
            return {"said": said, "take": recorded_at(self._recording).stem}
        if question.get("do") == "stop":
            self._say(said := self.stop())
            return {"said": said, "take": name}
        raise UsageError(f"{str(question.get('do'))[:40]!r} is nothing to ask for; there are record and stop")

    def _takes_asked(self) -> int:
        return int(self._engine.value().get("takes", 0))

    def _show(self) -> None:
        facts, take = self._drain.facts, self._recording
        told = None if take is None else {"take": recorded_at(take).stem, "since_ns": facts["since_ns"]}
        self._board.tell(recording=told)


def _practice(asked: object) -> dict[str, Any]:
    """Return what a take's first line says of the pattern that is played along with. Raises UsageError."""
    if asked is None:
        return {}
    if isinstance(asked, dict) and isinstance(asked.get("pattern"), str):
        bpm = asked.get("bpm")
        if isinstance(bpm, int | float) and 0 < bpm < _MOST_BPM:
            return {"practice": {"pattern": asked["pattern"], "bpm": bpm}}
    raise UsageError("practice is {pattern, bpm}: a name, and quarters a minute")
