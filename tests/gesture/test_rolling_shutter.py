"""A film by a camera whose rows are exposed one after the other, against the same film with all rows at once."""

import numpy as np
import pytest
from drummer import HIHAT, KIT, MM, SNARE, hits, poses, seconds, stamps, still, strokes

from lalelu.gesture.detector import Detector
from lalelu.pose.orientation import Orientation, rolling_shutter
from lalelu.skeleton import COCO17
from lalelu.types import Hit

SIZE, PLACE, ASPECT = (
    0.2,
    (0.6, 0.35),
    4 / 3,
)  # of `drummer.poses`: shoulder width, mid-shoulder; image heights
READOUT_MS = 8.0


def film(hz, mm, orientation, readout_ms):
    """Poses whose right wrist was seen when its row was exposed, and the same with all rows at once."""
    t = stamps(1.5 + 8 / hz, 100.0, 0.37)

    def wrist(times):
        return strokes(times, SNARE, hz=hz, height=mm * MM, count=8)[0]

    seen_at = t
    for _ in range(50):  # when a row sees the hand depends on where the hand then is
        x, y = PLACE[0] - SIZE * wrist(seen_at)[:, 0], PLACE[1] - SIZE * wrist(seen_at)[:, 1]
        rows = np.array([orientation.row_share(*point, ASPECT) for point in zip(x, y, strict=True)])
        seen_at = t + (rows - 0.5) * readout_ms * 1e-3
    rolling, at_once = (
        poses(t, still(t, HIHAT), wrist(times), size=SIZE, place=PLACE) for times in (seen_at, t)
    )
    return rolling, at_once


def corrected(shown, orientation, readout_ms):
    delay = rolling_shutter(readout_ms, orientation, ASPECT)
    detector = Detector(KIT, skeleton=COCO17, row_delay_ns=delay)
    return [event for pose in shown for event in detector.step(pose) if isinstance(event, Hit)]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize(("hz", "mm"), [(1.5, 300), (2, 250), (3, 150)])
def test_strokes_have_the_times_that_a_camera_with_all_rows_at_once_gives(rotate, mirror, hz, mm):
    orientation = Orientation(rotate, mirror)
    rolling, at_once = film(hz, mm, orientation, READOUT_MS)
    expected = seconds(hits(at_once), "right_wrist")
    found = seconds(corrected(rolling, orientation, READOUT_MS), "right_wrist")
    assert len(expected) == 8
    assert found == pytest.approx(expected, abs=0.0003)


def test_without_the_correction_a_low_hand_on_the_first_rows_seems_late():
    orientation = Orientation(180)  # the camera hangs upside down: the low hand is on its first rows
    rolling, at_once = film(2, 250, orientation, READOUT_MS)
    row = 0.5 - (PLACE[1] - SIZE * SNARE[1])
    late = np.subtract(seconds(hits(rolling), "right_wrist"), seconds(hits(at_once), "right_wrist"))
    assert late == pytest.approx(-row * READOUT_MS * 1e-3, abs=0.0003)


def test_the_verdict_and_the_hit_have_the_same_time():
    orientation = Orientation(0)
    told = []
    detector = Detector(
        KIT, skeleton=COCO17, explain=told.append, row_delay_ns=rolling_shutter(8.0, orientation, ASPECT)
    )
    found = [event for pose in film(2, 250, orientation, 8.0)[0] for event in detector.step(pose)]
    detector.finish()
    assert [verdict.lowest_ns for verdict in told if verdict.rule is None] == [hit.struck_ns for hit in found]
