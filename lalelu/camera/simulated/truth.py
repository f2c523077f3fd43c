"""The simulated drummer's hits as they stand in files. Pure."""

from lalelu.camera.simulated.groove import TruthHit
from lalelu.hits import HitRecord


def hit_record(hit: TruthHit) -> HitRecord:
    """Return the hit with its time in seconds from the film's beginning."""
    return HitRecord(hit.time_ns * 1e-9, hit.limb, hit.pad, hit.player, hit.velocity)
