"""A diagnosis as plain JSON values. Pure: values in, dictionaries out."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.causes import Causes
from lalelu.analysis.comparison import Comparison
from lalelu.analysis.diagnosis import Diagnosis
from lalelu.analysis.latency import as_json


def plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return all that was found; ms where a name says so, null where nothing was measured or told."""
    cadence, seconds = diagnosis.cadence, diagnosis.seconds
    found = {
        **as_json(diagnosis.summary),
        "stages": [asdict(each) for each in diagnosis.stages],
        "over": [asdict(each) for each in diagnosis.over],
        "cadence": {
            "period_ms": cadence.period_ns * 1e-6,
            "nominal_fps": cadence.nominal_fps,
            "drift_ppm": cadence.drift_ppm,
            "jitter_ms": cadence.jitter_ms,
            "worst_ms": cadence.worst_ms,
            "skipped": cadence.skipped,
            "lost": cadence.lost,
            "segments": len(cadence.segments),
        },
        "phases": [{**asdict(each), "frames": each.frames} for each in diagnosis.phases],
        "causes": {"frames": _causes(diagnosis.frame_causes), "notes": _causes(diagnosis.note_causes)},
        "rhythms": {
            "frames": [asdict(each) for each in diagnosis.frame_rhythms],
            "notes": [asdict(each) for each in diagnosis.note_rhythms],
        },
        "seconds": {
            "second": seconds.second.tolist(),
            "missing": seconds.missing.tolist(),
            "p50_ms": _rounded(seconds.frame_p50),
            "p95_ms": _rounded(seconds.frame_p95),
            "max_ms": _rounded(seconds.frame_max),
        },
    }
    cleaned: dict[str, Any] = _finite(found)
    return cleaned


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison; its effects say "slower", "faster" or "no difference beyond noise"."""
    cleaned: dict[str, Any] = _finite(asdict(comparison))
    return cleaned


def _causes(causes: Causes) -> dict[str, Any]:
    return {
        "count": causes.count,
        "of": causes.of,
        "threshold_ms": causes.threshold_ms,
        "ranking": [asdict(each) for each in causes.ranking],
        "worst": [asdict(each) for each in causes.worst],
        "not_told": list(causes.not_told),
    }


def _rounded(values: NDArray[np.float64]) -> list[float]:
    listed: list[float] = np.round(values, 4).tolist()
    return listed


def _finite(value: Any) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """Return the same with null for what is no number, and floats of a sensible length."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
