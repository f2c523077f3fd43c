"""The simulated camera delivers like a real one, says what it skipped, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lalelu.camera.port import ADAPTERS
from lalelu.camera.simulated.camera import SimulatedCamera, SimulatedCameraOptions
from lalelu.errors import EndOfStreamError, LostError, MissingError, UsageError
from lalelu.registry import from_uri
from lalelu.session import runtime_directory
from lalelu.types import Frame

SMALL = "size=320x240&slots=16"


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runtime directory."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    return tmp_path / "run"


@pytest.fixture
def cameras(memory: Path) -> Iterator[list[SimulatedCamera]]:
    opened: list[SimulatedCamera] = []
    yield opened
    for camera in opened:
        camera.close()


def _open(cameras: list[SimulatedCamera], options: str) -> SimulatedCamera:
    camera = from_uri("camera", ADAPTERS, f"sim:?{options}")
    assert isinstance(camera, SimulatedCamera)
    cameras.append(camera)
    camera.open()
    return camera


def _read_all(camera: SimulatedCamera) -> list[Frame]:
    frames = []
    while True:
        try:
            frames.append(camera.read())
        except EndOfStreamError:
            return frames


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _wait_until_gone(pid: int) -> bool:
    for _ in range(500):
        if _gone(pid):
            return True
        time.sleep(0.01)
    return False


def test_every_frame_is_delivered_or_counted_until_the_film_ends(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, f"{SMALL}&seconds=0.6")
    frames = _read_all(camera)
    assert frames[0].seq == 0
    assert frames[-1].seq == 59
    for earlier, later in pairwise(frames):
        assert later.seq == earlier.seq + 1 + later.skipped
    with pytest.raises(EndOfStreamError, match="film of 60 frames is over"):
        camera.read()


def test_stamps_follow_the_frame_number_and_arrival_the_exposure(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, f"{SMALL}&seconds=0.3&exposure_ms=6&transfer_ms=9&fps=50&speed=0.5")
    frames = _read_all(camera)
    for frame in frames:
        assert frame.captured_ns - frames[0].captured_ns == frame.seq * 40_000_000
        assert frame.arrived_ns >= frame.captured_ns + 6_000_000 + 9_000_000
    if camera.late_frames == 0:
        assert {frame.arrived_ns - frame.captured_ns for frame in frames} == {15_000_000}


def test_a_frame_is_never_handed_over_before_it_has_arrived(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, f"{SMALL}&seconds=10")
    for _ in range(20):
        assert camera.read().arrived_ns <= time.monotonic_ns()


def test_a_slow_reader_gets_the_newest_frame_and_its_own_picture(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, f"{SMALL}&seed=4")
    previous = camera.read()
    for pause in (0.0, 0.035, 0.0, 0.06, 0.08):
        time.sleep(pause)
        frame = camera.read()
        assert frame.seq == previous.seq + 1 + frame.skipped
        assert frame.skipped >= round(pause * 100) - 2
        time.sleep(0.03)  # the renderer is at work meanwhile
        assert np.array_equal(frame.image, camera.render(frame.seq))
        previous = frame


def test_a_reader_that_pauses_for_longer_than_the_ring_goes_on_with_a_fresh_frame(
    cameras: list[SimulatedCamera],
) -> None:
    camera = _open(cameras, "size=320x240&slots=8")
    camera.read()
    time.sleep(0.5)
    frame = camera.read()
    assert frame.skipped >= 45
    assert frame.captured_ns <= time.monotonic_ns()
    assert np.array_equal(frame.image, camera.render(frame.seq))
    after = camera.read()
    assert after.seq == frame.seq + 1 + after.skipped


def test_the_picture_is_borrowed_not_copied(cameras: list[SimulatedCamera]) -> None:
    frame = _open(cameras, SMALL).read()
    assert not frame.image.flags.owndata
    assert frame.image.shape == (240, 320, 3)
    assert frame.image.dtype == np.uint8


def test_facts_tell_what_is_delivered(memory: Path) -> None:
    camera = SimulatedCamera(SimulatedCameraOptions(size="320x240", fps=60, speed=0.5, exposure_ms=4))
    try:
        facts = camera.open()
    finally:
        camera.close()
    assert (facts.width, facts.height, facts.fps, facts.exposure_ms) == (320, 240, 30.0, 8.0)
    assert "simulated" in facts.source


def test_truth_reaches_to_the_last_delivered_frame(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, f"{SMALL}&seconds=2&groove=fast")
    assert camera.truth() == ()
    frames = _read_all(camera)
    played = frames[-1].captured_ns - frames[0].captured_ns
    assert camera.truth() == camera.truth(played)
    assert len(camera.truth()) > 0
    assert all(hit.time_ns <= played for hit in camera.truth())
    assert len(camera.truth(10 * played)) > len(camera.truth())


def test_a_slower_world_stretches_the_truth() -> None:
    normal = SimulatedCamera(SimulatedCameraOptions()).truth(10_000_000_000)
    slow = SimulatedCamera(SimulatedCameraOptions(speed=0.5)).truth(20_000_000_000)
    assert [hit.time_ns / 2 for hit in slow] == pytest.approx([hit.time_ns for hit in normal])


def test_a_film_process_that_is_killed_is_a_lost_camera(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, SMALL)
    camera.read()
    assert camera._child is not None
    os.kill(camera._child.pid, signal.SIGKILL)
    camera._child.wait()
    with pytest.raises(LostError, match="status -9"):
        camera.read()


def test_a_film_process_that_fails_says_why(
    cameras: list[SimulatedCamera], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    camera = _open(cameras, SMALL)
    with pytest.raises(LostError, match="status 1"):
        camera.read()


def test_a_film_that_begins_anew_leaves_the_caller_its_core(cameras: list[SimulatedCamera]) -> None:
    before = os.sched_getaffinity(0)
    camera = _open(cameras, SMALL)
    try:
        os.sched_setaffinity(0, {min(before)})
        camera.open()
        camera.read()
        assert camera._child is not None
        assert os.sched_getaffinity(camera._child.pid) == before
    finally:
        os.sched_setaffinity(0, before)


def test_close_leaves_no_process_and_no_file(cameras: list[SimulatedCamera], memory: Path) -> None:
    camera = _open(cameras, SMALL)
    frame = camera.read()
    assert camera._child is not None
    pid = camera._child.pid
    assert list(memory.iterdir()) == []  # not even while it runs: a killed parent leaves nothing either
    camera.close()
    camera.close()
    assert _gone(pid)
    assert frame.image.mean() > 0  # a borrowed picture is still there
    with pytest.raises(LostError, match="open"):
        camera.read()


def test_close_before_open_is_harmless() -> None:
    SimulatedCamera(SimulatedCameraOptions()).close()


def test_a_camera_can_be_opened_again_and_plays_from_the_start(cameras: list[SimulatedCamera]) -> None:
    camera = _open(cameras, SMALL)
    first = camera.read().image.copy()
    camera.open()
    frame = camera.read()
    assert frame.seq == 0
    assert np.array_equal(frame.image, first)


def test_the_film_process_ends_when_its_parent_is_killed(memory: Path) -> None:
    code = (
        "import time\n"
        "from lalelu.camera.simulated.camera import SimulatedCamera, SimulatedCameraOptions\n"
        "camera = SimulatedCamera(SimulatedCameraOptions(size='320x240', slots=16))\n"
        "camera.open()\n"
        "camera.read()\n"
        "print(camera._child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not _gone(pid)
        parent.kill()
    assert _wait_until_gone(pid)
    assert list(memory.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("fps=300", "fps is '300'"),
        ("groove=polka", "groove is 'polka'"),
        ("bmp=100", 'did you mean "bpm"'),
        ("size=big", "640x480"),
        ("size=64x64", "160x120"),
        ("exposure_ms=20", "at most 10 ms"),
        ("look=night", "look is 'night'"),
        ("seconds=0", "seconds is '0'"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(options: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_uri("camera", ADAPTERS, f"sim:?{options}")
    assert sentence in str(refused.value)


def test_a_target_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing may stand between"):
        from_uri("camera", ADAPTERS, "sim:rock?bpm=100")


def test_a_core_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="core is 1023"):
        SimulatedCamera(SimulatedCameraOptions(core=1023)).open()


def test_a_folder_that_cannot_be_written_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "file" / "run"))
    with pytest.raises(MissingError, match="MB of memory"):
        SimulatedCamera(SimulatedCameraOptions()).open()


def test_the_ring_lies_in_the_services_folder_then_the_users_then_shared_memory() -> None:
    assert runtime_directory({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/x"}) == Path(
        "/run/a"
    )
    assert runtime_directory({"XDG_RUNTIME_DIR": "/x"}) == Path("/x/lalelu")
    assert runtime_directory({}) == Path(f"/dev/shm/lalelu-{os.getuid()}")
