"""All that a ledger's rows tell: percentiles, cadence, phases, causes, periodicity. Pure over arrays."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.cadence import Cadence, expected_latency_ns, fit_cadence, latency_of_rows_ns
from lalelu.analysis.causes import Causes, find_causes
from lalelu.analysis.columns import Columns, Nanoseconds, Rows, columns_of
from lalelu.analysis.comparison import Timed
from lalelu.analysis.latency import STAGES, Budget, LatencySummary, summarize_columns
from lalelu.analysis.notes import note_durations
from lalelu.analysis.periodicity import Rhythm, find_rhythms
from lalelu.analysis.phases import Phase, find_phases
from lalelu.analysis.seconds import Seconds, seconds_of

_MIDDLE: Final = (45.0, 55.0)  # percent of the frames that are "the median frame"
_TAIL: Final = 99.0  # the slowest 1 %


class Event(Protocol):
    """Something that happened beside the frames."""

    @property
    def at_ns(self) -> int:
        """When."""

    @property
    def kind(self) -> str:
        """What sort of thing."""

    @property
    def text(self) -> str:
        """What it was."""


class Recording(Rows, Protocol):
    """A run's rows: a ledger as it is read, or one made in memory."""

    @property
    def header(self) -> Mapping[str, Any]:
        """What is known of the whole run; may be damaged."""

    @property
    def notes(self) -> NDArray[np.void]:
        """(M,), NOTE_DTYPE."""

    @property
    def samples(self) -> NDArray[np.void]:
        """(S,), SAMPLE_DTYPE."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened beside the frames."""


@dataclass(frozen=True, slots=True)
class StageShare:
    """What one stage takes of a frame, from the exposure until its hits are handed over."""

    stage: str  # a key of STAGES
    median_ms: float  # mean within the middle tenth of all frames
    median_share: float  # 0..1 of that frame
    tail_ms: float  # mean within the slowest 1 %
    tail_share: float  # 0..1 of that frame


@dataclass(frozen=True, slots=True)
class OverBudget:
    """How often frames took longer than a limit; missing frames count."""

    limit_ms: float
    what: str  # "the frame period", or the budget as it was given
    share: float  # 0..1 of all frames; NaN without frames


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `diagnose` found."""

    summary: LatencySummary
    stages: tuple[StageShare, ...]  # in the order of STAGES; none without frames
    over: tuple[OverBudget, ...]
    cadence: Cadence
    seconds: Seconds
    phases: tuple[Phase, ...]  # one when nothing changed
    frame_causes: Causes
    note_causes: Causes
    frame_rhythms: tuple[Rhythm, ...]  # of frames that are outliers, the most spikes first
    note_rhythms: tuple[Rhythm, ...]  # of notes


def diagnose(recording: Recording, budgets: Iterable[Budget] = ()) -> Diagnosis:
    """Return all that a run's rows tell. A day of frames takes some seconds and 0.7 GB."""
    columns = columns_of(recording)
    header, notes, samples = recording.header, recording.notes, recording.samples
    cadence = fit_cadence(columns, _nominal_fps(header))
    latency_ns = latency_of_rows_ns(columns, cadence)
    seconds = seconds_of(columns, cadence, latency_ns, samples)
    events = tuple(
        ((event.at_ns - seconds.start_ns) * 1e-9, f"{event.kind}: {event.text}") for event in recording.events
    )
    phases = find_phases(columns, seconds, latency_ns, events)
    of_frames, of_notes = find_causes(
        recording, columns, cadence, latency_ns, phases, notes, samples, _unavailable(header)
    )
    first_ns, last_ns = (int(columns.captured_ns[i]) if len(columns) else 0 for i in (0, -1))
    length_s = (last_ns - first_ns) * 1e-9
    return Diagnosis(
        summary=summarize_columns(columns, cadence, latency_ns, notes),
        stages=_stages(columns),
        over=_over(latency_ns, cadence, budgets),
        cadence=cadence,
        seconds=seconds,
        phases=phases,
        frame_causes=of_frames,
        note_causes=of_notes,
        frame_rhythms=find_rhythms(of_frames.at_s, length_s),
        note_rhythms=find_rhythms(of_notes.at_s, length_s),
    )


def timed(recording: Recording) -> dict[str, Timed]:
    """Return what two runs are compared by: every row's frame → row, every note's frame → note and hit → note."""
    columns, notes = columns_of(recording), recording.notes
    told = note_durations(columns.hits, notes)
    known = ~np.isnan(told["note"])
    return {
        "frame": Timed(columns.captured_ns, np.asarray(columns.frame_ns * 1e-6, np.float64)),
        "note": Timed(notes["captured_ns"][known], told["note"][known]),
        "hit": Timed(notes["captured_ns"], told["hit"]),
    }


def _stages(columns: Columns) -> tuple[StageShare, ...]:
    """Say what the stages take of the median frame and of the slowest ones: they differ."""
    if not len(columns):
        return ()
    kind = np.int64 if columns.frame_ns.dtype == np.int64 else columns.stage_ns["camera"].dtype
    light = np.add(columns.frame_ns, columns.stage_ns["camera"], dtype=kind)
    low, tail = np.percentile(light, [_MIDDLE[0], _TAIL], method="lower")
    high = np.percentile(light, _MIDDLE[1], method="higher")
    chosen = [np.flatnonzero((light >= low) & (light <= high)), np.flatnonzero(light >= tail)]
    del light
    means = [[float(columns.stage_ns[name][rows].mean()) * 1e-6 for name in STAGES] for rows in chosen]
    whole = [sum(each) or math.nan for each in means]
    return tuple(
        StageShare(name, middle, middle / whole[0], slow, slow / whole[1])
        for name, middle, slow in zip(STAGES, *means, strict=True)
    )


def _over(latency_ns: Nanoseconds, cadence: Cadence, budgets: Iterable[Budget]) -> tuple[OverBudget, ...]:
    limits = [(cadence.period_ns * 1e-6, "the frame period")] if math.isfinite(cadence.period_ns) else []
    limits += [(each.limit, each.text) for each in budgets if each.duration in {"frame", "frame_all"}]
    latency = expected_latency_ns(latency_ns, cadence)
    return tuple(
        OverBudget(limit, what, float(np.count_nonzero(latency > limit * 1e6)) / len(latency))
        if len(latency)
        else OverBudget(limit, what, math.nan)
        for limit, what in limits
    )


def _nominal_fps(header: Mapping[str, Any]) -> float:
    """Return the rate that the camera promised; NaN where the header does not tell one."""
    camera = header.get("camera")
    fps = camera.get("fps") if isinstance(camera, dict) else None
    known = isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps < 10_000
    return float(fps) if known and fps is not None else math.nan


def _unavailable(header: Mapping[str, Any]) -> dict[str, str]:
    reasons = header.get("unavailable")
    return {str(k): str(v) for k, v in reasons.items()} if isinstance(reasons, dict) else {}
