"""What gestures set: controllers, pitch wheels and named values, each when it is due. Pure: time comes in.

A value arrives together with the notes that were struck when its frame was captured. Of values that are due at once
only the newest goes out, and a controller or wheel only where the synth would hear a difference.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from lalelu.config.gestures import ControlGesture, HiHat, Target, ToBend, ToController, ToOsc
from lalelu.config.kit import KitConfig
from lalelu.voice.message import CENTRE, bend_range, control, pitch_bend
from lalelu.voice.sounds import own_channel

MAX_WAITING: Final = (
    256  # of one target: a frame each at 240 a second and the longest delay, with room; a bound
)

Key: TypeAlias = tuple[str, int | str, int]
Encoded: TypeAlias = tuple[float, int]  # what goes on the wire, and a wheel's range in semitones, else 0


class Aim(NamedTuple):
    """Where a gesture's values go: `key` is shared by all gestures that set the same thing."""

    target: Target
    channel: int  # without meaning for an OSC address

    @property
    def key(self) -> Key:
        """Return what names the controller, wheel or address that is set."""
        target = self.target
        if isinstance(target, ToController):
            return "controller", target.controller, self.channel
        return ("bend", 0, self.channel) if isinstance(target, ToBend) else ("osc", target.osc, 0)

    def encoded(self, value: float) -> Encoded:
        """Return what a value 0..1 is on the wire; beyond is clamped, no number is 0."""
        value = min(1.0, max(0.0, value))
        if isinstance(self.target, ToController):
            return round(127 * value), 0
        if isinstance(self.target, ToBend):
            return min(round(2 * CENTRE * value), 2 * CENTRE - 1), self.target.bend
        return value, 0


@dataclass(slots=True)
class _Line:
    """What one controller, wheel or address gets, and has got."""

    waiting: deque[tuple[int, Aim, Encoded]] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    sent: Encoded | None = None


@dataclass(slots=True)
class Due:
    """What goes out now: messages to every output, values to those that take them."""

    messages: list[bytes] = field(default_factory=list)
    values: list[tuple[str, float]] = field(default_factory=list)


class Targets:
    """The targets of all kits' gestures, numbered from 1 over all gestures, and by a player's own channel.

    `channels` by player, as in Voice.
    """

    def __init__(
        self, aims: Mapping[int | None, Sequence[Aim | None]], channels: Sequence[int | None]
    ) -> None:
        self._aims, self._channels = aims, tuple(channels)
        self._lines: dict[Key, _Line] = {}
        self._ranges: dict[int, int] = {}  # of the wheels, in semitones, by channel, as told

    def begin(self) -> list[bytes]:
        """Return what tells a synth the wheels' ranges, and puts every wheel into the centre."""
        messages = []
        for aims in self._aims.values():
            for aim in aims:
                if aim is not None and isinstance(aim.target, ToBend) and aim.channel not in self._ranges:
                    messages += self._tell_range(aim.channel, aim.target.bend)
                    messages.append(pitch_bend(aim.channel, CENTRE))
        return messages

    def change(
        self, aims: Mapping[int | None, Sequence[Aim | None]], channels: Sequence[int | None]
    ) -> list[bytes]:
        """Take up other kits, `aims` by a player's own channel; return what lets go of wheels and tells new ranges."""
        let_go = self.end()
        self._aims, self._channels = aims, tuple(channels)
        return let_go + self.begin()

    def ranges(self) -> list[bytes]:
        """Return what tells a synth once more the ranges that it was told."""
        return [message for told in self._ranges.items() for message in bend_range(*told)]

    def now(self) -> list[bytes]:
        """Return what brings a synth that knows nothing to where the others are: ranges, wheels and controllers."""
        messages = self.ranges()
        for channel in self._ranges:
            wheel = self._lines.get(("bend", 0, channel))
            if wheel is None or wheel.sent is None:
                messages.append(pitch_bend(channel, CENTRE))
        for (kind, number, channel), line in self._lines.items():
            if line.sent is not None and kind == "bend":
                messages.append(pitch_bend(channel, int(line.sent[0])))
            elif line.sent is not None and kind == "controller":
                messages.append(control(channel, int(number), int(line.sent[0])))
        return messages

    def end(self) -> list[bytes]:
        """Return what puts the wheels that are turned into the centre, and forget all that waits."""
        messages = []
        for (kind, _, channel), line in self._lines.items():
            line.waiting.clear()
            if kind == "bend" and line.sent is not None and line.sent[0] != CENTRE:
                line.sent = CENTRE, line.sent[1]
                messages.append(pitch_bend(channel, CENTRE))
        return messages

    @property
    def next_due_ns(self) -> int | None:
        """When the next value falls due; None while none waits."""
        return min((line.waiting[0][0] for line in self._lines.values() if line.waiting), default=None)

    def set(self, number: int, player: int, value: float, due_ns: int) -> None:
        """Keep a gesture's value, 0..1, until `due_ns`. Values that wait and would be due later are overtaken."""
        aim = self._aims[own_channel(self._channels, player)][number - 1]
        if aim is None:
            return
        line = self._lines.setdefault(aim.key, _Line())
        while line.waiting and line.waiting[-1][0] >= due_ns:
            line.waiting.pop()
        encoded = aim.encoded(value)
        newest = line.waiting[-1][2] if line.waiting else line.sent
        if encoded != newest or isinstance(aim.target, ToOsc):  # an address gets its value with every frame
            line.waiting.append((due_ns, aim, encoded))

    def due(self, now_ns: int) -> Due | None:
        """Return what has fallen due, of each target only the newest; None where nothing has."""
        due: Due | None = None
        for line in self._lines.values():
            newest = None
            while line.waiting and line.waiting[0][0] <= now_ns:
                newest = line.waiting.popleft()
            if newest is None:
                continue
            _, aim, encoded = newest
            due = due or Due()
            if isinstance(aim.target, ToOsc):
                due.values.append((aim.target.osc, encoded[0]))
            elif encoded != line.sent:
                due.messages += self._messages(aim, int(encoded[0]))
            line.sent = encoded
        return due

    def _messages(self, aim: Aim, encoded: int) -> list[bytes]:
        if isinstance(aim.target, ToController):
            return [control(aim.channel, aim.target.controller, encoded)]
        assert isinstance(aim.target, ToBend), "addresses get values, not messages"
        return [*self._tell_range(aim.channel, aim.target.bend), pitch_bend(aim.channel, encoded)]

    def _tell_range(self, channel: int, semitones: int) -> list[bytes]:
        """Return nothing where the synth was told so: kits may bend one channel's wheel by different ranges."""
        if self._ranges.get(channel) == semitones:
            return []
        self._ranges[channel] = semitones
        return list(bend_range(channel, semitones))


def aims_of(kits: Sequence[KitConfig], own: int | None) -> list[Aim | None]:
    """Return where the values of all gestures of all kits go, in order; None for gestures that set nothing."""
    aims: list[Aim | None] = []
    for kit in kits:
        for gesture in kit.gestures.values():
            target = gesture.to if isinstance(gesture, ControlGesture | HiHat) else None
            named = None if target is None or isinstance(target, ToOsc) else target.channel
            aims.append(None if target is None else Aim(target, named or own or kit.channel))
    return aims


def addresses(kits: Sequence[KitConfig]) -> list[tuple[str, str, str]]:
    """Return kit, gesture and address of every gesture that sets an OSC address."""
    return [
        (kit.name, name, gesture.to.osc)
        for kit in kits
        for name, gesture in kit.gestures.items()
        if isinstance(gesture, ControlGesture | HiHat) and isinstance(gesture.to, ToOsc)
    ]
