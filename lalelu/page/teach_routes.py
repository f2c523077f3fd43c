"""What the tab Teach asks for: a pattern to play along with, what was heard of it, and the kit fitted to that.

Reads and writes files, has takes recorded, starts a process.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aiohttp import web

from lalelu.asks import ask
from lalelu.channel import BoardReader
from lalelu.child import how_ended
from lalelu.config.loader import Loaded, load_config
from lalelu.config.problem import ConfigError
from lalelu.errors import LaleluError, LostError, UsageError
from lalelu.hits import read_hits
from lalelu.kitedit.editor import Editor
from lalelu.kitedit.edits import Set
from lalelu.page.body import body_of
from lalelu.page.context import Context
from lalelu.page.edit_routes import EDITS, EditDesk
from lalelu.page.fitter import Task
from lalelu.take import read_take
from lalelu.takes.folder import Library, truth_of
from lalelu.takes.truth import TruthFile, from_hits
from lalelu.tuning.fitting import LEAST_TRUE, fitting
from lalelu.tuning.lesson import Lesson
from lalelu.tuning.outcome import together
from lalelu.tuning.pattern import BEATS, LEAST_BPM, MOST_BPM, PATTERNS, bar_of, bar_s
from lalelu.tuning.practice import practised

MOST_BARS: Final = 64
COUNT_IN: Final = 1  # bars
PATIENCE_S: Final = 10.0  # after the last bar; then the browser has gone
TRIALS, MOST_TRIALS = 100, 1000
FIT_S: Final = 300.0  # a search ends then, with the best kit so far
_MOST_LINE: Final = 1 << 20  # bytes that a search tells at once
_QUIET: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a search takes one core
_BEAT_BPM: Final = 60.0  # at this tempo seconds are beats


def add_routes(app: web.Application, context: Context) -> None:
    """Add what is under /api/teach. `edit_routes` come first: their editor writes the kit."""
    teacher = Teacher(context, app[EDITS])
    app.on_cleanup.append(teacher.end)
    app.router.add_get("/api/teach", teacher.show)
    app.router.add_get("/api/teach/choices", teacher.choices)
    for name in ("start", "stop", "fit", "cancel", "keep"):
        app.router.add_post(f"/api/teach/{name}", teacher.change)


@dataclass(frozen=True, slots=True)
class Course:
    """A pattern that somebody plays along with."""

    pattern: str
    bpm: float
    bars: int
    kit: int  # its number
    take: str = ""  # that is recorded

    @property
    def seconds(self) -> float:
        """From the first click of the count-in to the end of the last bar."""
        return (COUNT_IN + self.bars) * bar_s(self.bpm)


@dataclass(slots=True)
class Search:
    """A search that goes on, or has found something."""

    task: Task
    kit: int  # its number
    digest: str  # of the files that it began with
    process: asyncio.subprocess.Process
    told: dict[str, Any] = field(default_factory=lambda: {"done": 0})  # the process's last words
    follower: "asyncio.Task[None] | None" = None

    @property
    def found(self) -> dict[str, Any] | None:
        """What `fitter.fit` has returned; None while it goes on."""
        found: dict[str, Any] | None = self.told.get("fitted")
        return found


class Teacher:
    """One lesson for all browsers: playing along, fitting, writing."""

    def __init__(self, context: Context, edits: EditDesk) -> None:
        self._context = context
        self._edits = edits
        self._library = Library(context.takes)
        self._course: Course | None = None
        self._guard: asyncio.Task[None] | None = None  # ends the course where its browser does not
        self._heard: dict[str, Any] | None = None
        self._search: Search | None = None
        self._said = ""
        self._problem = ""  # why what was begun has failed
        self._turn = asyncio.Lock()

    async def show(self, _request: web.Request) -> web.Response:
        """Tell how far the lesson is."""
        return web.json_response(self._state())

    async def choices(self, request: web.Request) -> web.Response:
        """Tell what can be played with a kit, and to which takes it can be fitted: ?kit=NUMBER."""
        number = request.query.get("kit", "0")
        wanted = int(number) if number.isdecimal() and len(number) < 3 else number
        return web.json_response(await asyncio.to_thread(self._choices, wanted))

    async def change(self, request: web.Request) -> web.Response:
        """Do what the path's last word says with the request's object; the answer is how far the lesson is then."""
        body = await body_of(request)
        do = getattr(self, f"_{request.path.rpartition('/')[2]}")
        async with self._turn:
            self._said = self._problem = ""
            await do(body)
        return web.json_response(self._state())

    async def end(self, _app: web.Application) -> None:
        """End what goes on here; the take that is being recorded ends with its instrument, or in the tab Takes."""
        if self._guard is not None:
            self._guard.cancel()
        await self._cancel({})

    def _state(self) -> dict[str, Any]:
        course, search = self._course, self._search
        told = None
        if search is not None:
            told = {"take": search.task.name, "trials": search.task.trials, **search.told}
        return {
            "course": None if course is None else {**asdict(course), "seconds": course.seconds},
            "heard": self._heard,
            "search": told,
            "said": self._said,
            "problem": self._problem,
        }

    def _choices(self, number: object) -> dict[str, Any]:
        loaded = self._loaded()
        kit = loaded.kits[_kit_number(number, loaded)]
        patterns = {}
        for name in PATTERNS:
            with suppress(UsageError):  # the kit does not have its pads
                patterns[name] = [
                    {"beat": stroke.time_s, "hand": stroke.limb.partition("_")[0], "pad": stroke.pad}
                    for stroke in bar_of(name, _BEAT_BPM, kit, left_handed=loaded.config.left_handed)
                ]
        return {
            "can_record": self._context.session is not None,
            "kits": [each.name for each in loaded.kits],
            "patterns": patterns,
            "pads": sorted({pad for strokes in PATTERNS.values() for _, _, pad in strokes}),
            "beats": BEATS,
            "count_in": COUNT_IN,
            "bpm": [LEAST_BPM, MOST_BPM],
            "bars": [1, MOST_BARS],
            "takes": [take.name for take in self._library.takes() if take.truth and not take.problem],
        }

    async def _start(self, body: Mapping[str, Any]) -> None:
        """Take {pattern, bpm, bars, kit}. A take is recorded until `stop`, or until the browser must have gone."""
        self._refuse_a_second()
        session = self._context.session
        if session is None:
            raise UsageError("no instrument plays, so nothing can be recorded; start one with `lalelu run`")
        asked = await asyncio.to_thread(self._asked, body)
        practice = {"pattern": asked["pattern"], "bpm": asked["bpm"]}
        answer = await asyncio.to_thread(ask, session, {"do": "record", "practice": practice})
        await self._cancel({})
        self._heard, self._course = None, Course(**asked, take=str(answer["take"]))
        self._guard = asyncio.create_task(self._end_of(self._course))

    def _asked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the course that is asked for. Raises UsageError for what nobody plays."""
        loaded = self._loaded()
        number, bpm = _kit_number(body.get("kit", 0), loaded), body.get("bpm")
        pattern = str(body.get("pattern"))
        if not isinstance(bpm, int | float) or isinstance(bpm, bool):
            raise UsageError("the tempo is no number; give quarters a minute")
        bar_of(pattern, bpm, loaded.kits[number], left_handed=loaded.config.left_handed)
        bars = _whole(body.get("bars"), 1, MOST_BARS, "the number of bars")
        return {"pattern": pattern, "bpm": float(bpm), "bars": bars, "kit": number}

    async def _end_of(self, course: Course) -> None:
        """End a course whose browser does not."""
        await asyncio.sleep(course.seconds + PATIENCE_S)
        async with self._turn:
            if self._course is course:
                with suppress(LaleluError):
                    await self._finish(course)

    async def _stop(self, _body: Mapping[str, Any]) -> None:
        """End the take, and tell what was heard."""
        if self._course is None:
            if self._heard is not None:  # it has just ended by itself
                return
            raise UsageError("nobody plays along; press Start first")
        if self._guard is not None:
            self._guard.cancel()
        await self._finish(self._course)

    async def _finish(self, course: Course) -> None:
        self._course = None
        try:
            self._heard = await asyncio.to_thread(self._hear, course)
        except LaleluError as exc:
            self._problem = str(exc)
            raise

    def _hear(self, course: Course) -> dict[str, Any]:
        """End the take, find the pattern in it, and keep its true hits beside it. Raises UsageError."""
        session = self._context.session
        assert session is not None
        recording = BoardReader(session / "desk").value().get("recording")
        if recording is not None and recording["take"] == course.take:  # else it was ended in Takes
            with suppress(LostError):  # it takes long to pack; what is there can be read
                ask(session, {"do": "stop"})
        path, loaded = self._library.path(course.take), self._loaded()
        take, config, kit = read_take(path), loaded.config, loaded.kits[_kit_number(course.kit, loaded)]
        found = practised(course.take, take, config, kit, course.pattern, course.bpm)
        TruthFile(truth_of(path)).write(from_hits(found.truth))
        self._library.write_note(course.take, f"{course.pattern} at {course.bpm:g} a minute")
        lesson = Lesson(course.take, take, found.truth, by_pattern=True)
        sounds = together(fitting(config, kit, [lesson]).judge.play(lesson, kit))
        played = found.sentence(course.bars * len(PATTERNS[course.pattern]))
        kit_says = (
            f"With the kit as it is, {sounds.matched} of {sounds.true} strokes sound as meant; notes that sound and "
            f"were not meant: {sounds.false}."
        )
        clock_says = (
            f"The first bar begins {found.alignment.first_bar_s:.2f} s into the take {course.take}: found from your "
            "strokes, so it does not matter how late the click is heard."
        )
        return {"take": course.take, "sentences": [f"{played}.", kit_says, clock_says]}

    async def _fit(self, body: Mapping[str, Any]) -> None:
        """Take {take, kit, trials}; without a take, what was heard last."""
        self._refuse_a_second()
        name = body.get("take") or (self._heard or {}).get("take")
        if not isinstance(name, str):
            raise UsageError("there is no take to fit to; play along first, or choose one with true hits")
        trials = _whole(body.get("trials", TRIALS), 1, MOST_TRIALS, "the number of kits to try")
        number = _whole(body.get("kit", 0), 0, 99, "the kit number")
        task, digest = await self._edits.do(lambda editor: self._task(editor, number, name, trials))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "lalelu.page.fitter", str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MOST_LINE,
            env={**os.environ, **_QUIET},
        )
        self._search = search = Search(task, number, digest, process)
        search.follower = asyncio.create_task(self._follow(search))

    def _task(self, editor: Editor, number: int, name: str, trials: int) -> tuple[Task, str]:
        """Return what is to be searched, and the digest of the files. Raises UsageError."""
        view = editor.view(number)
        if view.config is None or view.kit is None:
            raise ConfigError(view.problems)
        take = self._library.path(name)
        if not truth_of(take).exists():
            raise UsageError(f"the take {name} has no true hits; play along here, or mark them in Takes")
        true = len(read_hits(truth_of(take)))
        if true < LEAST_TRUE:
            raise UsageError(
                f"the take {name} has {true} true hits; {LEAST_TRUE} and more are needed: play along for more bars, "
                "or mark more in Takes"
            )
        config, kit = (each.model_dump(mode="json") for each in (view.config, view.kit))
        return Task(name, str(take), str(truth_of(take)), config, kit, trials, FIT_S), view.digest

    async def _follow(self, search: Search) -> None:
        process = search.process
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(ConnectionError):  # it was killed already
            process.stdin.write(search.task.text().encode())
            await process.stdin.drain()
            process.stdin.close()
        last: dict[str, Any] = {}
        async for line in process.stdout:
            if line.endswith(b"\n"):  # else it was killed
                last = json.loads(line)
                if "done" in last:
                    search.told = last
        status = await process.wait()
        if self._search is not search:
            return
        if "fitted" in last:
            search.told = last
        else:
            self._search = None
            self._problem = last.get("error") or f"the search has {how_ended(status)}; try again"

    async def _cancel(self, _body: Mapping[str, Any]) -> None:
        """End the search, or forget what it has found."""
        search, self._search = self._search, None
        if search is None:
            return
        with suppress(ProcessLookupError):  # it has ended
            search.process.kill()
        if search.follower is not None:
            await search.follower

    async def _keep(self, _body: Mapping[str, Any]) -> None:
        """Write what the search has found into the kit."""
        search = self._search
        found = None if search is None else search.found
        if search is None or found is None:
            raise UsageError("there is nothing to write; fit a take first")
        if found["no_use"]:
            raise UsageError(f"the kit stays as it is: {found['no_use']}")
        changes = {tuple(where): value for where, value in found["changes"]}
        view = await self._edits.do(
            lambda editor: editor.change((Set(changes),), search.digest, kit=search.kit)
        )
        self._search = None
        self._said = f"{view.kit_file.name}: {len(changes)} options changed; Undo in Tune takes that back"

    def _refuse_a_second(self) -> None:
        if self._course is not None:
            raise UsageError("somebody plays along already; stop that first")
        if self._search is not None and self._search.found is None:
            raise UsageError("a kit is being fitted already; wait for it, or cancel it")

    def _loaded(self) -> Loaded:
        return load_config(self._context.config_path, builtin=self._context.config_path is None)


def _kit_number(value: object, loaded: Loaded) -> int:
    return _whole(value, 0, len(loaded.kits) - 1, "the kit number")


def _whole(value: object, low: int, high: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{what} is {str(value)[:20]}; allowed are whole numbers {low}..{high}")
    return value
