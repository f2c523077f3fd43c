import math
import os

import pytest

from lalelu.camera import port as camera_port
from lalelu.doctor.device_findings import judge_back_ends, judge_camera, judge_outputs, judge_runtime
from lalelu.doctor.devices import BackEnd, look_at_back_ends, look_at_camera, look_at_outputs
from lalelu.doctor.finding import State
from lalelu.voice.outputs.rtmidi import why_unavailable

SECONDS = 0.1


@pytest.fixture(autouse=True)
def slow_camera(monkeypatch):
    monkeypatch.setitem(camera_port.ADAPTERS, "slow", "slow_camera:SlowCamera")


def test_a_camera_that_delivers_less_than_it_was_asked_for_is_told_with_both_rates():
    look = look_at_camera("slow:?fps=100", SECONDS)
    finding = judge_camera(look, asked=True)
    assert look.delivery.fps == pytest.approx(50.0)
    assert finding.state is State.COULD_BE_BETTER
    assert "50.0 frames a second" in finding.found
    assert "asked for 100" in finding.found
    assert finding.cost.startswith("each frame comes 10.0 ms later")


def test_a_camera_that_keeps_its_promise_is_good():
    finding = judge_camera(look_at_camera("slow:?fps=50", SECONDS), asked=True)
    assert (finding.state, finding.cost) == (State.GOOD, "")


def test_frames_that_were_skipped_count_as_delivered_but_are_told():
    look = look_at_camera("slow:?fps=150&skip=2", SECONDS)
    assert look.delivery.fps == pytest.approx(150.0)
    assert look.delivery.skipped == 2 * look.delivery.frames
    assert judge_camera(look, asked=True).state is State.COULD_BE_BETTER


@pytest.mark.parametrize(("asked", "state"), [(True, State.BAD), (False, State.NOT_HERE)])
def test_a_camera_that_is_not_there_is_a_fault_only_where_somebody_named_it(asked, state):
    finding = judge_camera(look_at_camera("opencv:99", SECONDS), asked=asked)
    assert finding.state is state
    assert "opencv:99 is not there" in finding.found


def test_a_camera_that_is_lost_while_it_is_watched_is_bad_even_as_the_default():
    finding = judge_camera(look_at_camera("slow:?lost_after=3", SECONDS), asked=False)
    assert (finding.state, finding.found) == (State.BAD, "slow: is lost, as it was told to be")


def test_a_refused_option_is_bad():
    finding = judge_camera(look_at_camera("opencv:0?fps=3", SECONDS), asked=False)
    assert finding.state is State.BAD
    assert "fps is '3'" in finding.found


def test_a_simulated_drummer_is_no_camera():
    look = look_at_camera("sim:?size=160x120&fps=30", SECONDS)
    assert not look.is_device
    finding = judge_camera(look, asked=True)
    assert finding.state is State.NOT_HERE
    assert "is no camera; it gives simulated drummer" in finding.found


def test_an_output_that_is_a_file_is_not_written(tmp_path):
    path = tmp_path / "song.mid"
    (finding,) = judge_outputs(look_at_outputs([f"file:{path}"]), asked=True)
    assert finding.state is State.GOOD
    assert not path.exists()


def test_a_serial_lines_rate_is_read_back():
    master, slave = os.openpty()
    name = os.ttyname(slave)
    (finding,) = judge_outputs(look_at_outputs([f"serial:{name}"]), asked=True)
    assert (finding.state, finding.found) == (State.GOOD, f"serial:{name}: 31250 baud, read back")
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(("asked", "state"), [(True, State.BAD), (False, State.NOT_HERE)])
def test_a_port_that_is_not_there_is_a_fault_only_where_somebody_named_it(asked, state):
    (finding,) = judge_outputs(look_at_outputs(["port:no such synthesiser"]), asked=asked)
    assert finding.state is state
    assert "no such synthesiser" in finding.found


def test_the_back_ends_say_why_they_are_not_here():
    found = {back_end.api: back_end.unavailable for back_end in look_at_back_ends()}
    assert found == {"alsa": why_unavailable("alsa"), "jack": why_unavailable("jack")}


@pytest.mark.parametrize(("period_ms", "state"), [(128 / 48, State.GOOD), (1024 / 48, State.COULD_BE_BETTER)])
def test_jacks_period_is_told_as_what_it_adds_to_the_variation(period_ms, state):
    (finding,) = judge_back_ends([BackEnd("jack", None, ("synth:in",), period_ms)])
    assert finding.state is state
    assert f"vary by {period_ms / math.sqrt(12):.2f} ms (SD)" in finding.found
    assert "1 port to play to: synth:in" in finding.found


def test_a_back_end_that_is_missing_is_not_bad():
    (finding,) = judge_back_ends([BackEnd("alsa", "there is no ALSA sequencer")])
    assert (finding.state, finding.found) == (State.NOT_HERE, "there is no ALSA sequencer")


def test_a_missing_library_is_bad_and_names_the_extra():
    finding = judge_runtime("onnxruntime", version=None)
    assert (finding.state, finding.remedy) == (State.BAD, "pip install 'lalelu[onnxruntime]'")
    assert judge_runtime("openvino", version="2026.4").found == "openvino 2026.4"
