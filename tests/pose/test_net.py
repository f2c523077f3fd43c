"""The network's own process: handed frames, its results, its ends."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from posed_people import movenet_output, person
from system.stage import session_of, stage_plan

from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.channel import BoardReader, RingWriter, create_ring
from lalelu.config.schema import PlayerSection
from lalelu.errors import LostError, MissingError
from lalelu.models import store
from lalelu.pose.crop import whole
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.estimator_flow import CarriedEstimator, Result
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.net import NICE, Worker, hurry
from lalelu.pose.net_link import JOB, RESULT, RINGS, SLOTS, NetProcess, facts_of, pack, plain, unpack
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.session import NET
from lalelu.types import Frame, Pose

WAIT_S = 60.0  # for what a busy machine may be slow to do
PLAYER = person(0.6, 0.3, 0.12)
PICTURE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
HERE = Path(__file__).resolve().parent

# The process with a network that says where the first pixel is: the player moves with it.
PROGRAM = f"""
import sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
from lalelu.errors import MissingError
from lalelu.pose import net
from test_net import Spot
def build(config, kits=()):
    if {{fails}}:
        raise MissingError("the model is not here; fetch it")
    return Spot()
net.build_single = build
sys.exit(net.main(sys.argv[1:]))
"""

# An engine that has opened its network and then does nothing.
ENGINE = """
import sys, time
from pathlib import Path
from lalelu.pose.net_link import NetProcess
net = NetProcess(Path(sys.argv[1]), sys.argv[2:])
net.open()
print(net._process.pid, flush=True)
time.sleep(600)
"""


class Spot:
    """An estimator that sees the player as far to the right as the first pixel is bright."""

    tracks_hands = True

    def __init__(self):
        self.believed = []

    def open(self):
        return estimator().open()

    def prepare(self, frame):
        self._frame = frame
        self._right = float(frame.image.flat[0]) / 255

    def infer(self):
        pass

    def expect(self, captured_ns, wrists):
        self.believed.append((captured_ns, wrists))

    def poses(self):
        if self._right == 0.0:
            return ()
        xy = PLAYER + np.array([self._right, 0.0], np.float32)
        return (Pose(self._frame.seq, self._frame.captured_ns, 0, xy, np.full(17, 0.9, np.float32)),)


def estimator():
    runtime = ScriptedRuntime([[movenet_output(PLAYER, whole(640 / 480))]])
    options = {"crop_mode": "whole", "rotate": 0, "mirror": False, "player": PlayerSection()}
    return SinglePoseEstimator(runtime, MoveNetSinglePose(), **options)


def frame(seq, brightness=255, *, grey=False):
    image = (
        np.full((480, 640), brightness, np.uint8) if grey else np.full((480, 640, 3), brightness, np.uint8)
    )
    return Frame(seq, seq * 10_000_000, seq * 10_000_000 + 5, 0, image)


def program(tmp_path, *, fails=False):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(fails=fails))
    return [str(path)]


def right_by(way):
    return PLAYER + np.array([way, 0.0], np.float32)


@contextmanager
def session_folder(tmp_path):
    """The folder of a session that this process leads."""
    with session_of(stage_plan(tmp_path), tmp_path) as (session, _):
        yield session.folder


@pytest.fixture
def net(tmp_path):
    """A network's process, opened."""
    with session_folder(tmp_path) as folder:
        made = NetProcess(folder, program(tmp_path))
        made.open()
        try:
            yield made
        finally:
            made.close()


def answer(net, given, wrists=None):
    """Offer a frame again and again until a result comes."""
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up:
        net.offer(given, wrists)
        time.sleep(0.01)
        found = net.result(given.seq)
        if found is not None and found.seq == given.seq:
            return found
    raise AssertionError("no result came")


def gone(pid):
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_newest_frame_goes_in_and_its_result_comes_out_once(net):
    assert net.tracks_hands
    found = answer(net, frame(3, 51))
    assert (found.seq, found.captured_ns, found.pose.via) == (3, 30_000_000, "net")
    np.testing.assert_allclose(found.pose.xy, right_by(0.2), atol=1e-6)
    found = answer(net, frame(4, 102))
    np.testing.assert_allclose(found.pose.xy, right_by(0.4), atol=1e-6)
    found = answer(net, frame(5, 153, grey=True))
    np.testing.assert_allclose(found.pose.xy, right_by(0.6), atol=1e-6)
    assert answer(net, frame(6, 0)).pose is None


def test_a_service_manager_that_tells_every_process_to_end_leaves_this_one_to_the_engine(net):
    answer(net, frame(0))
    pid = net._process.pid
    net._process.terminate()
    for seq in range(1, 4):
        assert answer(net, frame(seq)).pose is not None
    assert net._process.pid == pid


def test_a_process_that_dies_is_started_again_and_given_up_the_second_time(net):
    answer(net, frame(0))
    first = net._process.pid
    net._process.kill()
    net._process.wait()
    assert answer(net, frame(1)).pose is not None
    assert net._process.pid != first
    net._process.kill()
    net._process.wait()
    with pytest.raises(LostError, match="has ended again"):
        net.result(2)


def test_a_process_ends_with_its_engine_however_that_ends(tmp_path):
    with session_folder(tmp_path) as folder:
        engine = subprocess.Popen(
            [sys.executable, "-c", ENGINE, str(folder), *program(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        with engine:
            pid = int(engine.stdout.readline())
            engine.kill()
        assert gone(pid)


def test_closing_ends_the_process_and_removes_the_frames(net):
    answer(net, frame(0))
    pid, folder = net._process.pid, net._folder
    net.close()
    net.close()
    assert gone(pid)
    assert sorted(path.name for path in folder.glob("net.*")) == sorted(RINGS)


def test_what_the_process_lacks_is_told_as_its_own_sentence(tmp_path):
    with session_folder(tmp_path) as folder:
        net = NetProcess(folder, program(tmp_path, fails=True))
        with pytest.raises(MissingError, match="the model is not here; fetch it"):
            net.open()
        net.close()


def without_process(folder):
    """The engine's side alone."""
    create_ring(folder / RINGS[0], JOB.size, 64)
    create_ring(folder / RINGS[1], RESULT.size, 64)
    net = NetProcess(folder)
    net._jobs, net._bell = RingWriter(folder / RINGS[0]), os.eventfd(0)
    return net


def test_only_the_newest_frame_is_worked_on_and_what_is_known_of_the_hands_goes_along(tmp_path):
    engine, spot = without_process(tmp_path), Spot()
    worker = Worker(tmp_path, spot)
    assert not worker.step()
    engine.offer(frame(1, 51), None)
    engine.offer(frame(2, 102), (0.1, 0.2, 0.3, 0.4))
    assert worker.step()
    assert not worker.step()
    assert spot.believed == [(20_000_000, (0.1, 0.2, 0.3, 0.4))]
    assert worker._results.head == 1
    engine.close()


def test_a_frame_that_is_written_over_while_it_is_read_gives_no_result(tmp_path):
    engine = without_process(tmp_path)

    class Slow(Spot):
        def prepare(self, frame_in_hand):
            super().prepare(frame_in_hand)
            for seq in range(meanwhile):
                engine.offer(frame(10 + seq), None)

    worker = Worker(tmp_path, Slow())
    engine.offer(frame(1), None)
    meanwhile = SLOTS - 1
    assert not worker.step()
    meanwhile = SLOTS - 2
    assert worker.step()
    engine.close()


def test_results_and_facts_come_out_as_they_went_in():
    score = np.linspace(0, 1, 17, dtype=np.float32)
    for result in (Result(5, 50, None), Result(7, 70, Pose(7, 70, 0, PLAYER, score))):
        again = unpack(pack(result))
        assert again[:2] == result[:2]
        assert (again.pose is None) == (result.pose is None)
        if result.pose is not None:
            np.testing.assert_array_equal(again.pose.xy, PLAYER)
            np.testing.assert_array_equal(again.pose.score, score)
    facts = estimator().open()
    assert facts_of(plain(facts)) == facts


def test_an_ordinary_engine_is_not_overtaken_by_its_network():
    assert hurry(os.getpid()) == ()


# A process that asks to go before others, beside a process that it takes for a real-time engine; or may not.
ASKER = """
import os, resource, sys
from lalelu.pose import net
os.sched_getscheduler = lambda pid: os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
if sys.argv[1] == "refused":
    def refuse(*_):
        raise PermissionError(13, "Permission denied")
    os.setpriority = refuse
print(*net.hurry(1), os.getpriority(os.PRIO_PROCESS, 0), sep="|")
"""


@pytest.mark.parametrize("answer", ["granted", "refused"])
def test_the_network_of_a_real_time_engine_asks_to_go_before_others(answer):
    done = subprocess.run(
        [sys.executable, "-c", ASKER, answer],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE.parent.parent,
    )
    grant, nice = done.stdout.strip().split("|")
    if answer == "granted" and grant.startswith("refused"):
        pytest.skip("this user may not")
    assert grant.startswith(f"{answer}: niceness {NICE} (")
    assert (int(nice) == NICE) == (answer == "granted")
    if answer == "refused":
        assert f"LimitNICE={NICE} in the unit, or `sudo prlimit --pid $$ --nice=30`" in grant


@pytest.mark.model
def test_the_real_network_in_its_process_carries_the_simulated_drummer(tmp_path, expect):
    try:
        store.onnx_path("lightning")
    except Exception as exc:  # noqa: BLE001 - whatever keeps the file away, the test cannot run
        expect("model", str(exc))
    film = Film(FilmSettings())
    image = np.empty((480, 640, 3), np.uint8)
    with session_folder(tmp_path) as folder:
        made = CarriedEstimator(NetProcess(folder), rotate=0, mirror=False)
        try:
            assert made.open().name == "openvino"
            give_up = time.monotonic() + WAIT_S
            errors: list[float] = []
            seq = 0
            while len(errors) < 20 and time.monotonic() < give_up:
                film.render(seq, image)
                made.prepare(Frame(seq, seq * 10_000_000, seq * 10_000_000, 0, image))
                made.infer()
                for pose in made.poses():
                    assert pose.via == "flow"
                    errors.append(float(np.median(np.linalg.norm(pose.xy - film.keypoints(seq), axis=1))))
                time.sleep(0.02)
                seq += 1
            assert BoardReader(folder / NET).value()["state"] == "ready"
        finally:
            made.close()
    assert len(errors) == 20
    assert np.median(errors) * 480 < 15.0
