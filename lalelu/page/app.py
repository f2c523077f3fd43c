"""The page's routes, put together: static files, the live socket, and what the tabs ask for. Reads files."""

import json
from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from lalelu.config.problem import ConfigError
from lalelu.errors import LaleluError
from lalelu.kitedit.editor import ChangedMeanwhileError
from lalelu.kitedit.presets import PresetThereError
from lalelu.page import edit_routes, live_routes, take_routes, teach_routes
from lalelu.page.context import Context
from lalelu.page.guard import guard
from lalelu.page.refusal import refused, refused_config

MOST_BYTES: Final = 1 << 20  # of what a browser may send at once
STATIC: Final = Path(str(resources.files("lalelu.page"))) / "static"


def make_app(context: Context) -> web.Application:
    """Return the page of one instrument, or of a configuration that nobody plays."""
    app = web.Application(middlewares=[guard(context.token), _sentences], client_max_size=MOST_BYTES)
    app.router.add_get("/", _index)
    live_routes.add_routes(app, context)
    edit_routes.add_routes(app, context)
    take_routes.add_routes(app, context)
    teach_routes.add_routes(app, context)
    app.router.add_static("/static", STATIC)
    return app


async def _index(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "index.html")


@web.middleware
async def _sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler refuses into a sentence and the places: {"error": ..., "problems": [...]}."""
    try:
        return await handler(request)
    except ConfigError as exc:
        return refused_config(exc)
    except (ChangedMeanwhileError, PresetThereError) as exc:
        return refused(str(exc), status=409)
    except LaleluError as exc:
        return refused(str(exc))
    except (json.JSONDecodeError, UnicodeDecodeError) as exc:
        return refused(f"the request is not JSON: {exc}")
