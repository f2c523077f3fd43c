"""The tab Tune in a real browser."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from page.browser import LAUNCH, demand
from page.served import served
from playwright.async_api import async_playwright, expect

from lalelu.config.loader import load_config
from lalelu.page.context import Context
from lalelu.page.live_routes import packed

pytestmark = pytest.mark.browser
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def config(tmp_path, expect):
    demand(expect)
    (tmp_path / "lalelu.yaml").write_text("# mine\nkit: rock  # loud\n")
    return tmp_path / "lalelu.yaml"


@asynccontextmanager
async def tune_tab(config, *, width=1280, height=800, live=None, takes=Path("takes")):
    """The page, the tab open; a message on the browser's console fails the test. `live` takes over the live socket."""
    said = []
    async with served(Context(None, config, takes)) as client, async_playwright() as playwright:
        browser = await playwright.chromium.launch(**LAUNCH)
        page = await browser.new_page(viewport={"width": width, "height": height})
        page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
        if live is not None:
            await page.route_web_socket("**/live", live)
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(f"http://127.0.0.1:{client.port}/#tune")
        await expect(page.locator("[data-pad=snare]")).to_be_visible()
        yield page
        await browser.close()
    # of a refused value the browser itself tells the status
    assert [line for line in said if "status of 422" not in line and "status of 400" not in line] == []


async def written(page):
    await expect(page.locator("#panel-tune")).to_have_attribute("aria-busy", "false")


async def drag(page, locator, dx, dy):
    box = await locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + dx, y + dy, steps=4)
    await page.mouse.up()
    await written(page)


def test_a_dragged_pad_and_a_moved_slider_are_written_with_the_comments_kept(config):
    before = load_config(config)
    text = before.files[1].read_text()
    old = before.kit.pads["snare"].zone.box

    async def tune():
        async with tune_tab(config) as page:
            await drag(page, page.locator("[data-pad=snare] .zone"), 40, -30)
            await page.locator("[data-path='pads.snare.sensitivity'] input[type=range]").fill("1.5")
            await written(page)
            moved = load_config(config).kit.pads["snare"].zone.box
            await drag(page, page.locator("[data-pad=snare] [data-handle='2']"), 20, -10)
            await page.keyboard.press("Control+z")
            await expect(page.get_by_role("button", name="Redo")).to_be_enabled()
            return moved

    left, low, right, high = asyncio.run(tune())
    assert left > old[0]  # a mirror's right is the player's right
    assert low > old[1]
    assert (right - left, high - low) == pytest.approx((old[2] - old[0], old[3] - old[1]))
    now = load_config(config)
    assert (now.kit.pads["snare"].zone.box, now.kit.pads["snare"].sensitivity) == (
        (left, low, right, high),
        1.5,
    )
    kept = [line for line in text.splitlines() if line not in now.files[1].read_text().splitlines()]
    assert [line.split()[0] for line in kept] == ["snare:"]
    assert config.read_text() == "# mine\nkit: kits/rock.yaml # loud\n"


def test_a_broken_value_is_refused_with_the_message_beside_the_field_on_a_phone_too(config):
    async def tune():
        async with tune_tab(config, width=390, height=844) as page:
            field = page.locator("[data-path='strike.mask_ms']")
            await field.locator("input[type=number]").fill("3")
            await page.keyboard.press("Tab")
            await expect(field.get_by_role("alert")).to_contain_text("strike.mask_ms is 3; allowed")
            assert config.read_text() == "# mine\nkit: rock  # loud\n"
            await field.locator("input[type=number]").fill("70")
            await page.keyboard.press("Tab")
            await expect(field.locator(".error")).to_be_empty()
            await written(page)
            return await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    assert asyncio.run(tune())  # nothing sticks out to the side
    assert load_config(config).kit.strike.mask_ms == 70


def test_a_pad_is_learned_by_touch_and_changes_are_shown(config):
    sockets = []

    def catch(socket):
        sockets.append(socket)

    def stroke(x, rule=None, limb="right_wrist"):
        return {
            "rule": rule,
            "limb": limb,
            "pad": None,
            "x": x,
            "y": 0.3,
            "speed": 5.0,
            "player": 0,
            "t": 0,
            "why": "",
        }

    async def tune():
        async with tune_tab(config, live=catch) as page:
            await page.get_by_label("Pad", exact=True).select_option("ride")
            await page.get_by_role("button", name="Learn by touch").click()
            said = page.locator("#panel-tune").get_by_role("status")
            sockets[0].send(
                packed({"verdicts": [stroke(3.0, "landing"), stroke(3.0, limb="nose"), stroke(1.3)]})
            )
            await expect(said).to_have_text("ride: 1 of 3")
            sockets[0].send(packed({"verdicts": [stroke(1.4, "no_pad"), stroke(1.5)]}))
            await expect(said).to_contain_text("ride lies around 1.40, 0.30 now")
            await page.get_by_role("button", name="Changes").click()
            await expect(page.locator(".diff .plus").last).to_contain_text("ellipse: [1.4, 0.3, 0.35, 0.3]")

    asyncio.run(tune())
    assert load_config(config).kit.pads["ride"].zone.ellipse == (1.4, 0.3, 0.35, 0.3)


def test_pads_are_added_tried_on_a_take_and_kept_as_one_step(config, tmp_path):
    shutil.copy(GOLDEN / "kit.yaml", tmp_path / "golden.yaml")
    (tmp_path / "takes").mkdir()
    shutil.copy(GOLDEN / "rock_100.take.gz", tmp_path / "takes" / "mine.take.gz")
    config.write_text("kit: golden.yaml\n")
    text = (tmp_path / "golden.yaml").read_text()

    async def tune():
        async with tune_tab(config, takes=tmp_path / "takes") as page:

            def button(name):
                return page.get_by_role("button", name=name, exact=True)

            await button("Try first").click()
            await button("Add a pad").click()
            await page.locator("#tune-new-note").select_option("cowbell")
            await button("Add it").click()
            await expect(page.locator("#tune-name")).to_have_value("cowbell")
            await page.locator("#tune-name").fill("snare")
            await page.keyboard.press("Tab")
            await expect(page.locator(".own-name .error")).to_contain_text("the kit has a pad snare already")
            await page.locator("#tune-name").fill("bell")
            await page.keyboard.press("Tab")
            await button("crash").click()
            await expect(button("crash")).to_have_attribute("aria-pressed", "true")
            await page.locator("[data-pad=snare]").click()
            await page.keyboard.press("Delete")
            await page.keyboard.press("Delete")
            await expect(page.locator("[data-pad=snare]")).to_have_count(0)
            await expect(page.locator(".draft [role=status]").first).to_contain_text("4 changes are drawn")
            await button("Compare").click()
            await expect(page.locator(".draft li")).to_have_text("snare: -7 hits")
            assert (tmp_path / "golden.yaml").read_text() == text
            await button("Keep").click()
            await expect(page.locator(".bar [role=status]")).to_have_text("Written, as one step.")
            kept = load_config(config).kit.pads
            await button("Undo").click()
            await expect(page.locator("[data-pad=snare]")).to_be_visible()
            return kept

    kept = asyncio.run(tune())
    assert "snare" not in kept
    assert (kept["bell"].note, kept["bell"].choke) == (56, kept["crash"].choke)
    assert (tmp_path / "golden.yaml").read_text() == text
