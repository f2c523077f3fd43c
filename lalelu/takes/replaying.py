"""Play a take on kits, and draw each limb's height over time. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lalelu.config.gestures import HiHat, Kick, ZoneEnter
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.gesture.band import Band
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.keypoints import Keypoints, Own, expand, mirrored_own
from lalelu.gesture.verdict import Verdict
from lalelu.hits import HitRecord
from lalelu.performance import Delays, hit_records
from lalelu.pose.orientation import Orientation, rolling_shutter
from lalelu.skeleton import mirrored
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
    follows: bool = False,
) -> Band:
    """Return the band that plays a take's poses; `lead_ms` None: the configured one; `follows` as Band has it."""
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
        follows=follows,
    )


def on_one_kit(config: Config) -> Config:
    """Return the configuration with which everybody plays the same kit."""
    return config.model_copy(update={"player": config.player.model_copy(update={"kits": {}})})


@dataclass(frozen=True, slots=True)
class Played:
    """What a take gives; times count from its first frame."""

    hits: tuple[HitRecord, ...]
    verdicts: tuple[Verdict, ...]  # on every downward movement, by time; their stamps are the take's
    origin_ns: int


def play(
    take: Take,
    config: Config,
    kits: Sequence[KitConfig],
    *,
    explain: bool = False,
    lead_ms: float | None = None,
) -> Played:
    """Play a take on kits by the configuration's timing; `verdicts` are told where `explain`, the rest is band_of's."""
    verdicts: list[Verdict] = []
    tell = verdicts.append if explain else None
    band = band_of(config, kits, take.header, explain=tell, lead_ms=lead_ms)
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


def limbs_of(kits: Sequence[KitConfig], heard: Iterable[str], *, left_handed: bool) -> tuple[str, ...]:
    """Return the limbs that play the kits' pads, in the kits' order: by strokes, by gestures, and those `heard`."""
    limbs: list[str] = []
    for kit in kits:
        limbs += [limb for pad in kit.pads.values() if pad.zone is not None for limb in pad.limbs]
        limbs += [
            gesture.limb for gesture in kit.gestures.values() if isinstance(gesture, Kick | HiHat | ZoneEnter)
        ]
    return tuple(dict.fromkeys([*(map(mirrored, limbs) if left_handed else limbs), *heard]))


def keypoints_of(kits: Sequence[KitConfig], *, left_handed: bool) -> Own:
    """Return the kits' own keypoints; of those of one name the first kit's."""
    own = {name: parts for kit in reversed(kits) for name, parts in kit.keypoints.items()}
    return mirrored_own(own) if left_handed else own


def traces(take: Take, limbs: Iterable[str], own: Own) -> list[Trace]:
    """Return the traces of these limbs of every player, by player; a limb that the take does not show has none.

    `own` says what keypoints of kits are made of.
    """
    if not take.frames:
        return []
    skeleton = take.header.keypoints
    shown = [limb for limb in limbs if _is_shown(limb, skeleton, own)]
    keypoints = Keypoints(skeleton, own, (*_SHOULDERS, *shown))
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
            for limb in shown:
                point = points[limb]
                trace = found.setdefault((pose.player, limb), Trace(pose.player, limb, [], []))
                trace.time_s.append(time_s)
                known = point is not None and body.known
                trace.height.append(round(body.locate(*point)[1], 3) if known and point else None)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], shown.index(key[1])))]


def _is_shown(limb: str, skeleton: Sequence[str], own: Own) -> bool:
    try:
        expand(limb, skeleton, own)
    except UsageError:
        return False
    return True
