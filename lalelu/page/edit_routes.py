"""What the tab Tune asks for: the kit, its controls, and changes of it. Reads and writes the player's files."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from aiohttp import web

from lalelu.config.positions import Path, Value
from lalelu.config.problem import ConfigError, Problem
from lalelu.errors import UsageError
from lalelu.kitedit.editor import Editor, View, parse_path
from lalelu.kitedit.fields import schemas
from lalelu.kitedit.learn import Touch, learn
from lalelu.kitedit.presets import preset, presets, save
from lalelu.page.context import Context

MOST_STROKES: Final = 32
MOST_LENGTH: Final = 1000.0  # shoulder widths, or as many a second: far beyond any hand
MOST_STROKE: Final = 64  # characters of the name of a movement

T = TypeVar("T")


def add_routes(app: web.Application, context: Context) -> None:
    """Add what is under /api/schema, /api/kit and /api/presets."""
    desk = app[EDITS] = EditDesk(context)
    app.router.add_get("/api/schema", desk.schema)
    app.router.add_get("/api/kit", desk.kit)
    app.router.add_get("/api/kit/diff", desk.diff)
    app.router.add_get("/api/presets", desk.presets)
    for name in ("set", "undo", "redo", "learn"):
        app.router.add_post(f"/api/kit/{name}", desk.change)
    for name in ("use", "save"):
        app.router.add_post(f"/api/presets/{name}", desk.change)


class EditDesk:
    """One editor for all browsers; one change at a time."""

    def __init__(self, context: Context) -> None:
        self._editor = None if context.config_path is None else Editor(context.config_path.absolute())
        self._turn = asyncio.Lock()

    async def schema(self, _request: web.Request) -> web.Response:
        """Tell what may stand in a kit, and which controls there are."""
        return web.json_response(schemas())

    async def kit(self, request: web.Request) -> web.Response:
        """Tell what stands in the files."""
        number = _number(request.query.get("kit", "0"))
        return await self._told(lambda editor: _view(editor, editor.view(number)))

    async def diff(self, request: web.Request) -> web.Response:
        """Tell what has changed since the page began."""
        number = _number(request.query.get("kit", "0"))
        return await self._told(lambda editor: {"diff": editor.diff(number)})

    async def presets(self, _request: web.Request) -> web.Response:
        """Tell which presets there are."""
        return await self._told(lambda editor: {"presets": _presets(editor)})

    async def change(self, request: web.Request) -> web.Response:
        """Change the files; the answer is what stands there then."""
        body = await request.json()
        if not isinstance(body, dict):
            raise UsageError("the request is no object; send {...}")
        do = _CHANGES[request.path.removeprefix("/api/")]
        return await self._told(lambda editor: do(editor, body))

    async def do(self, ask: Callable[[Editor], T]) -> T:
        """Return what `ask` makes of the editor, in a thread. Raises UsageError where there is no file to edit."""
        editor = self._editor
        if editor is None:
            raise UsageError(
                "lalelu plays with its built-in defaults; copy lalelu.yaml and start with --config COPY to tune it here"
            )
        async with self._turn:
            return await asyncio.to_thread(ask, editor)

    async def _told(self, ask: Callable[[Editor], dict[str, Any]]) -> web.Response:
        return web.json_response(await self.do(ask))


EDITS: Final = web.AppKey("edits", EditDesk)


def _set(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take {path, value}, or {changes: {path: value}}."""
    given = body.get("changes", {body.get("path", ""): body.get("value")})
    if not isinstance(given, dict) or not given:
        raise UsageError("a change needs path and value, or changes: {path: value}")
    changes = {parse_path(str(path)): _plain(value) for path, value in given.items()}
    return _changed(editor, body, changes)


def _undo(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    return _view(editor, editor.undo(_number(body.get("kit", 0))))


def _redo(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    return _view(editor, editor.redo(_number(body.get("kit", 0))))


def _learn(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take {pad, strokes: [{x, y, speed}]}."""
    view = editor.view(_number(body.get("kit", 0)))
    strokes = body.get("strokes")
    if view.kit is None or view.config is None:
        raise ConfigError(view.problems)
    if not isinstance(strokes, list) or len(strokes) > MOST_STROKES:
        raise UsageError(f"strokes is to be a list of up to {MOST_STROKES}, each with x, y and speed")
    touches = [_touch(stroke) for stroke in strokes]
    lesson = learn(view.kit, str(body.get("pad")), touches, left_handed=view.config.left_handed)
    return {**_changed(editor, body, lesson.changes), "learned": lesson.sentence}


def _use(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    return _changed(editor, body, preset(editor.config.parent, str(body.get("name"))).values)


def _save(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    save(editor.view(_number(body.get("kit", 0))), str(body.get("name")))
    return {"presets": _presets(editor)}


_CHANGES: Final = {
    "kit/set": _set,
    "kit/undo": _undo,
    "kit/redo": _redo,
    "kit/learn": _learn,
    "presets/use": _use,
    "presets/save": _save,
}


def _changed(editor: Editor, body: Mapping[str, Any], changes: Mapping[Path, Value]) -> dict[str, Any]:
    stroke = body.get("stroke")
    view = editor.set(
        changes,
        str(body.get("digest")),
        kit=_number(body.get("kit", 0)),
        stroke=None if stroke is None else str(stroke)[:MOST_STROKE],
    )
    return _view(editor, view)


def _number(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 3):
        raise UsageError(f"the kit number {text[:20]!r} is none; kits are numbered from 0")
    return int(text)


def _touch(stroke: object) -> Touch:
    values = [stroke.get(key) for key in ("x", "y", "speed")] if isinstance(stroke, dict) else []
    numbers = [
        float(value) for value in values if isinstance(value, int | float) and abs(value) < MOST_LENGTH
    ]
    if len(numbers) < 3:
        raise UsageError("a stroke is x, y and speed, numbers in shoulder widths")
    return Touch(*numbers)


def _plain(value: object) -> Value:
    """Return a value as the files have it: numbers without the digits that a mouse leaves."""
    if isinstance(value, float) and math.isfinite(value):
        return round(value, 3)
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if value is None or isinstance(value, bool | int | str):
        return value
    raise UsageError("a value is text, a finite number, true, false, null, a list or a mapping")


def _presets(editor: Editor) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "description": each.description, "own": each.is_own, "usable": bool(each.values)}
        for each in presets(editor.config.parent)
    ]


def told(problem: Problem) -> dict[str, Any]:
    """Return one problem as browsers get it."""
    return {
        "where": problem.path,
        "line": problem.line,
        "file": problem.file,
        "sentence": problem.message,
    }


def _view(editor: Editor, view: View) -> dict[str, Any]:
    config = view.config
    return {
        "config_file": str(view.config_file),
        "kit_file": str(view.kit_file),
        "kits": list(view.kit_refs),
        "number": view.kit_number,
        "copied_to": None if view.copied_to is None else str(view.copied_to),
        "digest": view.digest,
        "kit": None if view.kit is None else json.loads(view.kit.model_dump_json()),
        "timing": None if config is None else config.timing.model_dump(mode="json"),
        "left_handed": None if config is None else config.left_handed,
        "problems": [told(problem) for problem in view.problems],
        "undo": editor.history.undoable is not None,
        "redo": editor.history.redoable is not None,
    }
