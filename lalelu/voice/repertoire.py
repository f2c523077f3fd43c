"""All that the voice must know of the kits it plays: what each pad sounds, and where each gesture's values go. Pure."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from lalelu.config.kit import KitConfig
from lalelu.voice.sounds import Sound, own_channel, sounds_in
from lalelu.voice.targets import Aim, aims_of

_EPOCH_PADS = 1 << 16  # more than a hit can tell


@dataclass(frozen=True, slots=True)
class Repertoire:
    """The kits of one epoch of the configuration. Lists are by the number of the pad or gesture, over all kits."""

    epoch: int
    channels: tuple[int | None, ...]
    sounds: Mapping[int | None, Sequence[Sound]]  # by the player's own channel
    aims: Mapping[int | None, Sequence[Aim | None]]
    played: frozenset[int]  # MIDI channels that the pads sound on

    @property
    def before(self) -> int:
        """What the pads' numbers count from, less 1, so that none means another epoch's pad."""
        return self.epoch * _EPOCH_PADS

    @classmethod
    def of(cls, kits: Sequence[KitConfig], channels: Sequence[int | None], epoch: int = 0) -> Self:
        """Return the kits' repertoire; that with which a voice begins is of epoch 0, whichever holds."""
        steps = cls.in_steps(kits, channels, epoch)
        while True:
            try:
                next(steps)
            except StopIteration as exc:
                made: Self = exc.value
                return made

    @classmethod
    def in_steps(
        cls, kits: Sequence[KitConfig], channels: Sequence[int | None], epoch: int
    ) -> Generator[None, None, Self]:
        """Make the same, a pad at each step."""
        before = epoch * _EPOCH_PADS
        sounds: dict[int | None, list[Sound]] = {own: [] for own in (None, *channels)}
        aims: dict[int | None, list[Aim | None]] = {own: [] for own in sounds}
        played: set[int] = set()
        for kit in kits:
            for own, known in sounds.items():
                for sound in sounds_in(kit, own, before + len(known)):
                    known.append(sound)
                    played.update(channel for channel, _ in sound.notes)
                    yield
                aims[own] += aims_of([kit], own)
                yield
        return cls(epoch, tuple(channels), sounds, aims, frozenset(played))

    def sound(self, player: int, pad: int) -> Sound:
        """Return what a pad, by its number from 1, sounds for a player."""
        return self.sounds[own_channel(self.channels, player)][pad - 1]
