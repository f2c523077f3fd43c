"""When a picture was exposed and which one it is: from a driver's stamps and sequence numbers. Pure.

Rows are exposed one after the other: row k of H begins `k / H * readout` after the first, each is exposed equally
long and read at its end. A frame's time is the middle of its middle row's exposure (the kernel's documentation
of buffer flags: V4L2_BUF_FLAG_TSTAMP_SRC_SOE, V4L2_BUF_FLAG_TSTAMP_SRC_EOF).
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import videodev2 as v4l2

from lalelu.camera.v4l2.options import StampName

Moment: TypeAlias = Literal["soe", "packet", "eof", "arrival"]

# Flagged start of exposure, but taken when the first packet comes: the first row has been exposed by then.
STAMPS_PACKETS: Final = "uvcvideo"
TRUST_NS: Final = 1_000_000_000  # a stamp further before its arrival than this is of another clock
_WRAP: Final = 1 << 32  # sequence numbers are 32 bits wide

_WORDS: Final[dict[Moment, str]] = {
    "soe": "the driver's stamp of the exposure's start",
    "packet": "the driver's stamp of the first packet",
    "eof": "the driver's stamp of the frame's end",
    "arrival": "arrival (the driver's stamps are not on the monotonic clock)",
}


def on_our_clock(flags: int, lag_ns: int) -> bool:
    """Whether a stamp is monotonic, by the buffer's `flags` and by how long before its arrival it was taken."""
    monotonic = flags & v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK == v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
    return monotonic and 0 <= lag_ns <= TRUST_NS


def moment_of(flags: int, lag_ns: int, driver: str, asked: StampName) -> Moment:
    """Return what a driver's stamps mark; arrival where they are not on our clock."""
    if not on_our_clock(flags, lag_ns):
        return "arrival"
    if asked != "auto":
        return asked
    if driver == STAMPS_PACKETS:
        return "packet"
    starts = flags & v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_MASK == v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_SOE
    return "soe" if starts else "eof"


@dataclass(frozen=True, slots=True)
class Stamping:
    """How a frame's time follows from its stamp; `exposure_ms` None = not known, counted as 0."""

    moment: Moment
    exposure_ms: float | None
    readout_ms: float

    @property
    def shift_ns(self) -> int:
        """What is added to the stamp, or to the arrival."""
        exposure, readout = (self.exposure_ms or 0.0) * 0.5e6, self.readout_ms * 0.5e6
        exposure = exposure if self.moment == "soe" else -exposure
        return round(exposure + readout if self.moment in ("soe", "packet") else exposure - readout)

    @property
    def words(self) -> str:
        """Where `captured_ns` comes from, for people."""
        exposure = (
            "the exposure is not known and counted as 0: set exposure_ms"
            if self.exposure_ms is None
            else f"exposure {self.exposure_ms:g} ms"
        )
        return f"{_WORDS[self.moment]}, {self.shift_ns * 1e-6:+.2f} ms to mid-exposure ({exposure})"


class Counter:
    """Numbers frames and gives each its time: numbers and times only ever grow, across losses too.

    Where sequence numbers say nothing (some drivers leave them 0, or begin anew), the times count frames.
    """

    __slots__ = ("_from_arrival", "_period_ns", "_sequence", "_shift_ns", "captured_ns", "seq")

    def __init__(self) -> None:
        self.seq = -1  # the frame last counted
        self.captured_ns = 0  # of that frame
        self._sequence: int | None = None
        self._from_arrival = False
        self._shift_ns = self._period_ns = 0

    def start(self, stamping: Stamping, period_ns: int) -> None:
        """Begin a stream: its first frame follows the last one of the stream before, as if none were missed."""
        self._sequence = None
        self._from_arrival = stamping.moment == "arrival"
        self._shift_ns = stamping.shift_ns
        self._period_ns = max(period_ns, 1)

    def count(self, sequence: int, stamp_ns: int, arrived_ns: int) -> int:
        """Take in one frame and return how many the camera made between it and the one before."""
        base_ns = arrived_ns if self._from_arrival else stamp_ns
        captured_ns = max(min(base_ns + self._shift_ns, arrived_ns), self.captured_ns + 1)
        steps = 1
        if self._sequence is not None:
            ahead = (sequence - self._sequence) % _WRAP
            if 0 < ahead < _WRAP // 2:
                steps = ahead
            else:
                steps = max(1, round((captured_ns - self.captured_ns) / self._period_ns))
        self._sequence = sequence
        self.captured_ns = captured_ns
        self.seq += steps
        return steps - 1
