"""The tab Takes: its routes, the tab in a real browser, and a take recorded while an instrument plays."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from page.browser import browsed, demand
from page.filmed import film, picture
from page.served import served, talk
from system.stage import lalelu

from lalelu.channel import BoardReader
from lalelu.config.loader import load_config
from lalelu.hits import read_hits
from lalelu.page.context import Context
from lalelu.take import read_take

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "takes"
    folder.mkdir()
    shutil.copy(GOLDEN / "rock_100.take.gz", folder / "mine.take.gz")
    shutil.copy(GOLDEN / "kit.yaml", tmp_path / "golden.yaml")
    (tmp_path / "lalelu.yaml").write_text("kit: golden.yaml\n")
    return Context(None, tmp_path / "lalelu.yaml", folder)


def test_truth_begins_with_what_was_heard_and_is_edited_with_marks_that_snap(context):
    begun, added, undone, far = talk(
        context,
        ("/truth", {"do": "begin"}),
        ("/truth", {"do": "add", "snap": True, "hit": {"time_s": 0.3, "limb": "left_wrist", "player": 0}}),
        ("/truth", {"do": "undo"}),
        ("/truth", {"do": "delete", "hit": {"time_s": 99, "limb": "left_wrist"}}),
    )
    assert [answer[0] for answer in (begun, added, undone, far)] == [200, 200, 200, 400]
    hits = begun[1]["truth"]
    assert (len(hits), len(added[1]["truth"])) == (35, 36)
    assert undone[1] == {"truth": hits, "undo": 1}
    assert "has no true hit at 99.000 s any more" in far[1]["error"]
    assert len(read_hits(context.takes / "mine.truth.jsonl")) == 35


def test_a_moved_mark_snaps_to_the_stroke(context):
    ((_, begun),) = talk(context, ("/truth", {"do": "begin"}))
    first = begun["truth"][0]
    moves = [
        ("/truth", {"do": "move", "hit": first, "to_s": first["time_s"] + 0.04, "snap": snap})
        for snap in (True, False)
    ]
    (_, snapped), (_, free) = talk(context, *moves)
    assert snapped["truth"][0]["time_s"] == pytest.approx(first["time_s"], abs=1e-5)
    assert free["truth"][0]["time_s"] == pytest.approx(first["time_s"] + 0.04, abs=1e-5)


def test_the_edited_kit_is_compared_with_the_one_of_the_beginning(context):
    async def ask():
        async with served(context) as client:
            kit = context.config_path.with_name("golden.yaml")
            kit.write_text(kit.read_text() + "strike: {min_speed: 4.0}\n")
            async with client.post("/api/takes/compare", json={"take": "mine"}) as answer:
                return await answer.json()

    told = asyncio.run(ask())
    assert told["sentence"].endswith("hits")
    assert told["all"]["lost"] > 0


def kit_with(context, **changes):
    """What a browser sends: the kit as the page tells it, with other values."""
    kit = load_config(context.config_path).kit.model_dump(mode="json")
    return {**kit, **{name: {**kit[name], **values} for name, values in changes.items()}}


def test_a_kit_that_is_not_saved_is_compared_with_the_one_that_is(context):
    same, deaf = (
        {"kit": kit_with(context, **changes), "kit_number": 0}
        for changes in ({}, {"strike": {"min_speed": 4.0}})
    )
    kit = context.config_path.with_name("golden.yaml")
    text = kit.read_text()
    (_, as_before), (status, fewer) = talk(context, ("/compare", same), ("/compare", deaf))
    assert as_before["sentence"] == "no difference: the same 35 hits"
    assert (status, fewer["sentence"]) == (200, f"-{fewer['all']['lost']} hits")
    assert fewer["all"]["lost"] > 0
    assert kit.read_text() == text


def test_a_kit_with_mistakes_is_refused_with_the_place_of_each(context):
    wrong = kit_with(context, strike={"min_speed": "fast"})
    wrong["pads"] = {**wrong["pads"], "new": {"note": 38, "zone": {"box": [1, 1, 0, 0]}}}
    ((status, told),) = talk(context, ("/compare", {"kit": wrong}))
    assert (status, told["error"]) == (422, told["problems"][0]["sentence"])
    assert {each["where"]: each["line"] for each in told["problems"]} == {
        "strike.min_speed": 0,
        "pads.new.zone": 0,
    }
    assert told["error"] == 'strike.min_speed is "fast"; allowed a number above 0, at most 20'


@pytest.mark.parametrize("number", [1, -1, "0", True])
def test_a_kit_number_that_is_none_is_refused(context, number):
    ((status, told),) = talk(context, ("/compare", {"kit": kit_with(context), "kit_number": number}))
    assert (status, told["error"]) == (400, f"kit_number is {number}; kits are numbered 0..0")


def test_the_picture_of_a_time_is_told_in_the_takes_own_seconds(context):
    times_s = film(context.takes / "mine.take.gz")

    async def ask():
        async with served(context) as client:
            async with client.get("/api/takes/show?take=mine") as answer:
                shown = await answer.json()
            pictures = []
            for time_s in (-1, times_s[7] + 0.02, 99):
                async with client.get(f"/api/takes/picture?take=mine&time_s={time_s}") as answer:
                    pictures.append((answer.content_type, await answer.read()))
            refused = []
            for query in ("take=mine", "take=mine&time_s=nan", "take=none&time_s=1"):
                async with client.get(f"/api/takes/picture?{query}") as answer:
                    refused.append(answer.status)
            return shown, pictures, refused

    shown, pictures, refused = asyncio.run(ask())
    assert shown["film"] == times_s
    assert pictures == [("image/jpeg", picture(number)) for number in (0, 7, len(times_s) - 1)]
    assert refused == [400, 400, 400]
    (context.takes / "mine.film.mkv").write_bytes(b"no film")
    ((_, shown),) = talk(context, ("/show?take=mine",))
    assert (shown["film"], "mine.film.mkv cannot be read" in shown["problems"][0]) == ([], True)


def test_an_edited_kit_with_another_delay_is_compared_with_the_files(context):
    loaded = load_config(context.config_path)
    kit = json.loads(loaded.kit.model_dump_json())
    timing = {**loaded.config.timing.model_dump(mode="json"), "delay_ms": 30}
    same, later, wrong = (
        answer
        for _, answer in talk(
            context,
            ("/compare", {"kit": kit}),
            ("/compare", {"kit": kit, "timing": timing}),
            ("/compare", {"kit": kit, "timing": {**timing, "delay_ms": "x"}}),
        )
    )
    assert same["sentence"] == "no difference: the same 35 hits"
    assert later["sentence"].endswith("ms later")
    assert wrong["error"].startswith("the edited timing is not valid")


def test_without_an_instrument_nothing_is_recorded(context):
    ((status, told), (_, listed)) = talk(context, ("/record", {"on": True}), ("",))
    assert (status, "no instrument plays" in told["error"]) == (400, True)
    assert [take["name"] for take in listed["takes"]] == ["mine"]


@pytest.mark.browser
def test_a_take_is_listed_its_truth_edited_and_compared(context, request):
    demand(request.getfixturevalue("expect"))
    from playwright.async_api import expect

    async def look():
        async with browsed(context, "takes") as page:
            await page.get_by_role("button", name="mine").click()
            canvas = page.locator("canvas").first
            await expect(canvas).to_have_attribute("data-marks", "0")
            await page.get_by_role("button", name="Begin with what was heard").click()
            await expect(page.locator(".takes [role=status]").first).to_have_text("35 true hits")
            before = int(await canvas.get_attribute("data-marks"))
            await canvas.press("n")
            await canvas.press("Delete")
            await expect(canvas).to_have_attribute("data-marks", str(before - 1))
            box = await canvas.bounding_box()
            await canvas.click(position={"x": box["width"] / 80, "y": 40})
            await expect(canvas).to_have_attribute("data-marks", str(before))
            await page.get_by_role("button", name="Compare with the edited kit").click()
            await expect(page.locator("#take-result")).to_contain_text("no difference: the same 35 hits")

    asyncio.run(look())
    hits = read_hits(context.takes / "mine.truth.jsonl")
    assert len(hits) == 35
    assert hits[0].time_s < 0.3


def test_a_take_is_recorded_while_an_instrument_plays(monkeypatch, tmp_path, request):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    played = request.getfixturevalue("played")
    told = lalelu("take", "start")
    assert told.code == 0, told.err
    recording = BoardReader(played.session / "desk").value()["recording"]
    played.wait_for_notes(4)
    assert lalelu("take", "start").code == 2
    told = lalelu("take", "stop")
    assert (told.code, recording["take"] in told.err) == (0, True)
    assert played.end().code == 0
    (file,) = tmp_path.glob("data/lalelu/takes/*.take.gz")
    take = read_take(file)
    assert len(take.frames) > 10
    assert all(len(frame.poses) == 1 for frame in take.frames)
