"""What the tab Takes asks for: recording, the library, true hits, comparisons. Reads and writes files."""

import asyncio
import json
import math
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from lalelu.asks import ask
from lalelu.channel import BoardReader
from lalelu.config.kit import KitConfig
from lalelu.config.loader import Loaded, kit_file, load_config, read_config
from lalelu.config.problem import ConfigError
from lalelu.config.schema import Config
from lalelu.desk.filming import films
from lalelu.errors import LaleluError, UsageError
from lalelu.hits import MOST_SECONDS, HitRecord, hit_of
from lalelu.page.body import body_of
from lalelu.page.context import Context
from lalelu.take import Take, read_take
from lalelu.takes import truth as truths
from lalelu.takes.comparison import compare
from lalelu.takes.film import FROM, TakeFilm, read_film
from lalelu.takes.folder import Library, film_of, truth_of
from lalelu.takes.replaying import Played, keypoints_of, limbs_of, on_one_kit, play, traces

KEPT: Final = 2  # takes in memory: a minute of one player takes some 10 MB

_Side = tuple[Config, tuple[KitConfig, ...]]  # who plays what


def add_routes(app: web.Application, context: Context) -> None:
    """Add what is under /api/takes."""
    desk = _TakeDesk(context)
    app.on_startup.append(desk.begin)
    app.router.add_get("/api/takes", desk.list)
    app.router.add_get("/api/takes/show", desk.show)
    app.router.add_get("/api/takes/picture", desk.picture)
    for name in ("record", "rename", "delete", "note", "truth", "compare"):
        app.router.add_post(f"/api/takes/{name}", desk.change)


class _TakeDesk:
    """The takes for all browsers; one at a time but for the list and recording, because replays take a processor."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._library = Library(context.takes)
        self._takes: OrderedDict[tuple[Path, int], Take] = OrderedDict()
        self._played: dict[Path, tuple[tuple[object, ...], Played]] = {}
        self._truths: dict[Path, truths.TruthFile] = {}
        self._films: dict[tuple[Path, int], TakeFilm] = {}  # the one that was looked at last
        self._first: Loaded | None = None  # what the files said when the page began
        self._turn = asyncio.Lock()

    async def begin(self, _app: web.Application) -> None:
        """Remember what the files say, to compare edited ones with."""
        with suppress(LaleluError):  # files with a mistake: what they say once it is mended
            await asyncio.to_thread(self._loaded)

    async def list(self, _request: web.Request) -> web.Response:
        """Tell which takes there are, and what is being recorded."""
        return web.json_response(await asyncio.to_thread(self._list))

    async def show(self, request: web.Request) -> web.Response:
        """Tell a take's traces, strokes and truth: ?take=NAME."""
        name = request.query.get("take", "")
        async with self._turn:
            return web.json_response(await asyncio.to_thread(self._show, name))

    async def picture(self, request: web.Request) -> web.Response:
        """Return the film's JPEG that is nearest to a time: ?take=NAME&time_s=SECONDS from the take's first frame."""
        try:
            time_s = float(request.query.get("time_s", ""))
        except ValueError:
            time_s = math.nan
        async with self._turn:
            jpeg = await asyncio.to_thread(self._picture, request.query.get("take", ""), _seconds(time_s))
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def change(self, request: web.Request) -> web.Response:
        """Do what the path's last word says with the request's object."""
        body = await body_of(request)
        do = getattr(self, f"_{request.path.rpartition('/')[2]}")
        if do == self._record:  # the red button waits for no replay
            return web.json_response(await asyncio.to_thread(do, body))
        async with self._turn:
            return web.json_response(await asyncio.to_thread(do, body))

    def _list(self) -> dict[str, Any]:
        session = self._context.session
        desk = {} if session is None else BoardReader(session / "desk").value()
        recording = desk.get("recording")
        unfinished = {*desk.get("packing", ()), *([] if recording is None else [recording["take"]])}
        return {
            "folder": str(self._library.folder),
            "can_record": session is not None,
            "films": session is not None and films(session),
            "recording": recording,
            "takes": [take.plain() for take in self._library.takes(without=unfinished)],
        }

    def _record(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take {"on": true, "film": true} or false; without "film" the configuration says it."""
        if self._context.session is None:
            raise UsageError("no instrument plays, so nothing can be recorded; start one with `lalelu run`")
        do = "record" if body.get("on") is True else "stop"
        answer = ask(self._context.session, {"do": do, "film": body.get("film")})
        return {**answer, **self._list()}

    def _rename(self, body: Mapping[str, Any]) -> dict[str, Any]:
        path = self._library.path(_text(body, "take"))
        self._library.rename(_text(body, "take"), _text(body, "name"))
        self._truths.pop(truth_of(path), None)
        return self._list()

    def _delete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        path = self._library.path(_text(body, "take"))
        moved = self._library.delete(_text(body, "take"))
        self._truths.pop(truth_of(path), None)
        return {"moved_to": str(moved), **self._list()}

    def _note(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._library.write_note(_text(body, "take"), _text(body, "note"))
        return self._list()

    def _show(self, name: str) -> dict[str, Any]:
        path, loaded = self._library.path(name), self._loaded()
        take = self._take(path)
        played = self._play(path, take, loaded)
        heard = [each.limb for each in (*played.hits, *(self._truth_file(path).read() or ()))]
        heard += [each.limb for each in played.verdicts]
        limbs = limbs_of(loaded.kits, heard, left_handed=loaded.config.left_handed)
        own = keypoints_of(loaded.kits, left_handed=loaded.config.left_handed)
        problems = list(take.problems)
        pictures: list[float] = []  # when they were captured, in seconds
        try:
            film = self._film(path)
            if film is not None:
                pictures = [round((time_ms - _ahead_ms(take)) * 1e-3, 3) for time_ms in film.times_ms]
        except UsageError as exc:
            problems.append(str(exc))
        return {
            "take": name,
            "problems": problems,
            "traces": [asdict(trace) for trace in traces(take, limbs, own)],
            "film": pictures,
            "strokes": [
                {
                    "time_s": round((each.lowest_ns - played.origin_ns) * 1e-9, 6),
                    "player": each.player,
                    "limb": each.limb,
                    "pad": each.pad,
                    "rule": each.rule,
                    "why": each.why,
                }
                for each in played.verdicts
            ],
            **self._truth_told(path),
        }

    def _picture(self, name: str, time_s: float) -> bytes:
        path = self._library.path(name)
        take = self._take(path)
        film = self._film(path)
        if film is None:
            raise UsageError(f"the take {name} has no film; record one with `lalelu take start --film`")
        return film.picture(time_s * 1e3 + _ahead_ms(take))

    def _film(self, path: Path) -> TakeFilm | None:
        """Return a take's film; kept until it changes. Raises UsageError where it cannot be read."""
        file = film_of(path)
        if not file.exists():
            return None
        key = file, file.stat().st_mtime_ns
        if key not in self._films:
            self._films = {key: read_film(file)}
        return self._films[key]

    def _truth(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take {take, do: begin|add|move|delete|undo, hit: {time_s, limb, player}, to_s, snap}."""
        path = self._library.path(_text(body, "take"))
        file, do = self._truth_file(path), body.get("do")
        if do == "undo":
            file.undo()
            return self._truth_told(path)
        played = self._play(path, self._take(path), self._loaded())
        known = file.read() or ()
        strokes = truths.strokes_of(played.verdicts, played.origin_ns) if body.get("snap") is True else ()
        if do == "begin":
            file.write(truths.from_hits(played.hits))
            return self._truth_told(path)
        hit = hit_of("the true hit", body.get("hit"))
        if do == "add":
            time_s = truths.snapped(hit.time_s, hit.limb, hit.player, strokes)
            file.write(truths.add(known, HitRecord(time_s, hit.limb, hit.pad, hit.player)))
        elif do == "move":
            to_s = truths.snapped(_seconds(body.get("to_s")), hit.limb, hit.player, strokes)
            file.write(truths.move(known, hit, to_s))
        elif do == "delete":
            file.write(truths.delete(known, hit))
        else:
            raise UsageError(f"{str(do)[:40]!r} is no edit; there are begin, add, move, delete and undo")
        return self._truth_told(path)

    def _compare(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take {take, kit: the edited one, kit_number}; without a kit, what the files say now is the edited one.

        Before the edit: what the files said when the page first looked, or with a kit, what they say now. With a kit
        also timing and left_handed may be edited ones. Without a number everybody plays as configured, and where that
        is no difference, all play each kit that was edited.
        """
        path, now = self._library.path(_text(body, "take")), self._loaded()
        take, number = self._take(path), body.get("kit_number")
        is_number = isinstance(number, int) and not isinstance(number, bool)
        if not (number is None or (is_number and 0 <= number < len(now.kits))):
            raise UsageError(f"kit_number is {str(number)[:20]}; kits are numbered 0..{len(now.kits) - 1}")
        first = self._first or now
        sides: list[tuple[_Side, _Side]]
        if body.get("kit") is not None:
            config, kits = _alone(now, number or 0)
            edited = self._draft(body["kit"], number or 0, now)
            sides = [((config, kits), (_edited_config(body, config), (edited,)))]
        elif number is not None:  # a kit that has come since is compared with itself
            sides = [(_alone(first if number < len(first.kits) else now, number), _alone(now, number))]
        else:
            sides = _edits(first, now)
        for side in sides:
            before, after = (play(take, config, kits).hits for config, kits in side)
            if before != after:
                break
        return compare(before, after, self._truth_file(path).read()).plain()

    def _draft(self, kit: object, number: int, loaded: Loaded) -> KitConfig:
        """Return an edited kit, judged as if it stood in its file. Raises ConfigError; line 0: it stands nowhere."""
        path = self._context.config_path
        if path is None:
            raise UsageError(
                "lalelu plays with its built-in defaults; start with --config COPY to compare a kit"
            )
        file = kit_file(loaded.config.kit_refs[number], path.parent)
        document, _, kits = read_config(path, {file: json.dumps(kit)})
        if document.problems:
            raise ConfigError(tuple(replace(problem, line=0, column=0) for problem in document.problems))
        return kits[number]

    def _truth_file(self, path: Path) -> truths.TruthFile:
        file = truth_of(path)
        return self._truths.setdefault(file, truths.TruthFile(file))

    def _truth_told(self, path: Path) -> dict[str, Any]:
        file = self._truth_file(path)
        hits = file.read()
        told = None
        if hits is not None:
            told = [
                {"time_s": hit.time_s, "limb": hit.limb, "player": hit.player, "pad": hit.pad} for hit in hits
            ]
        return {"truth": told, "undo": file.undoable}

    def _loaded(self) -> Loaded:
        loaded = load_config(self._context.config_path, builtin=self._context.config_path is None)
        if self._first is None:
            self._first = loaded
        return loaded

    def _take(self, path: Path) -> Take:
        key = path, path.stat().st_mtime_ns
        if key not in self._takes:
            self._takes[key] = read_take(path)
            while len(self._takes) > KEPT:
                self._takes.popitem(last=False)
        self._takes.move_to_end(key)
        return self._takes[key]

    def _play(self, path: Path, take: Take, loaded: Loaded) -> Played:
        """Return the take on the kits of the files; kept until one of them changes."""
        key = (path.stat().st_mtime_ns, loaded.digest)
        known = self._played.get(path)
        if known is None or known[0] != key:
            self._played = {path: (key, play(take, loaded.config, loaded.kits, explain=True))}
        return self._played[path][1]


def _edited_config(body: Mapping[str, Any], config: Config) -> Config:
    given = {key: body[key] for key in ("timing", "left_handed") if body.get(key) is not None}
    try:
        return Config.model_validate_json(json.dumps({**config.model_dump(mode="json"), **given}))
    except ValueError as exc:
        raise UsageError(f"the edited timing is not valid: {exc}") from exc


def _ahead_ms(take: Take) -> float:
    """Return how long the film's clock runs when the take's first frame is captured."""
    from_ns = take.header.more.get(FROM)
    if not isinstance(from_ns, int) or not take.frames:
        raise UsageError("the take does not tell when its film began; only takes that lalelu filmed have one")
    return (take.frames[0].captured_ns - from_ns) * 1e-6


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise UsageError(f"the request needs {key}, a text")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < MOST_SECONDS:
        raise UsageError(f"{str(value)[:20]} is no time; it is a number of seconds from the first frame")
    return float(value)


def _edits(first: Loaded, now: Loaded) -> list[tuple[_Side, _Side]]:
    """Return what is to be compared: everybody as configured, then all on each kit that is another one now."""
    kits = zip(first.kits, now.kits, strict=False)  # one may have come since
    edited = [number for number, (was, kit) in enumerate(kits) if was != kit and len(now.kits) > 1]
    return [
        ((first.config, first.kits), (now.config, now.kits)),
        *((_alone(first, number), _alone(now, number)) for number in edited),
    ]


def _alone(loaded: Loaded, number: int) -> _Side:
    """Return everybody on one kit."""
    return on_one_kit(loaded.config), (loaded.kits[number],)
