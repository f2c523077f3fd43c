"""Instruments with a page, and a browser that looks at it."""

import pytest
from page.browser import LAUNCH, PATIENCE_MS, demand
from system.conftest import place  # noqa: F401 - a fixture
from system.played import Played
from system.stage import write_take

from lalelu.channel import BoardReader

ANY_PORT = '"127.0.0.1:0"'


class PlayedPage(Played):
    """`lalelu run` with a page on a free port."""

    def __init__(self, folder, *, camera=None, **options):
        if camera is None:  # over and over: a busy machine's browser takes its time
            camera = f"take:{write_take(folder / 'source.take', seconds=12)}?repeat=true"
        super().__init__(folder, page=ANY_PORT, camera=camera, **options)

    @property
    def url(self):
        desk = BoardReader(self.session / "desk")
        self.wait(lambda: desk.value().get("pid") == self.pid("desk") and "page" in desk.value())
        return desk.value()["page"]


@pytest.fixture
def played(place):  # noqa: F811 - a fixture
    """An instrument that plays, with a page."""
    instrument = PlayedPage(place)
    instrument.wait_for_notes()
    yield instrument
    if instrument.process.poll() is None:
        instrument.end()


@pytest.fixture
def chromium(expect):
    """A headless browser."""
    demand(expect)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(**LAUNCH)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """Opens a tab of a size; at the end nothing may stand in its console."""
    wrong = []

    def opened(url, width=1280, height=800):
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(url)
        return page

    yield opened
    assert wrong == []
