"""The engine with all its parts, on a session of its own: what it tells the voice and shows when things go wrong."""

import os
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from system.stage import (
    StageCamera,
    network,
    orders_of,
    poses,
    poses_of,
    rows_of,
    session_of,
    stage_plan,
    write_take,
)

from lalelu import instrument
from lalelu.bulletin import Bulletin
from lalelu.camera import port as camera_port
from lalelu.camera.port import CameraFacts
from lalelu.camera.sight import DARK
from lalelu.channel import BoardReader, BoardWriter, RingReader
from lalelu.errors import LostError, MissingError
from lalelu.session import FINISH, PLAY, SILENCE, Session
from lalelu.stop import Stop

FRAMES = 150
GONE = "the stage's camera has gone; was it unplugged?"
ABSENT = "the stage's camera is not there; plug it in"


class Chronicle(Bulletin):
    """A board that remembers every state it has shown, the problem of each, and what else was wrong."""

    def __init__(self, board):
        self.states = []
        self.problems = set()  # sentences
        super().__init__(board)

    def _show(self):
        state, problem = self._told["state"], self._told.get("problem")
        if not self.states or self.states[-1] != (state, problem):
            self.states.append((state, problem))
        self.problems |= {*self._told.get("problems", {}).values()}
        super()._show()


@dataclass
class Engine:
    """One engine on a session that this process leads."""

    session: Session
    bell: int
    plan: object
    board: Chronicle

    def play(self, stop=None, *, go=True):
        """Play by the plan, from the leader's go on."""
        if go:
            BoardWriter(self.session / "lead").show({"go": True})
        instrument.run(self.session, self.plan, self.board, stop or Stop(), bell=self.bell)

    @property
    def frames(self):
        return rows_of(self.session)["seq"].tolist()

    @property
    def kinds(self):
        """What the voice was told, in order."""
        return [order[4] for order in orders_of(self.session)]

    @property
    def events(self):
        return [
            (row["kind"].decode(), row["text"].decode()) for row in rows_of(self.session, "events.engine")
        ]

    @property
    def shown(self):
        return BoardReader(self.session / "engine").value()


@contextmanager
def engine_on(folder, *arguments, **options):
    plan = stage_plan(folder, *arguments, **options)
    with session_of(plan, folder) as (session, bell):
        yield Engine(session, bell, plan, Chronicle(session / "engine"))


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """`stage:` in the registry, a network that sees the player, and no waiting."""
    monkeypatch.setitem(camera_port.ADAPTERS, "stage", "system.stage:StageCamera")
    monkeypatch.setattr(instrument, "build_estimator", lambda *_: network(poses(1.0))[0])
    monkeypatch.setattr(instrument, "RETRY_S", 0.0)
    return tmp_path


def test_a_finite_source_is_played_to_its_end_and_its_last_notes_may_ring_out(stage):
    with engine_on(stage, "stage:") as engine:
        engine.play()
        assert engine.frames == list(range(FRAMES))
        assert len(engine.kinds) >= 9
        assert engine.kinds == [PLAY] * (len(engine.kinds) - 1) + [FINISH]
        assert engine.events == [("end", "the stage has closed")]
        assert [state for state, _ in engine.board.states] == ["starting", "warm", "playing", "ending"]


def test_a_lost_camera_silences_what_sounds_and_is_played_again_when_it_is_found(stage):
    with engine_on(stage, "stage:?unplug_after=60&away=2") as engine:
        engine.play()
        assert engine.frames == list(range(FRAMES))
        assert engine.events == [
            ("lost", GONE),
            ("found", "camera opened again"),
            ("end", "the stage has closed"),
        ]
        orders = orders_of(engine.session)
        silence = engine.kinds.index(SILENCE)
        assert engine.kinds.count(SILENCE) == 1
        assert engine.kinds[-1] == FINISH
        assert max(order[0] for order in orders[:silence]) < 60
        assert min(order[0] for order in orders[silence + 1 : -1]) >= 60
        assert [pose.seq for pose in poses_of(engine.session)] == list(range(FRAMES))


def test_the_board_tells_a_loss_and_what_is_waited_for(stage):
    with engine_on(stage, "stage:?unplug_after=60&away=2") as engine:
        engine.play()
        lines = engine.shown["lines"]
        assert lines.index("camera: found again") == lines.index(GONE) + 1
        assert (lines.count(GONE), lines.count("camera: found again")) == (1, 1)
        waits = [("waiting", GONE), ("waiting", ABSENT)]
        assert engine.board.states[2:] == [("playing", None), *waits, ("playing", None), ("ending", None)]


def test_a_camera_in_the_dark_plays_nothing_more_and_says_so_until_it_is_lost(stage):
    with engine_on(stage, "stage:?live=true&unplug_after=100&frames=110") as engine:
        engine.play()
        assert engine.frames == list(range(110))
        assert engine.shown["problems"] == {}  # the camera that is back has ten frames only
        assert DARK in engine.board.problems
        players = rows_of(engine.session)["players"].tolist()
        assert players == [1] * 26 + [0] * 74 + [1] * 10


def test_a_camera_that_comes_back_with_other_pictures_is_refused_in_words(stage, monkeypatch):
    openings = []

    def another(camera):
        facts = open_stage(camera)
        openings.append(facts)
        return replace(facts, width=80) if len(openings) == 2 else facts

    open_stage = StageCamera.open
    monkeypatch.setattr(StageCamera, "open", another)
    with engine_on(stage, "stage:?unplug_after=60") as engine:
        engine.play()
        assert engine.frames == list(range(FRAMES))
        (problem,) = [problem for _, problem in engine.board.states if problem not in (None, GONE)]
        assert problem.startswith("the camera has come back with 80x48 instead of 64x48; plug in the one")


def test_with_once_a_lost_camera_ends_the_engine_in_silence(stage):
    with engine_on(stage, "stage:?unplug_after=60", once=True) as engine:
        with pytest.raises(LostError, match="the stage's camera has gone"):
            engine.play()
        assert engine.frames == list(range(60))
        assert engine.events == [("lost", GONE)]
        assert engine.kinds[-1] == SILENCE
        assert FINISH not in engine.kinds


def test_a_lost_network_ends_the_engine_in_silence_and_no_camera_is_looked_for(stage, monkeypatch):
    estimator, runtime = network(poses(1.0))
    monkeypatch.setattr(instrument, "build_estimator", lambda *_: estimator)
    with engine_on(stage, "stage:") as engine:
        runtime_open = runtime.open

        def open_and_fail_later():
            facts = runtime_open()
            runtime.fail_after(instrument.REHEARSAL_FRAMES + 40)
            return facts

        monkeypatch.setattr(runtime, "open", open_and_fail_later)
        with pytest.raises(LostError, match="the scripted runtime failed"):
            engine.play()
        assert engine.frames == list(range(40))
        assert [kind for kind, _ in engine.events] == ["lost"]
        assert "camera: found again" not in engine.shown["lines"]
        assert engine.kinds[-1] == SILENCE


def test_a_bug_in_the_loop_leaves_silence_and_the_rows_before_it(stage, monkeypatch):
    read = StageCamera.read

    def fail_at_the_80th(camera):
        if camera._next == 80:
            raise RuntimeError("a bug")
        return read(camera)

    monkeypatch.setattr(StageCamera, "read", fail_at_the_80th)
    with engine_on(stage, "stage:") as engine:
        with pytest.raises(RuntimeError, match="a bug"):
            engine.play()
        assert engine.frames == list(range(80))
        assert engine.kinds[:-1] == [PLAY] * (len(engine.kinds) - 1) != []
        assert engine.kinds[-1] == SILENCE


def test_notes_are_ended_before_anything_is_closed(stage, monkeypatch):
    told = []
    with engine_on(stage, "stage:?unplug_after=60", once=True) as engine:
        monkeypatch.setattr(StageCamera, "close", lambda _camera: told.append(engine.kinds[-1]))
        with pytest.raises(LostError):
            engine.play()
        assert told == [SILENCE]


@pytest.mark.parametrize("slow", ["false", "true"])
def test_a_camera_that_is_not_there_yet_or_too_slow_is_waited_for_where_that_is_wanted(stage, slow):
    with engine_on(stage, f"stage:?absent=3&slow={slow}", camera={"wait": True}) as engine:
        engine.play()
        assert engine.frames == list(range(FRAMES))
        assert engine.shown["lines"][0] == f"waiting for a camera: {ABSENT}"
        assert engine.shown["lines"].count(f"waiting for a camera: {ABSENT}") == 1
        begun = [("starting", None), ("warm", None), ("playing", None), ("ending", None)]
        assert engine.board.states == [("starting", None), ("waiting", ABSENT), *begun]


@pytest.mark.parametrize(("wait", "once"), [(False, False), (True, True)])
def test_a_camera_that_is_not_there_is_not_waited_for_otherwise(stage, wait, once):
    with engine_on(stage, "stage:?absent=1", camera={"wait": wait}, once=once) as engine:
        with pytest.raises(MissingError, match="the stage's camera is not there"):
            engine.play()
        assert (engine.frames, engine.kinds) == ([], [])


@pytest.mark.parametrize("address", ["stage:?unplug_after=60&away=1000", "stage:?absent=1000"])
def test_a_signal_ends_the_wait_for_a_camera(stage, monkeypatch, address):
    monkeypatch.setattr(instrument, "RETRY_S", 60.0)
    with engine_on(stage, f"{address}&terminates=true", camera={"wait": True}) as engine:
        stop = Stop()
        with stop.on_signals():
            engine.play(stop)
        assert stop.requested
        assert len(engine.frames) == (60 if "unplug" in address else 0)
        assert engine.kinds[-1:] == ([SILENCE] if "unplug" in address else [])


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGALRM], ids=lambda number: number.name
)
def test_a_signal_before_the_first_frame_ends_the_start(stage, monkeypatch, number):
    def load_for_ever(*_):
        signal.raise_signal(number)
        time.sleep(60)

    monkeypatch.setattr(instrument, "build_estimator", load_for_ever)
    with engine_on(stage, "stage:") as engine:
        stop = Stop()
        with stop.on_signals():
            engine.play(stop)
        assert stop.requested
        assert (engine.frames, engine.board.states) == ([], [("starting", None)])


def test_a_stop_before_the_go_plays_nothing_and_asks_for_no_real_time(stage):
    with engine_on(stage, "stage:") as engine:
        stop = Stop()
        stop.requested = True
        engine.play(stop, go=False)
        assert engine.frames == []
        assert [state for state, _ in engine.board.states] == ["starting", "warm", "ending"]
        assert not any("real time" in line for line in engine.shown["lines"])
        assert engine.kinds == [SILENCE]


def test_the_asked_time_ends_the_playing_in_silence(stage):
    take = write_take(stage / "long.take", seconds=120)
    with engine_on(stage, f"take:{take}", seconds=0.5) as engine:
        stop = Stop()
        with stop.on_signals():
            engine.play(stop)
        assert len(engine.frames) < 12_000
        assert engine.kinds[-1] == SILENCE
        assert engine.events == []


def test_the_board_tells_what_was_opened(stage):
    with engine_on(stage, "stage:") as engine:
        engine.play()
        shown = engine.shown
        assert shown["pid"] == os.getpid()
        facts = CameraFacts("a stage", 64, 48, 100.0, None, "the stage's own")
        assert CameraFacts(**shown["camera"]) == facts
        assert (shown["model"], shown["runtime"]["name"]) == ("lightning", "scripted")
        assert shown["lines"][0] == "camera: a stage, 64x48 at 100 fps"
        assert shown["lines"][1].startswith("poses: lightning on scripted 1, none f32, threads: 1; first")
        requests = {request["request"]: request["granted"] for request in shown["requests"]}
        assert requests["garbage collector"] is True
        told = [line.partition(" (")[0] for line in shown["lines"] if line.startswith("real time, engine: ")]
        answers = {True: "granted", False: "refused"}
        assert told == [
            f"real time, engine: {answers[granted]}: {name}" for name, granted in requests.items()
        ]


@pytest.mark.parametrize(("rotate", "size"), [(0, (64, 48)), (90, (48, 64)), (180, (64, 48))])
def test_the_takes_header_has_the_upright_pictures_size(stage, rotate, size):
    with engine_on(stage, "stage:?frames=1", camera={"rotate": rotate}) as engine:
        engine.play()
        width, height = size
        header = {"source": "a stage", "fps": 100.0, "width": width, "height": height}
        assert engine.shown["take"] == {**header, "skeleton": "coco17", "model": "lightning"}


def test_a_take_is_played_as_it_was_recorded_and_keeps_its_header(stage):
    take = write_take(stage / "short.take", seconds=0.4)
    with engine_on(stage, f"take:{take}", camera={"rotate": 90}) as engine:
        engine.play()
        shown = engine.shown
        header = {"source": "take short.take: a stage", "fps": 100.0, "width": 640, "height": 480}
        header["skeleton"] = "coco17"
        assert (shown["take"], shown["model"], shown["runtime"]) == (header, "recorded", {})
        assert "poses: as recorded in the take, no network" in shown["lines"]
        rows = rows_of(engine.session)
        assert int(rows["skipped"].sum()) + len(rows) == 40
        film = poses(0.4)
        for pose in poses_of(engine.session):
            np.testing.assert_allclose(pose.xy, film[pose.seq].xy, atol=1e-5)


def slow_network(share):
    """A network that computes for `share` of the stage camera's frame period."""
    estimator, runtime = network(poses(1.0))
    infer = runtime.infer

    def infer_slowly(*inputs):
        end_ns = time.thread_time_ns() + round(share * 10_000_000)
        while time.thread_time_ns() < end_ns:
            pass
        return infer(*inputs)

    runtime.infer = infer_slowly
    return estimator


def test_a_loop_that_needs_more_than_the_kernel_gives_fifo_threads_is_refused_fifo(stage, monkeypatch):
    monkeypatch.setattr(instrument, "build_estimator", lambda *_: slow_network(1.5))
    asked = {"core": "none", "priority": 50, "lock_memory": False, "cpu_latency": False}
    with engine_on(stage, "stage:?frames=20", realtime=asked) as engine:
        engine.play()
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
        assert engine.shown["load"] >= 1.5
        (fifo,) = (r for r in engine.shown["requests"] if r["request"] == "SCHED_FIFO priority 50")
        assert fifo["granted"] is False
        assert "of a frame period, at most 90% may be FIFO" in fifo["detail"]
        assert engine.frames == list(range(20))  # it plays all the same


def test_a_required_real_time_that_is_refused_ends_the_engine_before_its_first_frame(stage, monkeypatch):
    monkeypatch.setattr(instrument, "build_estimator", lambda *_: slow_network(1.5))
    core = min(os.sched_getaffinity(0))
    asked = {"core": core, "priority": 50, "lock_memory": False, "cpu_latency": False, "required": True}
    with engine_on(stage, "stage:?frames=20", realtime=asked) as engine:
        with pytest.raises(MissingError, match="is set, and the machine refused: SCHED_FIFO"):
            engine.play()
        assert (engine.frames, engine.kinds) == ([], [SILENCE])


def test_rows_that_could_not_be_written_are_told_at_the_end(stage, monkeypatch):
    monkeypatch.setattr("system.stage.START_NS", 1 << 63)
    with engine_on(stage, "stage:?frames=7", take=False) as engine:
        monkeypatch.setattr(instrument, "build_estimator", lambda *_: network(poses(1.0))[0])
        engine.play()
        assert engine.frames == []
        assert engine.events[-1] == ("unwritten", "14 rows held a number too large for a row")


def test_the_voice_is_woken_for_every_order(stage):
    with engine_on(stage, "stage:") as engine:
        engine.play()
        hits = RingReader(engine.session / "hits").head
        assert 2 <= os.eventfd_read(engine.bell) <= hits
