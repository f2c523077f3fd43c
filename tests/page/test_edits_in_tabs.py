"""Editing in the tabs Takes and Tune, by keys, fingers and several players, while files have mistakes."""

import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from page.browser import LAUNCH, demand
from page.served import served
from playwright.async_api import async_playwright
from playwright.async_api import expect as shown

from lalelu.config.loader import load_config
from lalelu.hits import read_hits
from lalelu.page.context import Context
from lalelu.page.live_routes import packed

GOLDEN = Path(__file__).parents[1] / "golden"
LENGTH_S = 6.99  # of rock_100
OTHER_FINGER = """(node, {x, y}) => node.dispatchEvent(
    new PointerEvent("pointermove", {pointerId: 99, bubbles: true, clientX: x, clientY: y}))"""

pytestmark = pytest.mark.browser


@pytest.fixture
def context(tmp_path, expect):
    demand(expect)
    (tmp_path / "lalelu.yaml").write_text("kit: rock\n")
    (tmp_path / "takes").mkdir()
    return Context(None, tmp_path / "lalelu.yaml", tmp_path / "takes")


@asynccontextmanager
async def opened(context, tab, *, live=None, refused="-"):
    """A tab of the page; a message on the browser's console fails the test, but for answers of the status `refused`."""
    said = []
    async with served(context) as client, async_playwright() as playwright:
        browser = await playwright.chromium.launch(**LAUNCH)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda message: message.type == "error" and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        if live is not None:
            await page.route_web_socket("**/live", live)
        await page.goto(f"http://127.0.0.1:{client.port}/#{tab}")
        yield page
        await browser.close()
    assert [line for line in said if refused not in line] == []


def test_a_mark_is_moved_by_keys_again_and_again_and_by_one_finger_only(context):
    shutil.copy(GOLDEN / "rock_100.take.gz", context.takes / "mine.take.gz")
    (context.takes / "broken.take").write_text("nothing\n")
    truth = context.takes / "mine.truth.jsonl"
    truth.write_text(json.dumps({"time_s": 2.0000004, "limb": "left_wrist"}) + "\n")

    async def look():
        async with opened(context, "takes") as page:
            await page.get_by_role("button", name="mine").click()
            canvas = page.locator("canvas").first
            await shown(canvas).to_have_attribute("data-marks", "1")
            await canvas.press("n")
            for _ in range(3):
                async with page.expect_response("**/api/takes/truth"):
                    await canvas.press(".")
            box = await canvas.bounding_box()
            at = {"x": box["x"] + 2.03 / LENGTH_S * box["width"], "y": box["y"] + 40}
            await page.mouse.move(**at)
            await page.mouse.down()
            await canvas.evaluate(OTHER_FINGER, {**at, "x": at["x"] + 100})
            await page.mouse.up()
            await canvas.click(position={"x": 20, "y": 40}, button="right")
            async with page.expect_response("**/api/takes/truth"):
                await canvas.click(position={"x": box["width"] / 2, "y": 40})
            await shown(canvas).to_have_attribute("data-marks", "2")
            await page.get_by_role("button", name="Delete broken").click()
            await shown(page.get_by_role("listitem")).to_have_count(1)

    asyncio.run(look())
    assert [hit.time_s for hit in read_hits(truth)] == [2.03, pytest.approx(LENGTH_S / 2, abs=0.1)]
    assert (context.takes / "trash" / "broken.take").exists()


def test_a_mistake_in_the_files_leaves_the_tab_usable_until_it_is_mended(context):
    def write(text):
        context.config_path.write_text(text)

    async def look():
        async with opened(context, "tune") as page:
            said = page.locator("#panel-tune").get_by_role("status")
            pad = page.locator("[data-pad=snare]")
            for _ in range(2):  # while the tab is open, and when it opens
                await shown(said).to_contain_text("lalelu.yaml:1: left_handed is 3")
                await page.get_by_role("button", name="Mirror view").click()
                await page.locator("#panel-tune svg").click(position={"x": 5, "y": 5})
                write("kit: rock\n")
                await page.evaluate("window.dispatchEvent(new Event('focus'))")
                await shown(said).to_be_empty()
                await shown(pad).to_be_visible()
                write("left_handed: 3\n")
                await page.evaluate("window.dispatchEvent(new Event('focus'))")
            await shown(pad).to_be_visible()  # what stood there before

    write("left_handed: 3\n")
    asyncio.run(look())


def test_another_player_s_strokes_teach_nothing_and_a_preset_is_replaced_when_asked_twice(context):
    sockets = []

    def catch(socket):
        sockets.append(socket)

    def stroke(x, player):
        return {
            "rule": None,
            "limb": "right_wrist",
            "pad": None,
            "x": x,
            "y": 0.3,
            "speed": 5.0,
            "player": player,
        }

    async def look():
        async with opened(context, "tune", live=catch, refused="409") as page:
            said = page.locator("#panel-tune").get_by_role("status")
            await page.get_by_label("Pad", exact=True).select_option("ride")
            await page.get_by_role("button", name="Learn by touch").click()
            strokes = [stroke(1.3, 1), stroke(3.0, 0), stroke(1.4, 1), stroke(3.0, 0), stroke(1.5, 1)]
            sockets[0].send(packed({"verdicts": strokes}))
            await shown(said).to_contain_text("ride lies around 1.40, 0.30 now")
            await page.get_by_label("Name of a preset of your own").fill("evening")
            keep = page.get_by_role("button", name="Save as a preset")
            for sentence in ("Kept as evening.", "there is a preset 'evening' already", "Kept as evening."):
                await keep.click()
                await shown(said).to_contain_text(sentence)

    asyncio.run(look())
    assert load_config(context.config_path).kit.pads["ride"].zone.ellipse[0] == 1.4
