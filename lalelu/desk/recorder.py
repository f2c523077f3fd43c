"""Record a take while an instrument plays, whenever somebody asks. Writes files, opens a socket.

It has a drain of its own (see `drain`), so that a recording goes on after the desk was killed. A take that has ended is
packed in a thread, so that rows and files go on to be looked after, and the next take may begin.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

from lalelu.asks import AskDoor, Later
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader
from lalelu.clock import now_ns
from lalelu.desk.drain import Drain, Progress, Sink
from lalelu.desk.filming import Filming, films
from lalelu.desk.takes import TakeLines
from lalelu.errors import LaleluError, UsageError
from lalelu.session import Plan, Session
from lalelu.takes.film import FROM
from lalelu.takes.folder import ENDINGS, film_of, name_of, takes_folder
from lalelu.takes.recording import pack, recorded_at

_STATE: Final = "recorded.json"
_SINK: Final = "take"
_MOST_BPM: Final = 1000


class Ending(threading.Thread):
    """Ends a take's film and packs the take. Once it is over, `said` is the whole sentence."""

    def __init__(self, take: Path, film: Filming | None, *, frames: int, lost: int) -> None:
        super().__init__(name=name_of(take), daemon=True)
        self.said = ""
        self._take = take
        self._film = film
        self._frames = frames
        self._lost = lost

    def run(self) -> None:
        """Leave the take as players find it."""
        plain = recorded_at(self._take)
        told = [f"{self._lost} frames are missing"] if self._lost else []
        if self._film is not None:
            told.append(self._film.end())
        try:
            if self._frames > 0:
                pack(plain, self._take)
                said = f"recorded the take {self.name}"
            else:
                plain.unlink()
                film_of(self._take).unlink(missing_ok=True)
                said = f"the take {self.name} had no frame and was not kept"
                told = told[:1] if self._lost else []  # nothing of a film
        except OSError as exc:
            said = f"the take {self.name} stays unpacked ({exc.strerror})"
        self.said = "; ".join([said, *told])


class Recorder:
    """One take at a time into the folder of takes. A context manager; `step` often, it never waits for a disk.

    The board tells of it as `recording`: the take's name, since when, and whether it is filmed, or None; and as
    `packing`: the names of those that are not ready yet.
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
        self._film: Filming | None = None
        self._endings: list[Ending] = []
        self._over = False
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Go on with what a desk before this one has recorded."""
        self._asked = self._takes_asked()
        if "take" in self._drain.facts:
            self._drain.add(_SINK, self._sink())
            self._begin_film()
        self._show()
        try:
            self._closing.enter_context(self._door)
        except OSError as exc:
            self._say(f"nobody can ask for a take ({exc.strerror})")
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._recording is not None:
            with suppress(LaleluError):
                self.stop()
        for ending in self._endings:
            ending.join()
        self._finish()
        self._door.step()  # who waits for a take that was packed
        self._closing.close()

    def step(self) -> None:
        """Write what has come, and do what was asked for."""
        if _SINK in self._drain.sinks:
            with suppress(OSError):  # the session's memory is full; the rows wait in their rings
                self._drain.step(now_ns())
        if self._film is not None and self._film.problem is not None:
            self._say(f"the take's film has ended ({self._film.problem}); the take goes on without it")
            self._film = None
            self._show()
        self._finish()
        self._door.step()
        asked = self._takes_asked()
        if asked != self._asked:
            self._asked = asked
            try:
                if self._recording:
                    self.stop()
                else:
                    self._say(self.start())
            except LaleluError as exc:
                self._say(str(exc))

    def start(self, *, film: bool | None = None, more: Mapping[str, Any] | None = None) -> str:
        """Begin a take, filmed or as `takes.film` says, whose first line says `more`, too; return a sentence.

        Raises UsageError.
        """
        if self._recording is not None:
            raise UsageError(f"the take {self._recording.name} is being recorded; stop it first")
        header = self._engine.value().get("take")
        if header is None:
            raise UsageError("the instrument has no camera yet; start the take once it plays")
        take = self._free()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            recorded_at(take).touch(exist_ok=False)
        except OSError as exc:
            raise UsageError(
                f"the take {take} cannot be written ({exc.strerror}); check the folder, or set takes.dir"
            ) from exc
        # poses first: those of the next frame may be there before its row
        cursors = {ring: RingReader(self._session / ring).head for ring in ("poses", "frames")}
        facts: dict[str, Any] = {
            "take": str(take),
            "header": {**header, **(more or {})},
            "since_ns": now_ns(),
            "first": cursors["frames"],
        }
        if films(self._session) if film is None else film:
            facts["header"][FROM] = facts["since_ns"]
        self._drain.facts |= facts
        sink = self._sink()
        sink.done = sink.planned = Progress(0, cursors)
        self._drain.sinks[_SINK] = sink
        self._begin_film()
        self._show()
        return f"recording the take {name_of(take)}"

    def stop(self) -> Ending:
        """End the take, which is then packed; what became of it is said later. Raises UsageError."""
        take = self._recording
        if take is None:
            raise UsageError("no take is being recorded; start one first")
        sink = self._drain.sinks[_SINK]
        end = RingReader(self._session / "frames").head
        sink.retry_ns = 0  # the disk may be back
        with suppress(OSError):
            while self._drain.step(now_ns()):
                pass
        overwritten = sum(self._drain.lost().values())
        written_to = sink.done.cursors.get("frames", 0)
        frames = written_to - self._drain.facts["first"] - overwritten
        lost = overwritten + max(end - written_to, 0)
        self._drain.close()
        self._drain.sinks.clear()
        self._drain.facts.clear()
        with suppress(OSError):
            (self._session / _STATE).unlink(missing_ok=True)
        self._drain = Drain(self._session / _STATE, self._say)
        ending = Ending(take, self._film, frames=frames, lost=lost)
        self._film = None
        self._endings.append(ending)
        ending.start()
        self._show()
        return ending

    @property
    def _recording(self) -> Path | None:
        take = self._drain.facts.get("take")
        return None if take is None else Path(take)

    def _free(self) -> Path:
        """Return where the next take goes; two may begin within a second."""
        stem = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
        names = (stem if number == 1 else f"{stem}_{number}" for number in count(1))
        free = (
            name for name in names if not any((self._folder / f"{name}{end}").exists() for end in ENDINGS)
        )
        return self._folder / f"{next(free)}.take.gz"

    def _sink(self) -> Sink:
        facts = self._drain.facts
        lines = TakeLines(
            RingReader(self._session / "frames"), RingReader(self._session / "poses"), facts["header"]
        )
        return Sink(recorded_at(Path(facts["take"])), lines, 0)

    def _begin_film(self) -> None:
        """Film the take, where that was asked for."""
        facts = self._drain.facts
        if FROM in facts["header"]:
            self._film = Filming(self._session, film_of(Path(facts["take"])), facts["header"][FROM])
            self._film.start()

    def _finish(self) -> None:
        """Tell of the takes that have become ready."""
        ready = [ending for ending in self._endings if not ending.is_alive()]
        for ending in ready:
            self._endings.remove(ending)
            self._say(ending.said)
        if ready:
            self._show()

    def _answer(self, question: Mapping[str, Any]) -> dict[str, Any] | Later:
        """Answer {"do": "record", "film", "practice"}, or {"do": "stop"}.

        "film" is true, false, or null for what the configuration says; "practice" what is played along with.
        """
        do, film = question.get("do"), question.get("film")
        if self._over:
            raise UsageError("the instrument is ending")
        if do == "record":
            if not isinstance(film, bool | None):
                raise UsageError(f"film is {str(film)[:20]!r}; it must be true, false or null")
            self._say(said := self.start(film=film, more=_practice(question.get("practice"))))
            assert self._recording is not None
            return {"said": said, "take": name_of(self._recording)}
        if do == "stop":
            ending = self.stop()
            return lambda: None if ending in self._endings else {"said": ending.said, "take": ending.name}
        raise UsageError(f"{str(do)[:40]!r} is nothing to ask for; there are record and stop")

    def _takes_asked(self) -> int:
        return int(self._engine.value().get("takes", 0))

    def _show(self) -> None:
        facts, take = self._drain.facts, self._recording
        told = None
        if take is not None:
            told = {
                "take": name_of(take),
                "since_ns": facts["since_ns"],
                "film": self._film is not None,
            }
        self._board.tell(recording=told, packing=[ending.name for ending in self._endings])


def _practice(asked: object) -> dict[str, Any]:
    """Return what a take's first line says of the pattern that is played along with. Raises UsageError."""
    if asked is None:
        return {}
    if isinstance(asked, dict) and isinstance(asked.get("pattern"), str):
        bpm = asked.get("bpm")
        if isinstance(bpm, int | float) and 0 < bpm < _MOST_BPM:
            return {"practice": {"pattern": asked["pattern"], "bpm": bpm}}
    raise UsageError("practice is {pattern, bpm}: a name, and quarters a minute")
