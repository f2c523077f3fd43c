"""All that the voice must know of the kits it plays: what each pad sounds, and where each gesture's values go. Pure."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from lalelu.config.kit import KitConfig
from lalelu.voice.sounds import Sound, own_channel, sounds_of
from lalelu.voice.targets import Aim, aims_of

_EPOCH_PADS = 1 << 16  # more than a hit can tell


@dataclass(frozen=True, slots=True)
class Repertoire:
    """The kits of one epoch of the configuration. Lists are by the number of the pad or gesture, over all kits."""

    before: int  # the pads' numbers count from this + 1, so that none means another epoch's pad
    channels: tuple[int | None, ...]
    sounds: Mapping[int | None, Sequence[Sound]]  # by the player's own channel
    aims: Mapping[int | None, Sequence[Aim | None]]

    @classmethod
    def of(cls, kits: Sequence[KitConfig], channels: Sequence[int | None]) -> Self:
        """Return the kits' repertoire in the epoch in which the voice begins."""
        steps = cls.in_steps(kits, channels, 0)
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
        """Make the same, a kit at each step."""
        before = epoch * _EPOCH_PADS
        sounds: dict[int | None, list[Sound]] = {own: [] for own in (None, *channels)}
        aims: dict[int | None, list[Aim | None]] = {own: [] for own in sounds}
        for kit in kits:
            for own, known in sounds.items():
                known += sounds_of([kit], own, before + len(known))  # noqa: PLW2901 - the list itself grows
                aims[own] += aims_of([kit], own)
                yield
        return cls(before, tuple(channels), sounds, aims)

    def sound(self, player: int, pad: int) -> Sound:
        """Return what a pad, by its number from 1, sounds for a player."""
        return self.sounds[own_channel(self.channels, player)][pad - 1]
