"""What was played, as records and notes for files: from the detector's hits and the kit. Pure."""

from collections.abc import Iterable, Sequence

from lalelu.config.schema import KitConfig
from lalelu.hits import HitRecord
from lalelu.types import Hit
from lalelu.voice.voice import velocity_of


def note_time_ns(hit: Hit, pipeline_ns: int) -> int:
    """Return when the hit's note goes out: when it is due and known, whichever is later.

    It is known `pipeline_ns` (the machine's assumed share) after the deciding frame's capture.
    """
    return max(hit.struck_ns, hit.captured_ns + pipeline_ns)


def hit_records(
    hits: Iterable[Hit], kit: KitConfig, *, origin_ns: int, pipeline_ns: int = 0
) -> list[HitRecord]:
    """Return one record per hit, by time; times count from `origin_ns` (the first frame's `captured_ns`).

    A chord is recorded by its first note.
    """
    records = []
    for hit in hits:
        pad = kit.pads[hit.pad]
        records.append(
            HitRecord(
                time_s=(hit.struck_ns - origin_ns) * 1e-9,
                limb=hit.limb,
                pad=hit.pad,
                player=hit.player,
                velocity=velocity_of(hit.strength),
                note=pad.notes[0],
                channel=pad.channel or kit.channel,
                decided_s=(hit.captured_ns - origin_ns) * 1e-9,
                note_s=(note_time_ns(hit, pipeline_ns) - origin_ns) * 1e-9,
            )
        )
    return sorted(records, key=lambda record: record.time_s)


def sounding_notes(records: Sequence[HitRecord], kit: KitConfig) -> list[tuple[float, int, int]]:
    """Return (time in seconds, note, velocity) of every note that the records sound, chords in full."""
    return [
        (record.note_s, note, record.velocity)
        for record in records
        if record.pad is not None and record.note_s is not None and record.velocity is not None
        for note in kit.pads[record.pad].notes
    ]
