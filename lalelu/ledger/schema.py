"""The ledger's fixed-size records: one layout for what is written (struct) and what is read (numpy).

All numbers are little-endian; stamps are CLOCK_MONOTONIC nanoseconds. A directory is a ledger: `header.json`
and the files `frames`, `notes` and `events`, each nothing but records one after the other.
"""

import struct
from typing import Final

import numpy as np

LEDGER_VERSION: Final = 1  # a change of any layout below raises it
HEADER: Final = "header.json"
VERSION_KEY: Final = "lalelu_ledger"  # the header's key that holds LEDGER_VERSION

FRAME_DTYPE: Final = np.dtype(
    [
        ("seq", "<i8"),
        ("captured_ns", "<i8"),  # middle of the exposure
        ("arrived_ns", "<i8"),  # complete in memory
        ("decoded_ns", "<i8"),  # the camera's read() returned: the image is ready
        ("prepared_ns", "<i8"),  # the network's input is made
        ("inferred_ns", "<i8"),  # the network is done
        ("posed_ns", "<i8"),  # keypoints are known
        ("detected_ns", "<i8"),  # hits are known
        ("sent_ns", "<i8"),  # the frame's notes, if any, are handed over
        ("skipped", "<i4"),  # frames that nobody took since the row before
        ("hits", "<i2"),
        ("players", "u1"),
        ("via", "u1"),  # an index into VIA
    ]
)

NOTE_DTYPE: Final = np.dtype(
    [
        ("seq", "<i8"),  # of the frame at which the detector knew
        ("captured_ns", "<i8"),  # of that frame
        ("struck_ns", "<i8"),  # the end of the stroke
        ("due_ns", "<i8"),
        ("woken_ns", "<i8"),  # the voice woke for it; 0 where it is sent by the engine itself
        ("sent_ns", "<i8"),  # the port has taken the message
        ("player", "u1"),
        ("channel", "u1"),  # 1..16
        ("note", "u1"),
        ("velocity", "u1"),
        ("late", "u1"),  # 1: its time had passed when it was handed over
        ("pad", "V3"),  # unused bytes, so that rows stay aligned
    ]
)

EVENT_DTYPE: Final = np.dtype([("at_ns", "<i8"), ("kind", "S24"), ("text", "S96")])

RECORDS: Final[dict[str, np.dtype[np.void]]] = {
    "frames": FRAME_DTYPE,
    "notes": NOTE_DTYPE,
    "events": EVENT_DTYPE,
}

VIA: Final[tuple[str, ...]] = ("net", "flow")

# On the way to the recorder each record follows one byte that names its kind.
FRAME_KIND: Final = b"F"
NOTE_KIND: Final = b"N"
EVENT_KIND: Final = b"E"
POSE_KIND: Final = b"P"

FRAME_WIRE: Final = struct.Struct("<c9qihBB")
NOTE_WIRE: Final = struct.Struct("<c6q5B3x")
EVENT_WIRE: Final = struct.Struct("<cq24s96s")
# kind, seq, captured_ns, player, via, K; then K * 2 float32 of xy and K float32 of score
POSE_WIRE_HEAD: Final = struct.Struct("<cqqBBH")


def pose_wire_size(keypoints: int) -> int:
    """Return the bytes of one pose on its way to the recorder, its kind byte included."""
    return POSE_WIRE_HEAD.size + keypoints * 3 * 4


def fixed_text(text: str, size: int) -> bytes:
    """Return `text` in UTF-8, cut to at most `size` bytes between two characters."""
    # surrogates (an undecodable file name) cannot be encoded; they become question marks
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").encode("utf-8")
