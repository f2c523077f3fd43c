"""The loop, on fakes that ship: what it plays, and what every frame leaves behind."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from system.stage import KIT, START_NS, TRANSFER_NS, StageCamera, network, poses

from lalelu import engine
from lalelu.camera.take import RecordedPoses
from lalelu.config.loader import load_kit
from lalelu.desk.recorder import Recorder
from lalelu.errors import EndOfStreamError, LostError, PortLostError
from lalelu.gesture.detector import Detector
from lalelu.ledger.files import new_header
from lalelu.ledger.reader import read_ledger
from lalelu.skeleton import COCO17
from lalelu.take import Take, TakeFrame, TakeHeader, read_take
from lalelu.types import Hit
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.voice import Voice

FRAMES = 150
FILM = poses(FRAMES / 100, START_NS)


@dataclass
class Stop:
    requested: bool = False


@dataclass
class Show:
    """One performance of FILM: its parts before it, its traces after it."""

    camera: StageCamera
    estimator: object
    detector: Detector
    outputs: list[MemoryOutput]
    voice: Voice
    recorder: Recorder
    folder: object
    stop: Stop = field(default_factory=Stop)
    hits: list[Hit] = field(default_factory=list)

    def play(self, *, until, on_hit=None):
        """Play until the error `until` is raised, None = until the loop returns."""
        parts = (self.camera, self.estimator, self.detector, self.voice, self.recorder, self.stop)
        self.recorder.open()
        try:
            if until is None:
                engine.play(*parts, on_hit or self.hits.append)
            else:
                with pytest.raises(until) as caught:
                    engine.play(*parts, on_hit or self.hits.append)
                assert caught.type is until
        finally:
            self.recorder.close()
        assert (self.recorder.problem, self.recorder.overruns) == ("", 0)
        self.ledger = read_ledger(self.folder / "ledger")
        self.take = read_take(self.folder / "show.take")
        assert self.ledger.problems == ()


def recorded():
    """The estimator that plays FILM."""
    frames = tuple(TakeFrame(pose.seq, pose.captured_ns, (pose,)) for pose in FILM)
    return RecordedPoses(Take(TakeHeader("a film", 100.0, 64, 48), frames))


@pytest.fixture
def show(tmp_path):
    (tmp_path / "stage.yaml").write_text(KIT.format(note_ms=80))
    kit = load_kit("stage.yaml", tmp_path)
    camera = StageCamera()
    outputs = [MemoryOutput(), MemoryOutput()]
    voice = Voice(outputs, kit, now_ns=lambda: camera.now_ns)
    recorder = Recorder(
        tmp_path / "ledger",
        tmp_path / "show.take",
        new_header({}, camera={}, model="recorded", runtime={}),
        skeleton=COCO17,
        take_header={"source": "a stage", "fps": 100.0, "width": 64, "height": 48},
    )
    camera.open()
    voice.open()
    return Show(camera, recorded(), Detector(kit, skeleton=COCO17), outputs, voice, recorder, tmp_path)


def offline(show):
    """The hits of a detector that sees FILM without the loop."""
    detector = Detector(load_kit("stage.yaml", show.folder), skeleton=COCO17)
    return [event for pose in FILM for event in detector.step(pose) if isinstance(event, Hit)]


def test_the_loop_plays_what_the_detector_finds_offline(show):
    show.play(until=EndOfStreamError)
    assert show.hits == offline(show)
    assert len(show.hits) == 8


def test_every_frame_leaves_one_row_with_its_identity(show):
    show.play(until=EndOfStreamError)
    rows = show.ledger.frames
    assert rows["seq"].tolist() == list(range(FRAMES))
    assert rows["captured_ns"].tolist() == [pose.captured_ns for pose in FILM]
    assert rows["arrived_ns"].tolist() == [pose.captured_ns + TRANSFER_NS for pose in FILM]
    assert rows["skipped"].tolist() == [seq % 2 for seq in range(FRAMES)]
    assert rows["players"].tolist() == [1] * FRAMES
    struck = [hit.seq for hit in show.hits]
    assert rows["hits"].tolist() == [struck.count(seq) for seq in range(FRAMES)]


def test_the_stages_of_a_frame_follow_one_another(show):
    show.play(until=EndOfStreamError)
    stages = ("arrived_ns", "decoded_ns", "prepared_ns", "inferred_ns", "posed_ns", "detected_ns", "sent_ns")
    stamps = np.stack([show.ledger.frames[name] for name in stages])
    assert (np.diff(stamps, axis=0) >= 0).all()


def test_every_note_leaves_one_row_with_its_hits_identity(show):
    show.play(until=EndOfStreamError)
    chord = {"left": [(10, 38)], "right": [(3, 45), (3, 48)]}
    expected = [(hit.seq, hit.struck_ns, *note) for hit in show.hits for note in chord[hit.pad]]
    rows = show.ledger.notes
    got = [(int(r["seq"]), int(r["struck_ns"]), int(r["channel"]), int(r["note"])) for r in rows]
    assert got == expected
    assert rows["captured_ns"].tolist() == [START_NS + 10_000_000 * seq for seq, *_ in expected]
    assert rows["sent_ns"].tolist() == [int(row["captured_ns"]) + TRANSFER_NS for row in rows]


def test_all_outputs_get_the_same_and_each_note_ends_in_time(show):
    show.play(until=EndOfStreamError)
    first, second = (output.sent for output in show.outputs)
    assert first == second
    started = {}
    for at_ns, (status, note, velocity) in first:
        if status & 0xF0 == 0x90 and velocity:
            started[status & 0x0F, note] = at_ns
        else:
            assert at_ns - started.pop((status & 0x0F, note)) == 80_000_000
    last_ns = START_NS + (FRAMES - 1) * 10_000_000
    assert all(at_ns > last_ns - 80_000_000 for at_ns in started.values())


def test_the_take_holds_the_poses_that_were_played(show):
    show.play(until=EndOfStreamError)
    for frame, pose in zip(show.take.frames, FILM, strict=True):
        (kept,) = frame.poses
        assert (frame.seq, frame.captured_ns, kept.player, kept.via) == (pose.seq, pose.captured_ns, 0, "net")
        np.testing.assert_allclose(kept.xy, pose.xy, atol=1e-5)
        np.testing.assert_allclose(kept.score, pose.score, atol=1e-5)


def test_a_network_on_a_runtime_plays_as_its_poses_do(show):
    show.estimator, _ = network(FILM)
    show.estimator.open()
    show.play(until=EndOfStreamError)
    assert [(hit.seq, hit.limb, hit.pad) for hit in show.hits] == [
        (hit.seq, hit.limb, hit.pad) for hit in offline(show)
    ]
    for hit, expected in zip(show.hits, offline(show), strict=True):
        assert hit.struck_ns == pytest.approx(expected.struck_ns, abs=100_000)


def test_frames_without_a_player_leave_rows_too(show):
    show.estimator = RecordedPoses(Take(TakeHeader("nobody", 100.0, 64, 48), ()))
    show.play(until=EndOfStreamError)
    assert show.ledger.frames["players"].tolist() == [0] * FRAMES
    assert [frame.poses for frame in show.take.frames] == [()] * FRAMES
    assert show.hits == []


def test_a_stop_ends_the_loop_after_the_frame_in_hand(show):
    def stop_at_the_first(hit):
        show.hits.append(hit)
        show.stop.requested = True

    show.play(until=None, on_hit=stop_at_the_first)
    (hit,) = show.hits
    assert int(show.ledger.frames["seq"][-1]) == hit.seq
    assert show.ledger.notes["seq"].tolist() == [hit.seq]


def test_a_lost_camera_leaves_the_rows_before_it(show):
    show.camera = StageCamera(StageCamera.Options(unplug_after=60))
    show.camera.open()
    show.play(until=LostError)
    assert show.ledger.frames["seq"].tolist() == list(range(60))


def test_a_network_that_fails_is_lost_and_leaves_the_rows_before_it(show):
    show.estimator, runtime = network(FILM)
    show.estimator.open()
    runtime.fail_after(40)
    show.play(until=LostError)
    assert show.ledger.frames["seq"].tolist() == list(range(40))


def test_a_lost_port_is_told_from_a_lost_camera_when_its_frame_is_kept(show):
    show.outputs[0].fail_after(0)
    show.play(until=PortLostError)
    first = offline(show)[0]
    assert int(show.ledger.frames["seq"][-1]) == first.seq
    assert show.ledger.notes["seq"].tolist() == [first.seq]
    assert [message[1] for _, message in show.outputs[1].sent] == [38]
