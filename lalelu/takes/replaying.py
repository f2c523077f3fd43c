"""Play a take on kits, and draw each limb's height over time. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.gesture.band import Band
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.keypoints import Keypoints
from lalelu.gesture.verdict import Verdict
from lalelu.hits import HitRecord
from lalelu.performance import Delays, hit_records
from lalelu.pose.orientation import Orientation, rolling_shutter
from lalelu.take import Take, TakeHeader
from lalelu.types import Event, Hit

MIN_SCORE = 0.2  # below it a keypoint leaves a gap in its trace, as `strike.min_score` by default
_SHOULDERS = ("left_shoulder", "right_shoulder", "mid_hip")


def band_of(
    config: Config,
    kits: Sequence[KitConfig],
    header: TakeHeader,
    *,
    explain: Callable[[Verdict], None] | None = None,
    lead_ms: float | None = None,
) -> Band:
    """Return the band that plays a take's poses; `lead_ms` None: the configured one."""
    aspect = header.width / header.height
    return Band(
        kits,
        skeleton=header.keypoints,
        player_kits=config.player_kits,
        left_handed=config.left_handed,
        row_delay_ns=rolling_shutter(
            header.readout_ms or 0.0, Orientation(config.camera.rotate, config.camera.mirror), aspect
        ),
        aspect=aspect,
        explain=explain,
        lead_ms=config.timing.lead_ms if lead_ms is None else lead_ms,
        chokes=config.timing.choke,
    )


@dataclass(frozen=True, slots=True)
class Played:
    """What a take gives; times count from its first frame."""

    hits: tuple[HitRecord, ...]
    verdicts: tuple[Verdict, ...]  # on every downward movement, by time; their stamps are the take's
    origin_ns: int


def play(take: Take, config: Config, kits: Sequence[KitConfig], *, explain: bool = False) -> Played:
    """Play a take on kits by the configuration's timing; `verdicts` are told where `explain`."""
    header = take.header
    verdicts: list[Verdict] = []
    band = band_of(config, kits, header, explain=verdicts.append if explain else None)
    events: list[Event] = []
    for frame in take.frames:
        events += band.frame(frame.seq, frame.captured_ns, frame.poses)
    band.finish()
    origin_ns = take.frames[0].captured_ns if take.frames else 0
    hits = [event for event in events if isinstance(event, Hit)]
    records = hit_records(
        hits, kits, origin_ns=origin_ns, delays=Delays.asked(config.timing.delay_ms, hits, pipeline_ms=0.0)
    )
    verdicts.sort(key=lambda verdict: (verdict.lowest_ns, verdict.player, verdict.limb))
    return Played(tuple(records), tuple(verdicts), origin_ns)


@dataclass(frozen=True, slots=True)
class Trace:
    """One limb's height; None where it is not known."""

    player: int
    limb: str
    time_s: list[float]
    height: list[float | None]  # body units above the shoulders


def limbs_of(kits: Sequence[KitConfig]) -> tuple[str, ...]:
    """Return the limbs that strike the kits' pads, in the kits' order."""
    return tuple(dict.fromkeys(limb for kit in kits for pad in kit.pads.values() for limb in pad.limbs or ()))


def traces(take: Take, limbs: Sequence[str], kit: KitConfig) -> list[Trace]:
    """Return the traces of these limbs of every player, by player; `kit` says what its own keypoints are made of."""
    if not take.frames:
        return []
    keypoints = Keypoints(take.header.keypoints, kit.keypoints, (*_SHOULDERS, *limbs))
    origin_ns = take.frames[0].captured_ns
    bodies: dict[int, BodyFrame] = {}
    found: dict[tuple[int, str], Trace] = {}
    for frame in take.frames:
        time_s = round((frame.captured_ns - origin_ns) * 1e-9, 4)
        for pose in frame.poses:
            points = keypoints.points(pose.xy.tolist(), pose.score.tolist(), MIN_SCORE)
            body = bodies.setdefault(pose.player, BodyFrame())
            left, right, hips = (points[name] for name in _SHOULDERS)
            body.observe(frame.captured_ns, left, right, hips)
            for limb in limbs:
                point = points[limb]
                trace = found.setdefault((pose.player, limb), Trace(pose.player, limb, [], []))
                trace.time_s.append(time_s)
                known = point is not None and body.known
                trace.height.append(round(body.locate(*point)[1], 3) if known and point else None)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], limbs.index(key[1])))]
