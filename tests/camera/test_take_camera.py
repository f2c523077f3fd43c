import contextlib

import numpy as np
import pytest

from lalelu.camera.port import ADAPTERS
from lalelu.errors import EndOfStreamError, UsageError
from lalelu.registry import from_uri
from lalelu.take import TakeFrame, TakeHeader, TakeWriter
from lalelu.types import Pose

PERIOD_NS = 5_000_000
FRAMES = 20


@pytest.fixture
def take(tmp_path):
    path = tmp_path / "short.take"
    with TakeWriter(path, TakeHeader(source="a test", fps=200.0, width=640, height=480)) as writer:
        for index in range(FRAMES):
            captured_ns = 1_000_000_000 + index * PERIOD_NS
            xy = np.full((17, 2), index / 100, np.float32)
            pose = Pose(index, captured_ns, 0, xy, np.ones(17, np.float32))
            writer.write(TakeFrame(index, captured_ns, (pose,) if index % 2 == 0 else ()))
    return path


def frames_of(camera):
    """Every frame until the camera says that its source has ended."""
    with contextlib.suppress(EndOfStreamError):
        while True:
            yield camera.read()


def test_a_take_is_played_at_its_own_pace_with_its_own_poses(take):
    camera = from_uri("camera", ADAPTERS, f"take:{take}")
    facts = camera.open()
    assert (facts.width, facts.height, facts.fps) == (640, 480, 200.0)
    estimator = camera.estimator()
    seen = []
    for frame in frames_of(camera):
        estimator.prepare(frame)
        estimator.infer()
        poses = estimator.poses()
        seen.append((frame.seq, frame.captured_ns))
        if frame.seq % 2 == 0:
            (pose,) = poses
            assert pose.captured_ns == frame.captured_ns
            assert float(pose.xy[3, 1]) == pytest.approx(frame.seq / 100, abs=1e-4)
        else:
            assert list(poses) == []
    camera.close()
    start = seen[0][1] - seen[0][0] * PERIOD_NS
    assert [captured - start for _, captured in seen] == [seq * PERIOD_NS for seq, _ in seen]
    assert seen[-1][0] == FRAMES - 1


def test_a_take_that_repeats_goes_on_with_its_frames_poses_and_pace(take):
    camera = from_uri("camera", ADAPTERS, f"take:{take}?repeat=true")
    camera.open()
    estimator = camera.estimator()
    seen = {}
    while max(seen, default=0) < 2 * FRAMES:
        frame = camera.read()
        estimator.prepare(frame)
        estimator.infer()
        seen[frame.seq] = frame.captured_ns, [(pose.seq, float(pose.xy[3, 1])) for pose in estimator.poses()]
    camera.close()
    for seq, (captured_ns, poses) in seen.items():
        assert captured_ns - seen[0][0] == seq * PERIOD_NS
        recorded = seq % FRAMES
        assert poses == ([(seq, pytest.approx(recorded / 100, abs=1e-4))] if recorded % 2 == 0 else [])


def test_a_slow_reader_skips_to_the_newest_frame(take):
    camera = from_uri("camera", ADAPTERS, f"take:{take}")
    camera.open()
    camera.read()
    camera._start_ns -= 4 * PERIOD_NS + PERIOD_NS // 2
    late = camera.read()
    assert late.skipped >= 3
    assert late.seq == late.skipped + 1


def test_a_take_that_is_not_there_is_refused(tmp_path):
    camera = from_uri("camera", ADAPTERS, f"take:{tmp_path / 'no.take'}")
    with pytest.raises(UsageError, match=r"no\.take"):
        camera.open()
