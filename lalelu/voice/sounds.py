"""What every pad of every kit sounds, and for whom: notes, lengths and choke groups. Pure."""

from collections.abc import Iterator, Sequence
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


def sounds_in(kit: KitConfig, own: int | None, before: int) -> Iterator[Sound]:
    """Return the sounds of a kit's pads, in order, for a player whose own channel is `own`.

    A choke group reaches no farther than its kit and the player's channel. The pads' numbers count from `before` + 1.
    """
    # dict.fromkeys: a note that stands twice in a chord is one note
    notes = [
        tuple(dict.fromkeys((pad.channel or own or kit.channel, note) for note in pad.notes))
        for pad in kit.pads.values()
    ]
    members: dict[str, set[int]] = {}  # of choke groups, by number
    keys: dict[str, set[Sounding]] = {}  # what each group sounds
    for number, (pad, sounded) in enumerate(zip(kit.pads.values(), notes, strict=True), before + 1):
        if pad.choke is not None:
            members.setdefault(pad.choke, set()).add(number)
            keys.setdefault(pad.choke, set()).update(sounded)
    for number, (pad, sounded) in enumerate(zip(kit.pads.values(), notes, strict=True), before + 1):
        length = pad.note_ms or kit.note_ms
        yield Sound(
            sounded,
            None if length == "hold" else length * 1_000_000,
            frozenset(keys[pad.choke].difference(sounded) if pad.choke is not None else ()),
            frozenset(members[pad.choke] - {number} if pad.choke is not None else ()),
        )
