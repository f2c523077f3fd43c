"""Play samples on a sound card, by miniaudio. Opens a device."""

import ctypes
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

import miniaudio
import numpy as np
from numpy.typing import NDArray

from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.realtime import Grant, enter_sound, require
from lalelu.registry import did_you_mean

Api: TypeAlias = Literal["pulseaudio", "alsa", "jack"]
ApiChoice: TypeAlias = Literal["auto", "pulseaudio", "alsa", "jack", "null"]

RATE: Final = 48_000  # Hz: what most cards run at, so that nothing converts
PERIODS: Final = 2  # blocks of a buffer: while one is played, the other is made
APIS: Final[tuple[Api, ...]] = ("pulseaudio", "alsa", "jack")  # in the order in which `auto` tries them
TITLES: Final[dict[str, str]] = {
    "pulseaudio": "PulseAudio or PipeWire",
    "alsa": "ALSA",
    "jack": "JACK",
    "null": "no sound card",
}
STILL_NS: Final = 1_000_000_000  # a card that asks for nothing for so long has gone
STARTING_S: Final = 2.0  # for a card to ask for the first samples
MEASURING_S: Final = 0.3  # while it plays silence: how far ahead it asks

_BACKENDS: Final = {
    "pulseaudio": miniaudio.Backend.PULSEAUDIO,
    "alsa": miniaudio.Backend.ALSA,
    "jack": miniaudio.Backend.JACK,
    "null": miniaudio.Backend.NULL,
}
_DISCARDS: Final = "Discard all samples"  # how ALSA calls the one that is none
_INSTEAD: Final = "plug one in or start a sound server, or write file:out.mid"


class Card:
    """A sound card that plays what `fill(frames, at_ns)` returns, (frames, 2) within -1..1, on a thread of its own.

    `name` is its name or a part of it, empty = the machine's own choice; `priority` that thread's, 0 = ordinary;
    `required`: it must be granted.
    """

    def __init__(
        self,
        name: str,
        api: ApiChoice,
        fill: Callable[[int, int], NDArray[np.float32]],
        *,
        period_ms: int,
        priority: int,
        required: bool = False,
    ) -> None:
        self._label = f"MIDI output synth:{name}"
        self._name = name
        self._apis: Sequence[str] = APIS if api == "auto" else (api,)
        self._fill = fill
        self._period_ms = period_ms
        self._priority = priority
        self._required = required
        self._device: Any = None
        self._asked_ns: int | None = None  # when it asked for samples last
        self.frames = 0  # of its last block
        self.slow = 0  # blocks that took longer to make than to play
        self.title = ""
        self.grants: Sequence[Grant] = ()  # the machine's answers to the thread's requests

    def open(self) -> None:
        """Have the card play.

        Raises MissingError where there is none, or the priority is required and refused, UsageError where several have
        the name.
        """
        with quiet():
            self._device, self.title = self._choose()
        feed = self._feed()
        next(feed)
        try:
            self._device.start(feed)
        except miniaudio.MiniaudioError as exc:
            self.close()
            raise MissingError(
                f"{self._label} cannot be opened: {self.title} does not start ({exc.args[0]}); {_INSTEAD}"
            ) from exc
        end_ns = now_ns() + round(STARTING_S * 1e9)
        while self._asked_ns is None and now_ns() < end_ns:
            time.sleep(0.01)
        if self._asked_ns is None:
            self.close()
            raise MissingError(f"{self._label} cannot be opened: {self.title} plays nothing; {_INSTEAD}")
        if self._required:
            try:
                require(self.grants)
            except MissingError:
                self.close()
                raise
        time.sleep(MEASURING_S)

    def look(self) -> None:
        """Raise LostError when the card asks for nothing any more."""
        if self._asked_ns is not None and now_ns() > self._asked_ns + STILL_NS:
            raise LostError(f"{self._label} is lost: {self.title} has stopped; plug it in again")

    def close(self) -> None:
        """Play no further; safe to call twice and before `open()`."""
        device, self._device = self._device, None
        self._asked_ns = None
        if device is not None:
            device.close()

    def _choose(self) -> tuple[miniaudio.PlaybackDevice, str]:
        """Return a device that can be started, and what people call it."""
        found: list[tuple[str, str]] = []
        for api in self._apis:
            devices = {} if api == "null" else _devices(api)
            found += [(api, name) for name in devices]
            fitting = [name for name in devices if name == self._name] or [
                name for name in devices if self._name and self._name in name
            ]
            if len(fitting) > 1:
                raise UsageError(
                    f"{self._label} fits {len(fitting)} sound cards of {TITLES[api]}: {', '.join(fitting)}; "
                    "write more of the name"
                )
            if not fitting and (self._name or (api != "null" and not devices)):
                continue
            try:
                device = self._make(api, devices[fitting[0]] if fitting else None)
            except miniaudio.MiniaudioError:
                continue
            return device, TITLES[api] + (f' "{fitting[0]}"' if fitting else "")
        tried = ", ".join(TITLES[api] for api in self._apis)
        if not found:
            raise MissingError(
                f"{self._label} cannot be opened: there is no sound card here (asked: {tried}); {_INSTEAD}"
            )
        names = ", ".join(f'"{name}" ({TITLES[api]})' for api, name in found)
        hint = did_you_mean(self._name, [name for _, name in found])
        raise MissingError(
            f"{self._label} cannot be opened: the sound cards are {names}{hint}, and none that fits "
            f"can be played on; {_INSTEAD}"
        )

    def _make(self, api: str, device_id: object) -> miniaudio.PlaybackDevice:
        return miniaudio.PlaybackDevice(
            output_format=miniaudio.SampleFormat.FLOAT32,
            nchannels=2,
            sample_rate=RATE,
            buffersize_msec=self._period_ms,
            callback_periods=PERIODS,
            device_id=device_id,
            backends=[_BACKENDS[api]],
            thread_prio=miniaudio.ThreadPriority.NORMAL,  # the thread asks for its own, and says what it got
            app_name="lalelu",
        )

    def _feed(self) -> Generator[bytes, int, None]:
        """Answer the card, on its thread."""
        self.frames = yield b""
        self.grants = enter_sound(self._priority)
        while True:
            asked_ns = self._asked_ns = now_ns()
            block = self._fill(self.frames, asked_ns).tobytes()
            self.slow += (now_ns() - asked_ns) * RATE > self.frames * 1_000_000_000
            self.frames = yield block


def playable(api: Api) -> tuple[str, ...]:
    """Return the names of the cards that can be played on."""
    with quiet():
        return tuple(_devices(api))


def _devices(api: str) -> dict[str, Any]:
    """Return the identities of an API's cards by name."""
    try:
        known = miniaudio.Devices([_BACKENDS[api]]).get_playbacks()
    except miniaudio.MiniaudioError:
        return {}
    return {device["name"]: device["id"] for device in known if not device["name"].startswith(_DISCARDS)}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries print on the standard error output away from people: what is wrong is said by us."""
    ctypes.CDLL(None).fflush(None)
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
