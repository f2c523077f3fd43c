"""What every pad of every kit sounds, and for whom: notes, lengths and choke groups. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from lalelu.config.kit import KitConfig
from lalelu.voice.scheduler import Sounding


@dataclass(frozen=True, slots=True)
class Sound:
    """What one pad sounds for a player."""

    notes: tuple[Sounding, ...]
    note_ns: int | None  # from note-on to note-off; None = until it is released
    choked: frozenset[Sounding]  # what its hit ends, where one of `rivals` has struck it
    rivals: frozenset[int]  # the pads of its choke group but for itself, by number


def own_channel(channels: Sequence[int | None], player: int) -> int | None:
    """Return the player's own MIDI channel; None = the kit's. `channels` by player, from 0."""
    return channels[player] if player < len(channels) else None


def sounds_of(kits: Sequence[KitConfig], own: int | None, before: int = 0) -> list[Sound]:
    """Return the sounds of all pads of all kits, in order, for a player whose own channel is `own`.

    A choke group reaches no farther than its kit and the player's channel. The pads' numbers count from `before` + 1.
    """
    sounds: list[Sound] = []
    for kit in kits:
        first = before + len(sounds) + 1
        # dict.fromkeys: a note that stands twice in a chord is one note
        notes = [
            tuple(dict.fromkeys((pad.channel or own or kit.channel, note) for note in pad.notes))
            for pad in kit.pads.values()
        ]
        groups = [pad.choke for pad in kit.pads.values()]
        for at, pad in enumerate(kit.pads.values()):
            rivals = [
                other
                for other, group in enumerate(groups)
                if group is not None and group == pad.choke and other != at
            ]
            choked = frozenset(key for other in rivals for key in notes[other]).difference(notes[at])
            length = pad.note_ms or kit.note_ms
            sounds.append(
                Sound(
                    notes[at],
                    None if length == "hold" else length * 1_000_000,
                    choked,
                    frozenset(first + other for other in rivals),
                )
            )
    return sounds
