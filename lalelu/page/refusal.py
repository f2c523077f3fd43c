"""What the page answers where it refuses something: a sentence, and the places that it is about."""

from typing import Any

from aiohttp import web

from lalelu.config.problem import ConfigError, Problem


def refused(sentence: str, problems: tuple[Problem, ...] = (), *, status: int = 400) -> web.Response:
    """Return the answer that says why."""
    return web.json_response({"error": sentence, "problems": [*map(told, problems)]}, status=status)


def refused_config(exc: ConfigError) -> web.Response:
    """Return the answer for a configuration or a kit with mistakes."""
    return refused(exc.problems[0].message, exc.problems, status=422)


def told(problem: Problem) -> dict[str, Any]:
    """Return a problem ready for JSON; line 0 = it stands in no file."""
    return {
        "where": problem.path,
        "line": problem.line,
        "file": problem.file,
        "sentence": problem.message,
    }
