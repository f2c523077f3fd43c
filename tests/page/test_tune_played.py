"""What is changed in the tab Tune is heard with the next strokes."""

import numpy as np
import pytest

from lalelu.channel import RingReader
from lalelu.config.loader import load_config
from lalelu.ledger.schema import NOTE_DTYPE

pytestmark = pytest.mark.browser

SOFT = 30  # velocity; the take's strokes have twice as much and more


def heard(played, condition):
    """Wait until the velocities of four notes in a row fulfil `condition`."""
    notes = RingReader(played.session / "notes")

    def is_so():
        rows = np.frombuffer(b"".join(notes.read(max(0, notes.head - 4)).records), NOTE_DTYPE)
        return len(rows) == 4 and condition(rows["velocity"])

    played.wait(is_so)


def test_a_dragged_pad_and_a_moved_slider_change_the_file_and_the_next_hits(played, tab):
    page = tab(f"{played.url}#tune")
    page.locator(".stroke:not(.silent)").first.wait_for()
    heard(played, lambda velocities: min(velocities) > SOFT)
    page.get_by_label("Pad", exact=True).select_option("left")
    page.get_by_label("Sensitivity, slider").fill("0.2")
    pad = page.locator("[data-pad=right] .zone").bounding_box()
    page.mouse.move(pad["x"] + pad["width"] / 2, pad["y"] + pad["height"] / 2)
    page.mouse.down()
    page.mouse.move(pad["x"] + pad["width"] / 2 + 60, pad["y"] - pad["height"], steps=4)
    page.mouse.up()
    heard(played, lambda velocities: max(velocities) < SOFT)  # the left one alone, softly
    page.locator(".stroke.silent").first.wait_for()
    page.get_by_role("button", name="Undo").click()
    heard(played, lambda velocities: max(velocities) > SOFT > min(velocities))  # the right one, too
    kit = load_config(played.folder / "lalelu.yaml").kit
    assert kit.pads["left"].sensitivity == 0.2
    assert kit.pads["right"].zone.box == (0.1, -1.4, 1.2, -0.4)
