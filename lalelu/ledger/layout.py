"""How the ledger's rows are packed by those who write them: without numpy, so that voice and desk start sooner."""

import struct
from typing import Final

LEDGER_VERSION: Final = 2  # a change of any layout below raises it
HEADER: Final = "header.json"
VERSION_KEY: Final = "lalelu_ledger"  # the header's key that holds LEDGER_VERSION
UNTOLD: Final = 0xFFFFFFFF  # in the frames' fields from `woken_late_ns` on: the machine does not tell it

# What FRAME_DTYPE is made of; all numbers little-endian, stamps are CLOCK_MONOTONIC nanoseconds.
FRAME_FIELDS: Final[tuple[tuple[str, str], ...]] = (
    ("seq", "<i8"),
    ("captured_ns", "<i8"),  # middle of the exposure
    ("arrived_ns", "<i8"),  # complete in memory
    ("decoded_ns", "<i8"),  # the camera's read() returned: the image is ready
    ("prepared_ns", "<i8"),  # the network's input is made
    ("inferred_ns", "<i8"),  # the network is done
    ("posed_ns", "<i8"),  # keypoints are known
    ("detected_ns", "<i8"),  # hits are known
    ("sent_ns", "<i8"),  # the frame's hits, if any, are handed to the voice
    ("skipped", "<i4"),  # frames that nobody took since the row before
    ("hits", "<i2"),
    ("players", "u1"),
    ("via", "u1"),  # an index into VIA
    # Of the hot thread. Processing = from decoded_ns to sent_ns; what of it was neither run nor queued, the thread
    # slept, or an interrupt or the hypervisor had the processor.
    (
        "woken_late_ns",
        "<u4",
    ),  # ready to run, waiting for a processor: since the row before, until decoded_ns
    ("queued_ns", "<u4"),  # the same within the processing
    ("running_ns", "<u4"),  # processor time of the processing
    ("gc_ns", "<u4"),  # in Python's garbage collector since the row before
    ("voluntary", "<u4"),  # times it slept within the processing
    ("involuntary", "<u4"),  # times it was taken off its processor since the row before
    ("minor_faults", "<u4"),  # pages mapped within the processing
    ("major_faults", "<u4"),  # pages read from a disk within the processing
)
VIA: Final[tuple[str, ...]] = ("net", "flow")

# How the same rows are packed by those who write them.
FRAME: Final = struct.Struct("<9qihBB8I")
NOTE: Final = struct.Struct("<6q6BH")
EVENT: Final = struct.Struct("<q24s96s")
SAMPLE: Final = struct.Struct("<9q7i16s")

# A ledger's files, and the bytes of a row in each.
ROW_BYTES: Final[dict[str, int]] = {
    "frames": FRAME.size,
    "notes": NOTE.size,
    "events": EVENT.size,
    "samples": SAMPLE.size,
}


def offset_in_frame(name: str) -> int:
    """Return at which byte of a frame's row the field `name` begins."""
    names = [field for field, _ in FRAME_FIELDS]
    return sum(int(code[-1]) for _, code in FRAME_FIELDS[: names.index(name)])


def fixed_text(text: str, size: int) -> bytes:
    """Return `text` in UTF-8, cut to at most `size` bytes between two characters."""
    # surrogates (an undecodable file name) cannot be encoded; they become question marks
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode("utf-8")
