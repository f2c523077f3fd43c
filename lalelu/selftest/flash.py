"""Make light and watch the camera see it. Drives a lamp or the terminal, reads a camera.

Not run on hardware yet.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TextIO

import numpy as np

from lalelu.camera.port import Camera
from lalelu.clock import now_ns
from lalelu.errors import MissingError, UsageError
from lalelu.selftest.light import Watched

LEDS: Final = Path("/sys/class/leds")
DARK_S: Final = 0.5  # before each flash; the first half, in which the camera settles, is not looked at
LIT_S: Final = 0.3  # a screen takes some 50 ms
EVERY: Final = 8  # px: of each so many rows and columns one is looked at
# Flashes walk through the frame period by this share of it each: the golden ratio meets all of it evenly.
_STRIDE: Final = 0.618
_DARK, _LIT = "\x1b[?25l\x1b[40m\x1b[2J", "\x1b[107m\x1b[2J"
_RESET: Final = "\x1b[0m\x1b[2J\x1b[H\x1b[?25h"


class Light(Protocol):
    """Something that the camera can see."""

    def open(self) -> None:
        """Take it. Raises MissingError."""

    def set(self, *, lit: bool) -> None:
        """Make it bright or dark, at once."""

    def close(self) -> None:
        """Leave it as it was."""


class Led:
    """A lamp of the kernel's: a keyboard's, a board's, or one on a GPIO."""

    def __init__(self, name: str, folder: Path = LEDS) -> None:
        self._folder = folder
        self._name = name
        self._before = ""
        self._brightest = "1"

    def open(self) -> None:
        """Take the lamp. Raises MissingError, naming those there are."""
        lamp = self._folder / self._name
        try:
            self._before = (lamp / "brightness").read_text(encoding="ascii").strip()
            self._brightest = (lamp / "max_brightness").read_text(encoding="ascii").strip()
            self.set(lit=False)
        except OSError as exc:
            there = sorted(path.name for path in self._folder.glob("*"))
            raise MissingError(
                f"the lamp {lamp} cannot be driven ({exc.strerror}); there are {', '.join(there) or 'none'}, and only "
                "root may drive them"
            ) from exc

    def set(self, *, lit: bool) -> None:
        """Make it bright or dark."""
        self._write(self._brightest if lit else "0")

    def close(self) -> None:
        """Leave it as it was; safe before `open()`."""
        if self._before:
            self._write(self._before)

    def _write(self, brightness: str) -> None:
        (self._folder / self._name / "brightness").write_text(brightness, encoding="ascii")


class Terminal:
    """The terminal in which this runs, as large as you make it: hold the camera before it."""

    def __init__(self, screen: TextIO | None = None) -> None:
        self._screen = screen or sys.stderr

    def open(self) -> None:
        """Make it dark. Raises MissingError where there is no terminal."""
        if not self._screen.isatty():
            raise MissingError(
                "there is no terminal to flash here; run it in one, or drive a lamp with --flash led:NAME"
            )
        self.set(lit=False)

    def set(self, *, lit: bool) -> None:
        """Fill it with white or black."""
        self._screen.write(_LIT if lit else _DARK)
        self._screen.flush()

    def close(self) -> None:
        """Leave it empty."""
        if self._screen.isatty():
            self._screen.write(_RESET)
            self._screen.flush()


def light_of(text: str) -> Light:
    """Return the light that `terminal` or `led:NAME` names. Raises UsageError for another."""
    kind, _, name = text.partition(":")
    if text == "terminal":
        return Terminal()
    if kind == "led" and name and "/" not in name:
        return Led(name)
    raise UsageError(f"--flash is {text!r}; write terminal, or led:NAME with a name in {LEDS}")


@contextmanager
def taken(light: Light) -> Iterator[Light]:
    """Take the light, and leave it as it was."""
    try:
        light.open()
        yield light
    finally:
        light.close()


def watch(
    camera: Camera, light: Light, fps: float, flashes: int, now: Callable[[], int] = now_ns
) -> list[Watched]:
    """Make `flashes` and return the frames of each; camera and light are open. Raises what the camera raises."""
    found = []
    for number in range(flashes):
        light.set(lit=False)
        _frames(camera, DARK_S / 2, now)
        rows = _frames(camera, DARK_S / 2, now)
        time.sleep(number * _STRIDE % 1.0 / fps)  # from a frame's arrival on
        lit_ns = now()
        light.set(lit=True)
        rows += _frames(camera, LIT_S, now)
        levels, captured, arrived = zip(*rows, strict=True)
        found.append(
            Watched(lit_ns, np.array(levels), np.array(captured, np.int64), np.array(arrived, np.int64))
        )
    return found


def _frames(camera: Camera, seconds: float, now: Callable[[], int]) -> list[tuple[float, int, int]]:
    """Read for so long; return (mean brightness, captured_ns, arrived_ns) of each frame."""
    rows = []
    until_ns = now() + round(seconds * 1e9)
    while now() < until_ns:
        frame = camera.read()
        rows.append((float(frame.image[::EVERY, ::EVERY].mean()), frame.captured_ns, frame.arrived_ns))
    return rows
