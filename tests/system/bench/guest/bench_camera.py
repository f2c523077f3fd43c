"""Checks of capture from real Video4Linux devices: vivid, and a film by v4l2loopback. Run in the guest as root."""

import json
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench_guest import (
    CONFIG,
    JOB,
    PYTHON,
    Ear,
    configure,
    event,
    plays,
    process,
    processes,
    service,
    sh,
    stopped_ledger,
    until,
)

FRAMES = 60
FRAME_BYTES = 112  # of a row: lalelu.ledger.schema.FRAME
SLOWED = "sim:?groove=rock&speed=0.5&fps=24&size=320x240"  # slower strokes would be none
GROOVE = {38, 42, 49, 51}  # snare, hi-hat, crash, ride: what the rock groove plays in its first ten seconds
NEAR_S = 0.1  # a note to its stroke: a little more than a frame; the strokes on one pad are 0.5 s apart
DRIVER = Path("/sys/bus/platform/drivers/vivid")
VIVID = "v4l2:/dev/video0?size=320x180&format=YUYV&fps=5"  # an emulated network takes 85 ms of virtual time


def _vivid() -> None:
    """Have the test camera at /dev/video0."""
    sh("modprobe", "vivid")
    sh("udevadm", "settle")


def _frames(uri: str) -> dict[str, Any]:
    return json.loads(sh(PYTHON, str(JOB / "capture.py"), uri, str(FRAMES)).splitlines()[-1])


def _check(told: dict[str, Any]) -> None:
    """Demand what a camera promises: frames in order, stamped before they came, none counted twice, moving pictures."""
    assert "rows" in told, told
    rows = told["rows"]
    for before, after in pairwise(rows):
        assert after["seq"] - before["seq"] == after["skipped"] + 1, (before, after)
        assert after["captured_ns"] > before["captured_ns"], (before, after)
    for row in rows:
        assert row["captured_ns"] <= row["arrived_ns"] <= row["read_ns"], row
        assert row["read_ns"] - row["captured_ns"] < 5_000_000_000, row
    assert len({row["sum"] for row in rows}) > len(rows) / 2, "the picture stands still"


def capture() -> str:
    """Formats, sizes and rates of vivid come as asked for, with stamps and sequence numbers that hold."""
    _vivid()
    shown = []
    for pixel_format, size, fps in (
        ("YUYV", "320x180", 15),
        ("NV12", "640x360", 15),
        ("GREY", "640x360", 25),
    ):
        told = _frames(f"v4l2:/dev/video0?format={pixel_format}&size={size}&fps={fps}")
        _check(told)
        width, height = map(int, size.split("x"))
        shape = [height, width] if pixel_format == "GREY" else [height, width, 3]
        assert told["rows"][0]["shape"] == shape, told["rows"][0]
        assert told["rows"][0]["spread"] > 10, told["rows"][0]
        skipped = sum(row["skipped"] for row in told["rows"])
        shown.append(f"{pixel_format} {size} at {told['fps']:.1f} fps, {skipped} skipped")
    return "; ".join(shown)


def refuses() -> str:
    """What vivid does not do is refused, with what it offers."""
    _vivid()
    for asked, offer in (
        ("format=YUYV&size=334x222&fps=60", "320x180"),
        ("format=MJPG&size=320x180&fps=60", "YUYV"),
        ("format=YUYV&size=320x180&fps=97", "60"),
    ):
        told = _frames(f"v4l2:/dev/video0?{asked}")
        assert told.get("refused") == "UsageError", told
        assert offer in told["why"], told
    return told["why"]


def dropped_frames() -> str:
    """Pictures that the driver drops are counted as skipped."""
    _vivid()
    sh("v4l2-ctl", "-d", "/dev/video0", "-c", "percentage_of_dropped_buffers=30")
    told = _frames("v4l2:/dev/video0?format=YUYV&size=320x180&fps=15")
    sh("v4l2-ctl", "-d", "/dev/video0", "-c", "percentage_of_dropped_buffers=0")
    _check(told)
    skipped = sum(row["skipped"] for row in told["rows"])
    assert skipped > FRAMES * 0.1, skipped
    return f"{skipped} skipped beside {FRAMES} delivered"


def camera_lost() -> str:
    """A camera that comes late, is unplugged, broken or dead is waited for and found again; the engine lives on."""
    sh("modprobe", "-r", "vivid")
    configure(VIVID)
    until("waiting", lambda: service()["StatusText"].startswith("waiting"))
    engine = process("engine")
    _vivid()
    shown = [f"came late: {_playing_again():.1f} s"]
    for name, trouble, cure in (
        ("unplugged", lambda: _driver("unbind"), lambda: _driver("bind")),
        ("dead", lambda: _set("disconnect=1"), lambda: (_driver("unbind"), _driver("bind"))),
        ("broken stream", lambda: _set("inject_fatal_streaming_error=1"), lambda: None),
    ):
        shown.append(f"{name}: {_again(trouble, cure)}")
        assert processes("engine") == [engine], f"{name}: the engine did not live on"
    sh("systemctl", "stop", "lalelu.service")
    return "; ".join(shown)


def _again(trouble: Callable[[], object], cure: Callable[[], object]) -> str:
    at_s = time.monotonic()
    trouble()
    lost_s = until("the loss told", lambda: event("lost", at_s))
    cured_s = time.monotonic()
    cure()
    found_s = until("found again", lambda: event("found", lost_s))
    until("playing", plays)
    return f"lost after {lost_s - at_s:.2f} s, found {max(0.0, found_s - cured_s):.2f} s after its return"


def _playing_again() -> float:
    at = time.monotonic()
    until("playing", plays)
    return time.monotonic() - at


def _driver(action: str) -> None:
    (DRIVER / action).write_text("vivid.0")


def _set(control: str) -> None:
    sh("v4l2-ctl", "-d", "/dev/video0", "-c", control)


def film() -> str:
    """The simulated drummer's film, at half its speed, through a device node: the network sees it, notes are heard."""
    sh("modprobe", "v4l2loopback")
    sh("udevadm", "settle")
    projector = subprocess.Popen(
        [PYTHON, str(JOB / "project.py"), str(JOB / "film.yuyv"), "/dev/video9", "320", "240", "12"]
    )
    try:
        configure("v4l2:/dev/video9?size=320x240&format=YUYV&fps=12")
        heard, _, said = _seen_and_heard()
        assert GROOVE.issuperset(heard), heard
        return said
    finally:
        projector.kill()


def sim_slowed() -> str:
    """The simulated camera, slowed to what an emulated network almost keeps up with, is heard, stroke by stroke."""
    configure(SLOWED)
    heard, folder, said = _seen_and_heard()
    notes = json.loads(sh(PYTHON, str(JOB / "strokes.py"), str(folder), SLOWED, str(CONFIG)).splitlines()[-1])
    assert [note["note"] for note in notes][: len(heard)] == heard, (heard, notes)
    far = [note for note in notes if note["off_s"] is None or abs(note["off_s"]) > NEAR_S]
    assert not far, (far, notes)
    return f"{said}; beside the drummer's own strokes on these pads by {[round(note['off_s'], 2) for note in notes]} s"


def _seen_and_heard() -> tuple[list[int], Path, str]:
    """Wait for notes; nothing more is asked of a core that the network keeps busy.

    Returns the notes heard, the run's ledger, and both in words.
    """
    with Ear() as ear:
        ear.hears(2)
    folder = stopped_ledger()
    heard = [note for _, note in ear.on]
    rows = (folder / "frames").stat().st_size // FRAME_BYTES
    return heard, folder, f"notes {heard} heard, the network saw {rows} frames"
