"""The ledger's fixed-size records: one layout for what is written (struct) and what is read (numpy).

All numbers are little-endian; stamps are CLOCK_MONOTONIC nanoseconds. A directory is a ledger: `header.json`
and the files `frames`, `notes`, `events` and `samples`, each nothing but records one after the other.
"""

from typing import Final

import numpy as np

from lalelu.ledger.layout import (
    EVENT,
    FRAME,
    FRAME_FIELDS,
    HEADER,
    LEDGER_VERSION,
    NOTE,
    UNTOLD,
    VERSION_KEY,
    VIA,
    fixed_text,
)

__all__ = [
    "EVENT",
    "EVENT_DTYPE",
    "FRAME",
    "FRAME_DTYPE",
    "HEADER",
    "LEDGER_VERSION",
    "NOTE",
    "NOTE_DTYPE",
    "RECORDS",
    "SAMPLE_DTYPE",
    "STAMPS",
    "UNTOLD",
    "VERSION_KEY",
    "VIA",
    "fixed_text",
]

FRAME_DTYPE: Final = np.dtype(list(FRAME_FIELDS))

# A frame's moments, in the order in which they are made.
STAMPS: Final = tuple(
    name
    for name, (dtype, *_) in (FRAME_DTYPE.fields or {}).items()
    if name.endswith("_ns") and dtype == np.int64
)

NOTE_DTYPE: Final = np.dtype(
    [
        ("seq", "<i8"),  # of the frame at which the detector knew
        ("captured_ns", "<i8"),  # of that frame
        ("struck_ns", "<i8"),  # the end of the stroke
        ("due_ns", "<i8"),
        ("woken_ns", "<i8"),  # the voice woke for it
        ("sent_ns", "<i8"),  # the port has taken the message
        ("player", "u1"),
        ("channel", "u1"),  # 1..16
        ("note", "u1"),
        ("velocity", "u1"),
        ("late", "u1"),  # 1: sent more than 1 ms after it was due
        ("limb", "u1"),  # which limb played it: 1 + its index in the skeleton; 0 = not told
        ("pad", "<u2"),  # which pad: 1 + its place among the pads of its epoch's kits; 0 = not told
    ]
)

EVENT_DTYPE: Final = np.dtype([("at_ns", "<i8"), ("kind", "S24"), ("text", "S96")])

SAMPLE_DTYPE: Final = np.dtype(
    [
        ("at_ns", "<i8"),
        ("interrupts", "<i8"),  # of the engine's core since boot; this and all below: -1 = not told here
        ("softirqs", "<i8"),  # of the engine's core since boot
        ("stolen_ms", "<i8"),  # time that the hypervisor took from the engine's core, since boot
        ("pressure_us", "<i8"),  # time in which some task waited for a processor, since boot
        ("memory_pressure_us", "<i8"),  # ... for memory
        ("io_pressure_us", "<i8"),  # ... for a disk
        ("engine_switches", "<i8"),  # of the hot thread: times it was taken off its core against its will
        ("migrations", "<i8"),  # of the hot thread: times it was moved to another core
        ("frequency_khz", "<i4"),  # of the engine's core
        ("temperature_mc", "<i4"),  # thousandths of a degree Celsius, the hottest sensor
        ("engine_kib", "<i4"),  # resident memory
        ("voice_kib", "<i4"),
        ("desk_kib", "<i4"),
        ("runnable", "<i4"),  # tasks that run or wait for a processor, on the whole machine
        ("competitor_ms", "<i4"),  # processor time, in the last second, of whom `competitor` names
        ("competitor", "S16"),  # who else used the engine's core most in the last second; empty = nobody
    ]
)

RECORDS: Final[dict[str, np.dtype[np.void]]] = {
    "frames": FRAME_DTYPE,
    "notes": NOTE_DTYPE,
    "events": EVENT_DTYPE,
    "samples": SAMPLE_DTYPE,
}
