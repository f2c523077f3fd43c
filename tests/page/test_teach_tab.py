"""The tab Teach in a real browser, while an instrument plays: played along, fitted, written."""

import numpy as np
import pytest
from gesture.drummer import poses, stamps, still
from page.conftest import ANY_PORT, PlayedPage
from system.conftest import place  # noqa: F401 - a fixture

from lalelu.config.loader import load_kit
from lalelu.take import TakeFrame, TakeHeader, TakeWriter, read_take

pytestmark = pytest.mark.browser

BPM = 240.0  # eighths of two hands in turns: each strikes 4 times a second
HEIGHT = 0.25  # body units: 3.1 body units/s at most, which the kit does not take for strokes
KIT = """# my own
name: mine
strike: {min_speed: 3.4}  # too much
pads:
  snare: {note: acoustic_snare, zone: {box: [-0.5, -1.2, 0.5, -1.0]}}
"""
CONFIG = """kit: mine.yaml
realtime: {{core: none, priority: 0}}
page: {{at: {page}}}
takes: {{dir: {takes}}}
"""
# plays four beats into a buffer, and returns when it becomes loud
CLICKS = """async () => {
  const rate = 48_000;
  const audio = new OfflineAudioContext(1, 2 * rate, rate);
  audio.resume = async () => {};
  const real = window.AudioContext;
  window.AudioContext = function () { return audio; };
  const { Click } = await import("/static/teach_click.js");
  await new Click().start(240, 4, 4);
  window.AudioContext = real;
  const samples = (await audio.startRendering()).getChannelData(0);
  let quiet = rate;
  return [...samples.keys()].filter((at) => {
    const isLoud = Math.abs(samples[at]) > 0.02;
    const begins = isLoud && quiet > rate / 10;
    quiet = isLoud ? 0 : quiet + 1;
    return begins;
  }).map((at) => at / rate);
}"""


@pytest.fixture
def played(place):  # noqa: F811 - a fixture
    """An instrument that sees the pattern `single` without end."""
    (place / "mine.yaml").write_text(KIT)
    (place / "lalelu.yaml").write_text(CONFIG.format(page=ANY_PORT, takes=place / "takes"))
    t = stamps(4.0)
    hands = [still(t, (x, -1.15)) for x in (-0.2, 0.2)]
    for path, phase in zip(hands, (0.5, 0.0), strict=True):
        path[:, 1] += HEIGHT * 0.5 * (1.0 - np.cos(2.0 * np.pi * (4.0 * t + phase)))
    with TakeWriter(place / "single.take", TakeHeader("a stage", 100.0, 640, 480)) as take:
        for pose in poses(t, *hands):
            take.write(TakeFrame(pose.seq, pose.captured_ns, (pose,)))
    camera = f"take:{place / 'single.take'}?repeat=true"
    instrument = PlayedPage(place, camera=camera, config=place / "lalelu.yaml")
    yield instrument
    if instrument.process.poll() is None:
        instrument.end()


def test_a_pattern_is_played_fitted_and_written(played, tab):
    page = tab(f"{played.url}#teach", width=390, height=844)
    page.get_by_label("Pattern").select_option("single")
    clicks = page.evaluate(CLICKS)
    assert np.diff(clicks) == pytest.approx([60.0 / BPM] * 3, abs=0.002)
    page.get_by_label("Tempo").fill(f"{BPM:g}")
    page.get_by_label("Bars").fill("4")
    page.get_by_role("button", name="Start").press("Enter")
    page.locator(".cell.now").first.wait_for()
    page.get_by_text("strokes of the pattern were played").wait_for()  # it stops by itself
    page.get_by_label("Search").select_option("20")
    page.get_by_role("button", name="Fit the kit").press("Enter")
    page.get_by_role("table").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Write to the kit").press("Enter")
    page.get_by_text("options changed; Undo in Tune takes that back").wait_for()
    (file,) = (played.folder / "takes").glob("*.take.gz")
    assert read_take(file).header.more["practice"] == {"pattern": "single", "bpm": BPM}
    text = (played.folder / "mine.yaml").read_text()
    assert ("# my own" in text, "# too much" in text) == (True, True)
    kit = load_kit("mine.yaml", played.folder)
    assert kit.strike.min_speed < 3.2
    assert kit.pads["snare"].zone.box == (-0.5, -1.2, 0.5, -1.0)  # the strokes are there already
