"""The tab Teach's routes: a pattern that was played, a kit that is fitted to it, and what is refused."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
import pytest
from page.served import served
from tuning.lessons import DEAF, rock

from lalelu.config.loader import load_config, load_kit
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.hits import write_hits
from lalelu.page.context import Context
from lalelu.take import TakeWriter
from lalelu.tuning.practice import practised


@pytest.fixture(scope="module")
def lesson():
    return rock(height=0.25)


@pytest.fixture(scope="module")
def takes(lesson, tmp_path_factory):
    """Takes with true hits: `mine`, `short` with few, `bare` without any."""
    folder = tmp_path_factory.mktemp("takes")
    for name, truth in (("mine", lesson.truth), ("short", lesson.truth[:6]), ("bare", ())):
        with TakeWriter(folder / f"{name}.take", lesson.take.header) as take:
            for frame in lesson.take.frames:
                take.write(frame)
        if truth:
            write_hits(folder / f"{name}.truth.jsonl", truth)
    return folder


@pytest.fixture
def context(tmp_path, takes):
    """A kit that is deaf to soft strokes."""
    (tmp_path / "mine.yaml").write_text(DEAF)
    (tmp_path / "lalelu.yaml").write_text("kit: mine.yaml  # loud\n")
    return Context(None, tmp_path / "lalelu.yaml", takes)


@asynccontextmanager
async def teacher(context):
    """Asks one page: `await ask(path)` or `await ask(path, body)`; the status and the answer."""
    async with served(context) as client:

        async def ask(path, body=None):
            method = "GET" if body is None else "POST"
            async with client.request(method, path, json=body) as answer:
                return answer.status, await answer.json()

        yield ask


async def found(ask, enough=lambda state: state["search"] and "fitted" in state["search"]):
    """Wait until the search has come so far, or failed; the lesson's state then."""
    while True:
        _, state = await ask("/api/teach")
        if state["problem"] or enough(state):
            return state
        await asyncio.sleep(0.05)


def searching():
    return [each for each in psutil.Process().children() if "lalelu.page.fitter" in each.cmdline()]


def test_a_fitted_kit_is_written_with_its_comments_and_undone_in_tune(context):
    async def teach():
        async with teacher(context) as ask:
            _, choices = await ask("/api/teach/choices")
            status, begun = await ask("/api/teach/fit", {"take": "mine", "trials": 4})
            assert (status, begun["search"]["trials"]) == (200, 4)
            state = await found(ask)
            _, kept = await ask("/api/teach/keep", {})
            text = (context.config_path.parent / "mine.yaml").read_text()
            kit = load_config(context.config_path).kit
            undone = await ask("/api/kit/undo", {})
            return choices, state, kept, text, kit, undone

    choices, state, kept, text, kit, undone = asyncio.run(teach())
    assert (list(choices["patterns"]), sorted(choices["takes"])) == (["rock", "single"], ["mine", "short"])
    assert [each["pad"] for each in choices["patterns"]["rock"][:3]] == ["hihat", "hihat", "snare"]
    fitted = state["search"]["fitted"]
    before, after = (fitted["report"]["all"][when]["held_back"] for when in ("before", "after"))
    assert before["f1"] < after["f1"]
    assert (fitted["no_use"], "held back" in fitted["table"]) == (None, True)
    assert kit.strike.min_speed == fitted["report"]["values"]["strike.min_speed"] < 3.2
    assert ("# my own" in text, "# too much" in text) == (True, True)
    assert kept["said"].startswith(f"mine.yaml: {len(fitted['changes'])} options changed")
    assert (kept["search"], undone[0]) == (None, 200)
    assert (context.config_path.parent / "mine.yaml").read_text() == DEAF


def test_one_search_at_a_time_and_a_cancelled_one_leaves_nothing(context):
    async def teach():
        async with teacher(context) as ask:
            await ask("/api/teach/fit", {"take": "mine", "trials": 1000})
            second = await ask("/api/teach/fit", {"take": "mine"})
            told = (await found(ask, lambda state: state["search"]["done"]))["search"]
            (process,) = searching()
            niceness = process.nice()
            cancelled = await ask("/api/teach/cancel", {})
            gone = not process.is_running()
            kept = await ask("/api/teach/keep", {})
            await ask("/api/teach/fit", {"take": "mine", "trials": 1000})
        return second, told, niceness, cancelled, gone, kept

    second, told, niceness, cancelled, gone, kept = asyncio.run(teach())
    assert (second[0], "is being fitted already; wait for it, or cancel it" in second[1]["error"]) == (
        400,
        True,
    )
    assert (told["take"], told["trials"], told["before"] <= told["best"]) == ("mine", 1000, True)
    assert niceness == 19
    assert (cancelled[0], cancelled[1]["search"], gone) == (200, None, True)
    assert (kept[0], "nothing to write" in kept[1]["error"]) == (400, True)
    assert searching() == []  # the page that ended has ended its search
    assert (context.config_path.parent / "mine.yaml").read_text() == DEAF


def test_a_kit_that_was_changed_meanwhile_is_not_written_over(context):
    changed = DEAF.replace("3.4", "3.3")

    async def teach():
        async with teacher(context) as ask:
            await ask("/api/teach/fit", {"take": "mine", "trials": 4})
            await found(ask)
            (context.config_path.parent / "mine.yaml").write_text(changed)
            kept = await ask("/api/teach/keep", {})
            return kept, await ask("/api/teach/cancel", {})

    kept, discarded = asyncio.run(teach())
    assert (kept[0], "changed meanwhile; nothing was written" in kept[1]["error"]) == (409, True)
    assert discarded[1]["search"] is None
    assert (context.config_path.parent / "mine.yaml").read_text() == changed


def test_a_search_that_dies_is_told(context):
    async def teach():
        async with teacher(context) as ask:
            await ask("/api/teach/fit", {"take": "mine", "trials": 1000})
            (process,) = searching()
            process.kill()
            return await found(ask)

    state = asyncio.run(teach())
    assert (state["search"], state["problem"]) == (None, "the search has been killed by SIGKILL; try again")


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (
            "fit",
            {"take": "short"},
            "the take short has 6 true hits; 15 and more are needed: play along for more bars",
        ),
        ("fit", {"take": "bare"}, "the take bare has no true hits; play along here, or mark them in Takes"),
        ("fit", {"take": "../mine"}, "'../mine' is no name for a take"),
        ("fit", {}, "there is no take to fit to; play along first"),
        (
            "fit",
            {"take": "mine", "trials": 0},
            "the number of kits to try is 0; allowed are whole numbers 1..1000",
        ),
        ("fit", {"take": "mine", "kit": 1}, "the kit number 1 is not known"),
        (
            "start",
            {"pattern": "rock", "bpm": 120, "bars": 4},
            "no instrument plays, so nothing can be recorded",
        ),
        ("stop", {}, "nobody plays along"),
        ("choices?kit=99999", None, "the kit number is 99999; allowed are whole numbers 0..0"),
        ("keep", {}, "there is nothing to write; fit a take first"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(context, path, body, sentence):
    async def teach():
        async with teacher(context) as ask:
            return await ask(f"/api/teach/{path}", body)

    status, told = asyncio.run(teach())
    assert (status, told["error"][: len(sentence)]) == (400, sentence)


def test_a_take_with_too_few_strokes_says_what_to_check(lesson):
    still = replace(lesson.take, frames=lesson.take.frames[:120])
    with pytest.raises(
        UsageError, match="of 0 strokes that were seen, nothing is the pattern rock at 120 a minute; check"
    ):
        practised("mine", still, Config(), load_kit("rock", None), "rock", 120.0)
