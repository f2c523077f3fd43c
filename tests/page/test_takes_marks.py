"""The tab Takes in a real browser: true hits edited by hand, a take's film, and the library; a take recorded."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from page.browser import browsed, demand
from page.filmed import film

from lalelu.hits import read_hits
from lalelu.page.context import Context
from lalelu.take import read_take

pytestmark = pytest.mark.browser
GOLDEN = Path(__file__).parents[1] / "golden"
LIMB = "right_wrist"


@pytest.fixture
def context(tmp_path, expect):
    demand(expect)
    folder = tmp_path / "takes"
    folder.mkdir()
    for ending in ("take.gz", "truth.jsonl"):
        shutil.copy(GOLDEN / f"rock_100.{ending}", folder / f"mine.{ending}")
    shutil.copy(GOLDEN / "kit.yaml", tmp_path / "golden.yaml")
    (tmp_path / "lalelu.yaml").write_text("kit: golden.yaml\n")
    return Context(None, tmp_path / "lalelu.yaml", folder)


class Trace:
    """One limb's trace, as a hand works on it."""

    def __init__(self, page):
        self.page = page
        self.canvas = page.get_by_role("application", name=re.compile(f"^{LIMB} of player 0"))

    async def window(self):
        return [float(await self.canvas.get_attribute(f"data-{end}")) for end in ("from", "to")]

    async def place(self, time_s, y=40):
        await self.canvas.scroll_into_view_if_needed()
        box = await self.canvas.bounding_box()
        start, end = await self.window()
        return box["x"] + (time_s - start) / (end - start) * box["width"], box["y"] + y

    async def drag(self, from_s, to_s):
        """Drag a mark, and wait until the truth is written."""
        mouse = self.page.mouse
        await mouse.move(*await self.place(from_s))
        await mouse.down()
        await mouse.move(*await self.place(to_s), steps=4)
        async with self.page.expect_response("**/api/takes/truth"):
            await mouse.up()

    async def click(self, time_s):
        async with self.page.expect_response("**/api/takes/truth"):
            await self.page.mouse.click(*await self.place(time_s))

    async def wait_for_window(self, condition):
        """Wait until `condition`, JavaScript of `from` and `to`, holds."""
        look = f"canvas => ((from, to) => {condition})(+canvas.dataset.from, +canvas.dataset.to)"
        await self.page.wait_for_function(look, arg=await self.canvas.element_handle())


def test_marks_are_dragged_added_and_deleted_and_the_film_follows(context):
    from playwright.async_api import expect

    times_s = film(context.takes / "mine.take.gz")
    truth = context.takes / "mine.truth.jsonl"

    def marks():
        return [hit.time_s for hit in read_hits(truth) if hit.limb == LIMB]

    begun = marks()
    mark, following = begun[1], begun[2]
    free = (mark + following) / 2  # no stroke ends near

    async def look():
        async with browsed(context, "takes") as page:
            trace = Trace(page)
            await page.get_by_role("button", name="mine").click()
            await expect(trace.canvas).to_have_attribute("data-marks", str(len(begun)))

            snapping = page.get_by_label("snap to the stroke")
            await trace.drag(mark, mark + 0.04)
            assert abs(marks()[1] - mark) < 0.02  # where the stroke ends
            await snapping.uncheck()
            at = marks()[1]
            await trace.drag(at, at + 0.04)
            assert abs(marks()[1] - at - 0.04) < 0.012  # where it was left, but for a pixel
            await trace.click(free)
            await expect(trace.canvas).to_have_attribute("data-marks", str(len(begun) + 1))
            assert min(abs(time_s - free) for time_s in marks()) < 0.012
            async with page.expect_response("**/api/takes/truth"):
                await trace.canvas.press("Delete")  # the one that was added
            await expect(trace.canvas).to_have_attribute("data-marks", str(len(begun)))
            assert marks()[0] == begun[0]
            assert marks()[2] == following

            picture = page.locator(".film img")
            await page.mouse.move(*await trace.place(times_s[30]))
            await expect(picture).to_have_attribute("alt", f"the player at {times_s[30]:.2f} s")
            assert await picture.evaluate("image => image.naturalWidth") == 320

            start, end = await trace.window()
            await page.mouse.wheel(0, -200)
            await trace.wait_for_window(f"to - from < {0.9 * (end - start)}")
            zoomed = await trace.window()
            await trace.canvas.press("ArrowLeft")
            await trace.wait_for_window(f"from < {zoomed[0]}")
            await trace.canvas.press("-")
            await trace.wait_for_window(f"to - from > {0.95 * (end - start)}")

    asyncio.run(look())


def test_a_take_is_renamed_noted_and_moved_to_the_trash_with_its_film(context):
    from playwright.async_api import expect

    film(context.takes / "mine.take.gz")

    async def look():
        async with browsed(context, "takes", width=390, height=844) as page:
            library = page.get_by_role("list", name="Takes")
            await library.get_by_role("button", name="mine").click()
            await page.get_by_label("Name", exact=True).fill("slow song")
            await page.get_by_role("button", name="Rename").click()
            renamed = library.get_by_role("button", name="slow song")
            await expect(renamed).to_contain_text("35 true hits, with film")
            await page.get_by_label("Note", exact=True).fill("the good one")
            await page.get_by_role("button", name="Keep the note").click()
            await expect(renamed).to_contain_text("the good one")
            await expect(page.locator(".film img")).to_have_attribute("alt", re.compile("the player at"))
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await page.get_by_role("button", name="Delete the take").click()
            await expect(renamed).to_have_count(0)

    asyncio.run(look())
    assert sorted(path.name for path in (context.takes / "trash").iterdir()) == [
        f"slow song.{ending}" for ending in ("film.mkv", "note.txt", "take.gz", "truth.jsonl")
    ]
    assert [path.name for path in context.takes.iterdir()] == ["trash"]


def test_the_record_button_records_what_is_played(monkeypatch, tmp_path, request):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    played = request.getfixturevalue("played")
    page = request.getfixturevalue("tab")(f"{played.url}#takes")
    page.get_by_label("with film").check()
    page.get_by_role("button", name="Record").click()
    stop = page.get_by_role("button", name="Stop: ")
    stop.wait_for()
    name = stop.inner_text().removeprefix("Stop: ")
    played.wait_for_notes(4)
    stop.click()
    page.locator(".takes p[role=status]").get_by_text(f"recorded the take {name}; no picture").wait_for()
    page.get_by_role("list", name="Takes").get_by_role("button", name=name).click()
    page.locator(".takes figcaption").get_by_text("left wrist").wait_for()
    page.get_by_role("button", name="Begin with what was heard").click()
    page.get_by_text(re.compile(r"^[1-9]\d* true hits$")).wait_for()
    (file,) = tmp_path.glob("data/lalelu/takes/*.take.gz")
    assert len(read_take(file).frames) > 10
    assert played.end().code == 0
