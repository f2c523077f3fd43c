"""What the Live tab draws of a camera's picture, of several players, and after the connection was lost."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from page.shown import Shown
from system.stage import session_of, stage_plan

pytestmark = pytest.mark.browser
LOOK_MS = 100  # between two looks at a canvas
# Whether a keypoint, nearly white, is drawn in the middle of what is red in the picture.
ON_THE_MARK = """() => {
  const { width, height } = document.getElementById("stage");
  const { data } = document.getElementById("stage").getContext("2d").getImageData(0, 0, width, height);
  const places = { x: [], y: [] };
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] < 100 || data[at + 1] > 80 || data[at + 2] > 80) continue;
    places.x.push((at / 4) % width);
    places.y.push(Math.floor(at / 4 / width));
  }
  if (!places.x.length) return false;
  const middle = (axis) => Math.round((axis.reduce((a, b) => Math.min(a, b)) + axis.reduce((a, b) => Math.max(a, b))) / 2);
  const at = 4 * (middle(places.y) * width + middle(places.x));
  return [data[at], data[at + 1], data[at + 2]].every((colour) => colour > 200);
}"""  # noqa: E501


@pytest.fixture
def shown(tmp_path):
    """Begins to show players, by how many and on which kits."""
    with ExitStack() as opened:

        def begin(*, kits=("stage", {}), **options):
            plan = stage_plan(tmp_path, take=False)
            other = replace(plan, kits=(plan.kit, plan.kit.model_copy(update={"name": "other"})))
            session, bell = opened.enter_context(session_of(other, tmp_path))
            return opened.enter_context(Shown(session, bell, kits=kits, **options))

        yield begin


@pytest.mark.parametrize(("width", "height"), [(1366, 650), (390, 844)])
def test_the_skeleton_lies_on_the_picture(shown, tab, width, height):
    page = tab(shown().url, width, height)
    page.locator("#stage").wait_for()
    page.wait_for_function(ON_THE_MARK, polling=LOOK_MS)
    page.get_by_role("button", name="Mirror").click()
    page.get_by_role("button", name="Mirror", pressed=False).wait_for()
    page.wait_for_function(ON_THE_MARK, polling=LOOK_MS)


def test_two_players_are_told_apart_with_their_kits(shown, tab):
    page = tab(shown(players=2, kits=("stage", {1: "other"})).url)
    page.locator("#kit").get_by_text("player 1 stage, player 2 other").wait_for()
    page.locator("#traces figcaption").nth(3).wait_for()
    assert sorted(page.locator("#traces figcaption").all_inner_texts()) == [
        "left wrist",
        "left wrist, player 2",
        "right wrist",
        "right wrist, player 2",
    ]
    page.locator("#verdicts").get_by_text("wrist, player 2, hit").first.wait_for()


def test_a_page_that_comes_again_is_drawn_as_at_first_and_one_that_refuses_says_why(shown, chromium):
    instrument = shown()
    page = chromium.new_page()
    page.set_default_timeout(45_000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(instrument.url)
    status, captions = page.get_by_role("status"), page.locator("#traces figcaption")
    captions.first.wait_for()
    page.wait_for_function("Number(document.getElementById('fps').textContent) > 1")
    instrument.stop()
    status.get_by_text("no connection to lalelu").wait_for()
    assert captions.count() == 0
    assert page.locator("#fps").inner_text() == "\u2013"
    instrument.serve(token="a token of 20 chars.")
    status.get_by_text("a token is needed").wait_for()
    instrument.stop()
    instrument.serve()
    status.get_by_text("playing").wait_for()
    captions.first.wait_for()
    page.wait_for_function("Number(document.getElementById('fps').textContent) > 1")
    page.wait_for_function(ON_THE_MARK, polling=LOOK_MS)
    assert wrong == []


def test_a_line_that_is_being_read_stays_and_the_others_go(shown, tab):
    page = tab(shown().url)
    left = page.evaluate(
        """async () => {
          const { mount } = await import("/static/live.js");
          const [desk, holder] = [new EventTarget(), document.createElement("div")];
          document.body.append(holder);
          mount(holder, desk);
          const told = (t) => ({ t, player: 0, limb: "left_wrist", rule: null, why: "", pad: `p${t}` });
          const tell = (from) => {
            const verdicts = Array.from({ length: 40 }, (_, place) => told(from + place));
            desk.dispatchEvent(new CustomEvent("frame", { detail: { verdicts } }));
          };
          tell(0);
          const read = holder.querySelector("#verdicts").lastChild.firstChild;
          read.focus();
          tell(100);
          const lines = [...holder.querySelectorAll("#verdicts button")];
          return [lines.length, lines.at(-1) === read, lines.at(-2).textContent];
        }"""
    )
    assert left == [30, True, "left wrist, hit p111"]


def test_a_limb_s_trace_has_the_least_speeds_of_its_own_pads(shown, tab):
    page = tab(shown().url)
    least = page.evaluate(
        """async () => {
          const { padsOf } = await import("/static/stage.js");
          const { leastSpeeds } = await import("/static/traces.js");
          const pad = (name, threshold, players) => ({ name, threshold, players, limbs: ["left_wrist"] });
          const pads = [pad("floor_tom", 2, null), pad("ride", 4, [0]), pad("snare", 2, [1]), pad("bell", 2, [0])];
          return leastSpeeds(padsOf({ kits: { rock: { pads } } }, "rock", 0));
        }"""
    )
    assert least == [{"speed": 2, "names": ["floor tom", "bell"]}, {"speed": 4, "names": ["ride"]}]
