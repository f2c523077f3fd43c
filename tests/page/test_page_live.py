"""The Live tab in a real browser."""

import pytest

from lalelu.channel import BoardReader

pytestmark = pytest.mark.browser
LOOK_MS = 100  # between two looks at a canvas
PIXELS = """id => {
  const canvas = document.getElementById(id);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let place = 0; place < data.length; place += 1) sum = (sum * 31 + data[place]) >>> 0;
  return sum;
}"""


def drawn(page, canvas="stage"):
    return page.evaluate(PIXELS, canvas)


def wait_for_change(page, canvas="stage"):
    page.locator(f"#{canvas}").wait_for()
    before = drawn(page, canvas)
    page.wait_for_function(f"before => ({PIXELS})({canvas!r}) !== before", arg=before, polling=LOOK_MS)


def has_colour(page, colour):
    """Wait until the stage has a pixel of this colour (r, g, b)."""
    page.locator("#stage").wait_for()
    page.wait_for_function(
        """([red, green, blue]) => {
          const canvas = document.getElementById("stage");
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          for (let at = 0; at < data.length; at += 8) {
            if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) return true;
          }
          return false;
        }""",
        arg=list(colour),
        polling=LOOK_MS,
    )


def test_skeleton_pads_and_traces_are_drawn_and_standby_works(played, tab):
    page = tab(played.url)
    page.get_by_role("status").get_by_text("playing").wait_for()
    has_colour(page, (0x5E, 0xE2, 0x7A))  # a bone
    has_colour(page, (0xFF, 0xD1, 0x66))  # a pad, which flashes: it is struck three times a second
    for canvas in ("stage", "strip", "histogram"):
        wait_for_change(page, canvas)
    assert page.locator("#traces figcaption").all_inner_texts() == ["left wrist", "right wrist"]
    page.locator("#verdicts button.hit").first.click()
    assert page.locator("#why").inner_text().startswith("a stroke: fell")

    page.locator("#traces canvas").first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.getElementById('why').textContent.length > 20")

    engine = BoardReader(played.session / "engine")
    standby = page.get_by_role("button", name="Standby")
    standby.focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("standby: nothing sounds").wait_for()
    assert engine.value()["standby"] is True
    page.get_by_role("button", name="Play again").click()
    page.get_by_role("status").get_by_text("playing").wait_for()


def test_the_tabs_are_operated_by_keyboard_and_fit_a_phone(played, tab):
    page = tab(played.url, 390, 844)
    page.get_by_role("tab", name="Live").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Tune").get_attribute("aria-selected") == "true"
    assert page.locator("#panel-live").is_hidden()
    page.keyboard.press("ArrowLeft")
    wait_for_change(page)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "a phone scrolls sideways"
