"""A camera that delivers half of what it is asked for, or loses frames: each read takes no time at all."""

import math
import time

import numpy as np
from pydantic import Field

from lalelu.camera.port import CameraFacts
from lalelu.errors import LostError
from lalelu.registry import AdapterOptions
from lalelu.types import Frame

PERIOD_NS = 20_000_000


class SlowCameraOptions(AdapterOptions):
    fps: float = Field(default=100.0)
    skip: int = 0  # frames lost before each one
    lost_after: int = 10_000
    mains_hz: int = 0  # of the lamps; 0: darkness


class SlowCamera:
    Options = SlowCameraOptions

    def __init__(self, options):
        self.options = options
        self.read_count = 0
        self.is_open = False

    def open(self):
        self.is_open = True
        return CameraFacts("slow camera", 64, 48, self.options.fps, None, "none")

    def read(self):
        assert self.is_open
        self.read_count += 1
        if self.read_count > self.options.lost_after:
            raise LostError("camera slow: is lost, as it was told to be")
        time.sleep(0.001)
        seq = self.read_count * (1 + self.options.skip)
        stamp_ns = self.read_count * PERIOD_NS
        pulse = math.cos(4 * math.pi * self.options.mains_hz * stamp_ns * 1e-9)
        level = round(100 * (1 + 0.2 * pulse)) if self.options.mains_hz else 0
        image = np.full((48, 64, 3), level, np.uint8)
        return Frame(seq, stamp_ns, stamp_ns, self.options.skip, image)

    def close(self):
        self.is_open = False
