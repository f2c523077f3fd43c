"""What the tab Tune asks for: the kit, its controls, and changes of it. Reads and writes the player's files."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from aiohttp import web

from lalelu.config.kit import KitConfig
from lalelu.config.positions import Value, read_document
from lalelu.config.problem import ConfigError
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.kitedit import pads
from lalelu.kitedit.editor import Editor, View
from lalelu.kitedit.edits import Edit, Set, from_plain, joined, parse_path, plain
from lalelu.kitedit.fields import schemas
from lalelu.kitedit.learn import Touch, learn
from lalelu.kitedit.presets import preset, presets, save
from lalelu.page.body import body_of
from lalelu.page.context import Context
from lalelu.page.refusal import told

MOST_STROKES: Final = 32
MOST_LENGTH: Final = 1000.0  # shoulder widths, or as many a second: far beyond any hand
MOST_STROKE: Final = 300  # characters of the name of a movement, an option's path among them
HISTORY: Final = "changes.json"  # in the instrument's folder: the page's process comes and goes

T = TypeVar("T")


def add_routes(app: web.Application, context: Context) -> None:
    """Add what is under /api/schema, /api/kit and /api/presets."""
    desk = app[EDITS] = EditDesk(context)
    app.on_startup.append(desk.begin)
    app.router.add_get("/api/schema", desk.schema)
    app.router.add_get("/api/kit", desk.kit)
    app.router.add_get("/api/kit/diff", desk.diff)
    app.router.add_get("/api/presets", desk.presets)
    for name in ("set", "pad", "undo", "redo", "learn"):
        app.router.add_post(f"/api/kit/{name}", desk.change)
    for name in ("use", "save"):
        app.router.add_post(f"/api/presets/{name}", desk.change)


class EditDesk:
    """One editor for all browsers; one change at a time."""

    def __init__(self, context: Context) -> None:
        self._editor: Editor | None = None
        if context.config_path is not None:
            kept_in = None if context.session is None else context.session / HISTORY
            self._editor = Editor(context.config_path.absolute(), kept_in)
        self._turn = asyncio.Lock()

    async def begin(self, _app: web.Application) -> None:
        """Take up what an earlier page of this instrument has left to undo."""
        if self._editor is not None:
            await asyncio.to_thread(self._editor.recall)

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
        body = await body_of(request)
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
    """Take {path, value}, or {changes: {path: value}}, or the edits alone that were tried."""
    if body.get("edits") and not body.keys() & {"path", "changes"}:
        return _changed(editor, body)
    given = body.get("changes", {body.get("path", ""): body.get("value")})
    if not isinstance(given, dict) or not given:
        raise UsageError("a change needs path and value, or changes: {path: value}")
    return _changed(
        editor, body, Set({parse_path(str(path)): _plain(value) for path, value in given.items()})
    )


def _pad(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take {do: add, note, name}, {do: remove, pad}, {do: rename, pad, to} or {do: choke, pad, with, on}."""
    kit, _ = _valid(_view_for(editor, body))
    name, do = str(body.get("pad")), body.get("do")
    edits: Sequence[Edit]
    if do == "add":
        name, edits = pads.add(kit, _plain(body.get("note")), str(body.get("name") or ""))
    elif do == "remove":
        edits = pads.remove(kit, name)
    elif do == "rename":
        edits = pads.rename(kit, name, str(body.get("to")))
        name = str(body.get("to"))
    elif do == "choke":
        edits = pads.choke(kit, name, str(body.get("with")), on=body.get("on") is True)
    else:
        raise UsageError(
            f"{str(do)[:40]!r} is nothing to do with a pad; there are add, remove, rename and choke"
        )
    return {**_changed(editor, body, *edits), "pad": name}


def _undo(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    return _view(editor, editor.undo(_number(body.get("kit", 0))))


def _redo(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    return _view(editor, editor.redo(_number(body.get("kit", 0))))


def _learn(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take {pad, strokes: [{x, y, speed}]}."""
    kit, config = _valid(_view_for(editor, body))
    strokes = body.get("strokes")
    if not isinstance(strokes, list) or len(strokes) > MOST_STROKES:
        raise UsageError(f"strokes is to be a list of up to {MOST_STROKES}, each with x, y and speed")
    touches = [_touch(stroke) for stroke in strokes]
    lesson = learn(kit, str(body.get("pad")), touches, left_handed=config.left_handed)
    return {**_changed(editor, body, Set(lesson.changes)), "learned": lesson.sentence}


def _use(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    return _changed(editor, body, Set(preset(editor.config.parent, str(body.get("name"))).values))


def _save(editor: Editor, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take {name, over: whether one of that name may go}."""
    save(_view_for(editor, body), str(body.get("name")), over=body.get("over") is True)
    return {"presets": _presets(editor)}


_CHANGES: Final = {
    "kit/set": _set,
    "kit/pad": _pad,
    "kit/undo": _undo,
    "kit/redo": _redo,
    "kit/learn": _learn,
    "presets/use": _use,
    "presets/save": _save,
}


def _changed(editor: Editor, body: Mapping[str, Any], *edits: Edit) -> dict[str, Any]:
    """Make the request's own edits and then these, in one step; with `try` nothing is written."""
    every, digest = joined((*_tried(body), *edits)), str(body.get("digest"))
    number, stroke = _number(body.get("kit", 0)), body.get("stroke")
    if body.get("try") is True:
        view = editor.tried(every, digest, kit=number)
        return {**_view(editor, view), "edits": plain(every), "diff": editor.diff_of(view)}
    stroke = None if stroke is None else str(stroke)[:MOST_STROKE]
    return _view(editor, editor.change(every, digest, kit=number, stroke=stroke))


def _view_for(editor: Editor, body: Mapping[str, Any]) -> View:
    """Return what the request's change is one of: the files, or what is tried."""
    number, edits = _number(body.get("kit", 0)), _tried(body)
    return editor.tried(edits, str(body.get("digest")), kit=number) if edits else editor.view(number)


def _tried(body: Mapping[str, Any]) -> tuple[Edit, ...]:
    return from_plain(_plain(body.get("edits", [])))


def _valid(view: View) -> tuple[KitConfig, Config]:
    if view.kit is None or view.config is None:
        raise ConfigError(view.problems)
    return view.kit, view.config


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


def _view(editor: Editor, view: View) -> dict[str, Any]:
    config = view.config
    return {
        "config_file": str(view.config_file),
        "kit_file": str(view.kit_file),
        "kits": list(view.kit_refs),
        "number": view.kit_number,
        "copied_to": None if view.copied_to is None else str(view.copied_to),
        "digest": view.digest,
        "kit": None
        if view.kit is None
        else json.loads(view.kit.model_dump_json(exclude={"learned": {"trees"}})),
        "notes": _notes(view),
        "timing": None if config is None else config.timing.model_dump(mode="json"),
        "left_handed": None if config is None else config.left_handed,
        "problems": [told(problem) for problem in view.problems],
        "undo": editor.history.undoable is not None,
        "redo": editor.history.redoable is not None,
    }


def _notes(view: View) -> dict[str, Value]:
    """Return every pad's note as it is written, which may be a name."""
    root = read_document(view.texts[view.kit_file], "").root
    written = root.get("pads") if isinstance(root, dict) else None
    sections = written if isinstance(written, dict) else {}
    return {name: pad.get("note") for name, pad in sections.items() if isinstance(pad, dict)}
