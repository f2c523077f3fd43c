"""What a kit plays, in words: its pads' notes and limbs, and what its gestures do. Pure."""

from typing import Final

from lalelu.config.general_midi import PERCUSSION
from lalelu.config.gestures import (
    Angle,
    Chord,
    ControlGesture,
    Distance,
    Gesture,
    HiHat,
    Hold,
    Kick,
    Measure,
    PlaceX,
    PlaceY,
    Target,
    ToBend,
    ToController,
    ZoneEnter,
)
from lalelu.config.kit import KitConfig, PadSection

_DRUMS: Final = 10  # the channel on which General MIDI's notes are percussion
_PITCHES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_SOUNDS: Final = {note: name for name, note in PERCUSSION.items()}


def notes_of(kit: KitConfig, pad: PadSection) -> str:
    """Return a pad's notes by their names, as in "acoustic snare (38)"."""
    on_drums = (pad.channel or kit.channel) == _DRUMS
    names = [_spaced(_SOUNDS[note]) if on_drums and note in _SOUNDS else _pitch(note) for note in pad.notes]
    return ", ".join(f"{name} ({note})" for name, note in zip(names, pad.notes, strict=True))


def printable(text: str) -> str:
    """Return a kit's own words without what would command a terminal or break a picture's file."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def players_of(pad: PadSection) -> str:
    """Return who plays a pad, and where it lies if that is not around the player."""
    if pad.zone is None:
        return "by a gesture"
    hands = pad.limbs == ("left_wrist", "right_wrist")
    who = "both hands" if hands else ", ".join(_limb(name) for name in pad.limbs)
    return f"{who}, in the picture" if pad.zone.frame == "image" else who


def sentence_of(gesture: Gesture) -> str:
    """Return what the player does and what happens then."""
    if isinstance(gesture, Kick):
        return f"a stomp of the {_limb(gesture.limb)} plays {gesture.pad}"
    if isinstance(gesture, HiHat):
        chick = f", and {gesture.chick_pad} when it comes down" if gesture.chick_pad else ""
        return f"the {_limb(gesture.limb)} is a pedal: {gesture.pad} down, {gesture.open_pad} up{chick}"
    if isinstance(gesture, Chord):
        when = f", when {gesture.struck} is struck" if gesture.struck else ""
        return f"{_measure(gesture.by)} chooses {', '.join(gesture.pads)}{when}"
    if isinstance(gesture, ZoneEnter):
        chosen = f", chosen by {_measure(gesture.by)}" if gesture.by else ""
        return f"the {_limb(gesture.limb)} enters the zone and plays {', '.join(gesture.pads)}{chosen}"
    if isinstance(gesture, ControlGesture):
        return f"{_measure(gesture.by)} moves {_target(gesture.to)}"
    return f"a pose held for {gesture.hold_ms / 1000:g} s: {_order(gesture)}"


def _order(hold: Hold) -> str:
    return f"the kit {hold.kit}" if hold.kit is not None else _spaced(str(hold.command))


def _measure(by: Measure) -> str:
    if isinstance(by, PlaceX):
        return f"how far right the {_limb(by.x)} is"
    if isinstance(by, PlaceY):
        return f"how high the {_limb(by.y)} is"
    if isinstance(by, Angle):
        return f"the angle at the {_limb(by.angle[1])}"
    assert isinstance(by, Distance)
    return f"the distance from {_limb(by.distance[0])} to {_limb(by.distance[1])}"


def _target(to: Target) -> str:
    if isinstance(to, ToController):
        return f"controller {to.controller}"
    return f"the pitch by {to.bend} semitones" if isinstance(to, ToBend) else f"the OSC value {to.osc}"


def _limb(name: str) -> str:
    return _spaced(name).replace("wrist", "hand")


def _pitch(note: int) -> str:
    return f"{_PITCHES[note % 12]}{note // 12 - 1}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
