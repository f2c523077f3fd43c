"""The loop, on fakes that ship: what it hands to the voice, and what every frame leaves in the rings."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from system.stage import (
    SHOULDERS,
    START_NS,
    TRANSFER_NS,
    StageCamera,
    network,
    orders_of,
    poses,
    poses_of,
    rows_of,
    session_of,
    stage_plan,
)

from lalelu import engine
from lalelu.camera.take import RecordedPoses
from lalelu.channel import RingReader
from lalelu.engine import NetworkLostError
from lalelu.errors import EndOfStreamError, LostError
from lalelu.gesture.band import Band
from lalelu.gesture.detector import Detector
from lalelu.glimpse import RING as PICTURE
from lalelu.glimpse import GlimpseReader, GlimpseWriter
from lalelu.ledger.schema import FRAME_DTYPE
from lalelu.realtime.usage import ThreadUsage
from lalelu.session import PLAY, SILENCE
from lalelu.skeleton import COCO17
from lalelu.take import Take, TakeFrame, TakeHeader
from lalelu.types import Command, Event, Frame, Hit
from lalelu.wire import EngineRings

FRAMES = 150
FILM = poses(FRAMES / 100, START_NS)
STAGES = ("arrived_ns", "decoded_ns", "prepared_ns", "inferred_ns", "posed_ns", "detected_ns", "sent_ns")


@dataclass
class Stop:
    requested: bool = False


@dataclass
class ScriptedCues:
    """Asks for what a script says, by the frame's number, and keeps what it is told."""

    script: dict[int, Callable[[Band, Frame], Sequence[Event]]] = field(default_factory=dict)
    looks: int = 0
    told: list[Command] = field(default_factory=list)

    @property
    def waiting(self):
        self.looks += 1
        return self.looks - 1 in self.script

    def take(self, band, frame):
        return self.script[frame.seq](band, frame)

    def tell(self, command, band):
        self.told.append(command)


@dataclass
class Eyes:
    """Sees from frame `dark` on nothing, and all again from frame `light` on."""

    dark: int = FRAMES
    light: int = FRAMES
    blind: bool = False

    def look(self, frame):
        was, self.blind = self.blind, self.dark <= frame.seq < self.light
        return self.blind and not was


class WatchedRings(EngineRings):
    """Rings that note how many hits and poses were in them when each frame's row was written."""

    def __init__(self, session, *arguments, **options):
        super().__init__(session, *arguments, **options)
        self._others = [RingReader(session / ring) for ring in ("hits", "poses")]
        self.before_rows = []

    def frame(self, seq, *numbers):
        self.before_rows.append((seq, *(ring.head for ring in self._others)))
        super().frame(seq, *numbers)


@dataclass
class Show:
    """One performance of FILM: its parts before it; what it left is in the session."""

    session: object
    bell: int
    plan: object
    camera: StageCamera
    estimator: object
    rings: WatchedRings
    stop: object = field(default_factory=Stop)
    cues: ScriptedCues = field(default_factory=ScriptedCues)
    usage: object = field(default_factory=ThreadUsage)
    sight: object = field(default_factory=Eyes)

    def play(self, *, until=EndOfStreamError):
        """Play until the error `until` is raised, None = until the loop returns."""
        band = Band(self.plan.kits, skeleton=COCO17)
        view = GlimpseWriter(self.session / PICTURE)
        parts = (
            *(self.camera, self.estimator, band, self.rings),
            *(self.stop, self.cues, self.usage, self.sight, view),
        )
        if until is None:
            engine.play(*parts)
        else:
            with pytest.raises(until) as caught:
                engine.play(*parts)
            assert caught.type is until

    def offline(self):
        """The hits of a detector that sees FILM without the loop."""
        detector = Detector(self.plan.kit, skeleton=COCO17)
        return [event for pose in FILM for event in detector.step(pose) if isinstance(event, Hit)]

    @property
    def frames(self):
        return rows_of(self.session)

    @property
    def orders(self):
        return orders_of(self.session)


def recorded(film=FILM):
    """The estimator that plays `film`."""
    frames = tuple(TakeFrame(pose.seq, pose.captured_ns, (pose,)) for pose in film)
    return RecordedPoses(Take(TakeHeader("a film", 100.0, 64, 48), frames))


def both_hands(pose):
    """The pose, its right hand doing what its left one does."""
    left, right = (COCO17.index(f"{side}_wrist") for side in ("left", "right"))
    xy = pose.xy.copy()
    xy[right] = (2 * SHOULDERS[0] - xy[left][0], xy[left][1])
    return replace(pose, xy=xy)


@pytest.fixture
def show(tmp_path):
    plan = stage_plan(tmp_path)
    with session_of(plan, tmp_path) as (session, bell):
        rings = WatchedRings(session, bell, kits=plan.kits, skeleton=COCO17, keeps_poses=True)
        camera = StageCamera()
        camera.open()
        yield Show(session, bell, plan, camera, recorded(), rings)


def test_the_voice_gets_what_the_detector_finds_offline(show):
    show.play()
    expected = [
        (
            *(hit.seq, hit.captured_ns, hit.struck_ns, hit.strength, PLAY, hit.player),
            *(1 + COCO17.index(hit.limb), 1 + ["left", "right"].index(hit.pad), 0),
        )
        for hit in show.offline()
    ]
    assert show.orders == expected
    assert len(expected) == 8
    assert {pad for *_, pad, _ in expected} == {1, 2}


def test_every_frame_leaves_one_row_with_its_identity(show):
    show.play()
    rows = show.frames
    assert rows["seq"].tolist() == list(range(FRAMES))
    assert rows["captured_ns"].tolist() == [pose.captured_ns for pose in FILM]
    assert rows["arrived_ns"].tolist() == [pose.captured_ns + TRANSFER_NS for pose in FILM]
    assert rows["skipped"].tolist() == [seq % 2 for seq in range(FRAMES)]
    assert rows["players"].tolist() == [1] * FRAMES
    struck = [hit.seq for hit in show.offline()]
    assert rows["hits"].tolist() == [struck.count(seq) for seq in range(FRAMES)]


def test_the_stages_of_a_frame_follow_one_another(show):
    show.play()
    stamps = np.stack([show.frames[name] for name in STAGES])
    assert (np.diff(stamps, axis=0) >= 0).all()
    assert (stamps > 0).all()


def test_a_row_tells_what_its_own_processing_took(show):

    class Counted:
        begun = ended = 0

        def begin(self):
            self.begun += 1

        def end(self):
            assert self.begun == self.ended + 1  # one look before the work, one after it
            self.ended += 1
            return [self.ended, *range(7)]

    show.usage = Counted()
    show.play()
    names = FRAME_DTYPE.names[FRAME_DTYPE.names.index("woken_late_ns") :]
    assert show.frames["woken_late_ns"].tolist() == list(range(1, FRAMES + 1))
    assert [show.frames[name].tolist() for name in names[1:]] == [[n] * FRAMES for n in range(7)]


def test_the_bell_rings_once_for_every_frame_with_hits(show):
    show.estimator = recorded([both_hands(pose) for pose in FILM])
    show.play()
    hits = show.frames["hits"]
    assert (int(hits.max()), len(show.orders)) == (2, int(hits.sum()))
    assert os.eventfd_read(show.bell) == np.count_nonzero(hits) >= 4


def test_the_bell_is_silent_where_nothing_is_struck(show):
    show.estimator = RecordedPoses(Take(TakeHeader("nobody", 100.0, 64, 48), ()))
    show.play()
    with pytest.raises(BlockingIOError):
        os.eventfd_read(show.bell)


def test_the_poses_that_were_played_are_kept_exactly(show):
    show.play()
    for kept, pose in zip(poses_of(show.session), FILM, strict=True):
        assert (kept.seq, kept.captured_ns, kept.player, kept.via) == (pose.seq, pose.captured_ns, 0, "net")
        np.testing.assert_array_equal(kept.xy, pose.xy)
        np.testing.assert_array_equal(kept.score, pose.score)


def test_a_frames_hits_and_poses_are_there_before_its_row(show):
    show.play()
    struck = [hit.seq for hit in show.offline()]
    expected = [(seq, sum(hit <= seq for hit in struck), seq + 1) for seq in range(FRAMES)]
    assert show.rings.before_rows == expected


def test_a_blind_camera_ends_what_is_held_and_plays_nothing_until_it_sees_again(show):
    show.sight = Eyes(dark=50, light=100)
    show.play()
    rows = show.frames
    assert rows["seq"].tolist() == list(range(FRAMES))  # the loop goes on
    dark = (rows["seq"] > 50) & (rows["seq"] <= 100)
    assert set(rows["players"][dark].tolist()) == {0}
    assert set(rows["players"][~dark].tolist()) == {1}
    played = [order[0] for order in show.orders if order[4] == PLAY]
    assert [seq for seq in played if 50 < seq <= 100] == []
    assert any(seq <= 50 for seq in played)
    assert any(seq > 100 for seq in played)


def test_a_picture_is_shown_only_while_somebody_looks(show):
    show.play()
    reader = GlimpseReader(show.session / PICTURE)
    assert (reader.newest(), reader.head) == (None, 0)
    reader.ask(START_NS + TRANSFER_NS)  # and never again: the film is half a second longer than that lasts
    show.camera = StageCamera()
    show.estimator = recorded()
    show.play()
    assert reader.head == 15
    newest = reader.newest()
    assert (newest.seq, newest.image.shape) == (98, (48, 64, 3))


def test_a_network_on_a_runtime_plays_as_its_poses_do(show):
    show.estimator, _ = network(FILM)
    show.estimator.open()
    show.play()
    for order, hit in zip(show.orders, show.offline(), strict=True):
        assert (order[0], order[6]) == (hit.seq, 1 + COCO17.index(hit.limb))
        assert order[2] == pytest.approx(hit.struck_ns, abs=100_000)


def test_frames_without_a_player_leave_rows_too(show):
    show.estimator = RecordedPoses(Take(TakeHeader("nobody", 100.0, 64, 48), ()))
    show.play()
    assert show.frames["players"].tolist() == [0] * FRAMES
    assert (poses_of(show.session), show.orders) == ([], [])


def test_a_stop_ends_the_loop_after_the_frame_in_hand(show):
    hits = RingReader(show.session / "hits")

    class StopAtTheFirstHit:
        @property
        def requested(self):
            return hits.head > 0

    show.stop = StopAtTheFirstHit()
    show.play(until=None)
    first = show.offline()[0]
    assert {order[0] for order in show.orders} == {first.seq}
    assert int(show.frames["seq"][-1]) == first.seq
    assert poses_of(show.session)[-1].seq == first.seq


def test_what_the_desk_asks_for_holds_from_the_next_frame_on(show):
    first, *_, last = show.offline()
    show.cues.script = {
        first.seq: lambda band, frame: band.toggle(frame.seq, frame.captured_ns),
        last.seq - 1: lambda band, frame: band.toggle(frame.seq, frame.captured_ns),
    }
    show.play()
    kinds = [(order[0], order[4]) for order in show.orders]
    assert kinds == [(first.seq, PLAY), (first.seq, SILENCE), (last.seq, PLAY)]
    assert [(command.name, command.seq) for command in show.cues.told] == [
        ("standby", first.seq),
        ("play", last.seq - 1),
    ]
    assert len(show.frames) == FRAMES


def test_a_lost_camera_leaves_the_rows_before_it(show):
    show.camera = StageCamera(StageCamera.Options(unplug_after=60))
    show.camera.open()
    show.play(until=LostError)
    assert show.frames["seq"].tolist() == list(range(60))


def test_a_lost_network_is_told_from_a_lost_camera_and_leaves_the_rows_before_it(show):
    show.estimator, runtime = network(FILM)
    show.estimator.open()
    runtime.fail_after(40)
    show.play(until=NetworkLostError)
    assert show.frames["seq"].tolist() == list(range(40))


@pytest.mark.parametrize(
    ("number", "value"), [("seq", 1 << 63), ("captured_ns", -(1 << 63) - 1), ("skipped", 1 << 31)]
)
def test_a_frame_whose_numbers_fit_no_row_is_counted_and_the_next_are_written(show, number, value):
    class OddCamera(StageCamera):
        def read(self):
            frame = super().read()
            return replace(frame, **{number: value}) if frame.seq == 5 else frame

    show.camera = OddCamera()
    show.camera.open()
    show.estimator = RecordedPoses(Take(TakeHeader("nobody", 100.0, 64, 48), ()))
    show.play()
    assert show.frames["seq"].tolist() == [seq for seq in range(FRAMES) if seq != 5]
    assert show.rings.unwritten == 1


def test_a_player_whose_number_fits_no_row_is_counted_and_the_frames_are_written(show):
    show.estimator = recorded([replace(pose, player=256) for pose in FILM])
    show.play()
    assert show.frames["seq"].tolist() == list(range(FRAMES))
    assert (poses_of(show.session), show.orders) == ([], [])
    assert show.rings.unwritten == FRAMES + len(show.offline())
