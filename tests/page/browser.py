"""The browser of the page's tests: Debian's Chromium."""

import os
from contextlib import asynccontextmanager
from pathlib import Path

from page.served import served

PATH = Path(os.environ.get("LALELU_CHROMIUM", "/usr/bin/chromium"))
LAUNCH = {"executable_path": str(PATH), "args": ["--no-sandbox", "--disable-dev-shm-usage"]}
PATIENCE_MS = 45_000  # with a browser on a busy machine


def demand(expect):
    """Skip the test, or fail it where a browser is expected, when there is none."""
    if not PATH.exists():
        expect("chromium", f"there is no {PATH}")


@asynccontextmanager
async def browsed(context, tab, *, width=1280, height=800):
    """A tab of a page that nobody plays; nothing may stand in its console at the end."""
    from playwright.async_api import async_playwright, expect

    wrong = []
    expect.set_options(timeout=PATIENCE_MS)
    async with served(context) as client, async_playwright() as driver:
        browser = await driver.chromium.launch(**LAUNCH)
        page = await browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(f"http://127.0.0.1:{client.port}/#{tab}")
        yield page
        await browser.close()
    assert wrong == []
