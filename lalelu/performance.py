"""What was played, as records and notes for files: from hits or a ledger's notes, and the kits. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lalelu.config.kit import KitConfig
from lalelu.hits import HitRecord
from lalelu.numbering import Numbers, limb_names
from lalelu.types import Hit
from lalelu.voice.delay import kept_delay_ms
from lalelu.voice.sounds import own_channel
from lalelu.voice.voice import velocity_of

UNTOLD_LIMB: Final = "unknown"  # a record needs a limb's name; this one agrees with no limb of the truth
_ONE_HIT: Final = ["seq", "captured_ns", "struck_ns", "player", "limb", "pad"]  # what a chord's notes share


@dataclass(frozen=True, slots=True)
class Delays:
    """What lies between a stroke and its note where nothing is late by accident."""

    delay_ns: int = 0  # asked for, from the end of the stroke
    pipeline_ns: int = 0  # the machine's assumed share, from the deciding frame's capture

    @classmethod
    def asked(cls, delay_ms: float | Literal["auto"], hits: Iterable[Hit], *, pipeline_ms: float) -> Self:
        """Return the delays of a whole performance: `auto` is the least delay that 99 % of its hits keep."""
        pipeline_ns = round(pipeline_ms * 1e6)
        if delay_ms == "auto":
            delay_ms = kept_delay_ms(hit.captured_ns + pipeline_ns - hit.struck_ns for hit in hits)
        return cls(round(delay_ms * 1e6), pipeline_ns)

    def note_ns(self, hit: Hit) -> int:
        """Return when the hit's note goes out: when it is due and known, whichever is later."""
        return max(hit.struck_ns + self.delay_ns, hit.captured_ns + self.pipeline_ns)


def hit_records(
    hits: Iterable[Hit],
    kits: Sequence[KitConfig],
    *,
    origin_ns: int,
    channels: Sequence[int | None] = (),
    delays: Delays = Delays(),
) -> list[HitRecord]:
    """Return one record per hit, by time; times count from `origin_ns` (the first frame's `captured_ns`).

    A chord is recorded by its first note. `channels`: the players' own, as in Voice.
    """
    records = []
    for hit in hits:
        kit = kits[hit.kit]
        pad = kit.pads[hit.pad]
        records.append(
            HitRecord(
                time_s=(hit.struck_ns - origin_ns) * 1e-9,
                limb=hit.limb,
                pad=hit.pad,
                player=hit.player,
                velocity=velocity_of(hit.strength),
                note=pad.notes[0],
                channel=pad.channel or own_channel(channels, hit.player) or kit.channel,
                decided_s=(hit.captured_ns - origin_ns) * 1e-9,
                note_s=(delays.note_ns(hit) - origin_ns) * 1e-9,
            )
        )
    return sorted(records, key=lambda record: record.time_s)


def hit_records_from_notes(
    notes: NDArray[np.void], kits: Sequence[KitConfig], *, skeleton: Sequence[str], origin_ns: int
) -> list[HitRecord]:
    """Return one record per hit that sounded, by time, from a ledger's notes (M,) in the order of sending.

    A chord is recorded by the first note of it that was sent. `kits` and `skeleton` are those that were
    played with; a limb that is not told, or that has no name, is UNTOLD_LIMB, such a pad None.
    """
    limbs = dict(enumerate(limb_names(skeleton, kits), 1))
    pads = {number: name for (_, name), number in Numbers(kits).pads.items()}
    _, first = np.unique(notes[_ONE_HIT], return_index=True)
    records = [
        HitRecord(
            time_s=(int(row["struck_ns"]) - origin_ns) * 1e-9,
            limb=limbs.get(int(row["limb"]), UNTOLD_LIMB),
            pad=pads.get(int(row["pad"])),
            player=int(row["player"]),
            velocity=int(row["velocity"]),
            note=int(row["note"]),
            channel=int(row["channel"]),
            decided_s=(int(row["captured_ns"]) - origin_ns) * 1e-9,
            note_s=(int(row["sent_ns"]) - origin_ns) * 1e-9,
        )
        for row in notes[np.sort(first)]
    ]
    return sorted(records, key=lambda record: record.time_s)


def hit_records_of_epochs(
    notes: NDArray[np.void], epochs: Sequence[Mapping[str, Any]], *, skeleton: Sequence[str], origin_ns: int
) -> list[HitRecord]:
    """Return the same where kits were changed while playing: each note by the kits of its epoch.

    `epochs` are those of the ledger's header, in order.
    """
    began = [int(epoch.get("began_ns", 0)) for epoch in epochs]
    of_note = np.clip(np.searchsorted(began, notes["captured_ns"], side="right") - 1, 0, None)
    records = []
    for place, epoch in enumerate(epochs):
        config = epoch["config"]
        kits = [KitConfig.model_validate(kit) for kit in config.get("kits", [config["kit"]])]
        records += hit_records_from_notes(
            notes[of_note == place], kits, skeleton=skeleton, origin_ns=origin_ns
        )
    return sorted(records, key=lambda record: record.time_s)


def sounding_notes(records: Sequence[HitRecord], kits: Sequence[KitConfig]) -> list[tuple[float, int, int]]:
    """Return (time in seconds, note, velocity) of every note that the records sound, chords in full.

    Where several kits have a pad of that name, it is the one with the record's note.
    """
    notes: dict[tuple[str | None, int | None], tuple[int, ...]] = {}
    for kit in kits:
        for name, pad in kit.pads.items():
            notes.setdefault((name, pad.notes[0]), pad.notes)
    return [
        (record.note_s, note, record.velocity)
        for record in records
        if record.note_s is not None and record.velocity is not None
        for note in notes.get((record.pad, record.note), ())
    ]
