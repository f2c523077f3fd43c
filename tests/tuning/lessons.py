"""Takes of sinusoids, with exact truth, for tests of tuning."""

import numpy as np
from gesture.drummer import HIHAT, SNARE, poses, stamps, strokes

from lalelu.hits import HitRecord
from lalelu.take import Take, TakeFrame, TakeHeader
from lalelu.tuning.lesson import Lesson

BPM = 120.0
BEGINS_S = 1.25  # of the first bar
BARS = 4
# a kit that hears nothing of them
DEAF = """# my own
name: mine
strike: {min_speed: 3.4}  # too much
pads:
  snare: {note: acoustic_snare, zone: {box: [-0.5, -1.2, 0.1, -1.0]}}
  hihat: {note: closed_hi_hat, zone: {ellipse: [-1.0, -0.7, 0.45, 0.2]}}
"""
HEADER = TakeHeader(source="test", fps=100, width=640, height=480)


def rock(*, height=0.3, sd=0.003, bars=BARS):
    """The pattern rock at 120 a minute: the right hand at 4 Hz with strokes of this height, body units."""
    t = stamps(BEGINS_S + bars * 2.0 + 1.0)
    right, right_s = strokes(t, HIHAT, hz=4.0, height=height, begin=BEGINS_S - 0.25, count=8 * bars)
    left, left_s = strokes(t, SNARE, hz=1.0, height=0.8, begin=BEGINS_S - 0.5, count=2 * bars)
    take = Take(
        HEADER,
        tuple(
            TakeFrame(pose.seq, pose.captured_ns, (pose,)) for pose in poses(t, left, right, sd=sd, seed=1)
        ),
    )
    truth = [HitRecord(at_s, "right_wrist", "hihat") for at_s in right_s]
    truth += [HitRecord(at_s, "left_wrist", "snare") for at_s in left_s]
    return Lesson("rock", take, tuple(sorted(truth, key=lambda hit: hit.time_s)))


def times(hits):
    """Their times, for comparing."""
    return np.array([hit.time_s for hit in hits])
