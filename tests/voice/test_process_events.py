"""What the voice's process does with all that is no hit: held notes, wheels, the clock, standby."""

import os
import signal
import time

import pytest
from test_process import heard

from lalelu.config.kit import KitConfig
from lalelu.types import Command, Control, Release
from lalelu.voice.message import bend_range, note_off, note_on, pitch_bend

MS = 1_000_000
THEREMIN = KitConfig.model_validate(
    {
        "name": "theremin",
        "channel": 4,
        "pads": {"tone": {"note": [48, 55], "note_ms": "hold"}},
        "gestures": {
            "on": {"gesture": "chord", "by": {"y": "left_wrist"}, "between": [0, 1], "pads": ["tone"]},
            "pitch": {
                "gesture": "control", "by": {"x": "right_wrist"}, "between": [0, 1], "to": {"bend": 12}
            },
        },
    }
)  # fmt: skip


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.mid"


def now() -> dict[str, int]:
    return {"seq": 1, "captured_ns": time.monotonic_ns(), "player": 1}


def test_another_kit_is_held_bent_and_released_on_the_players_own_channel(stage, out):
    played = stage(f"file:{out}", delay_ms=20, more_kits=[THEREMIN], channels=[None, 6])
    played.start()
    at_ns = time.monotonic_ns()
    hit = {"seq": 1, "captured_ns": at_ns, "struck_ns": at_ns, "limb": "left_wrist", "strength": 0.5}
    played.tell("events", [("Hit", {**hit, "player": 1, "pad": "tone", "kit": 1})])
    played.wait(lambda: len(played.marks) == 2)
    played.send(Control(**now(), target="pitch", value=0.75, kit=1))
    time.sleep(0.3)  # nothing ends it meanwhile
    assert len(played.marks) == 2
    played.send(Release(**now(), at_ns=time.monotonic_ns(), pad="tone", kit=1))
    played.wait(lambda: played.marks == set())
    played.tell("finish")
    assert played.end() == 0
    messages = [message for _, message in heard(out)]
    assert messages == [
        *bend_range(4, 12), pitch_bend(4, 8192), *bend_range(6, 12), pitch_bend(6, 8192),
        note_on(6, 48, 64), note_on(6, 55, 64), pitch_bend(6, 12288), note_off(6, 48), note_off(6, 55),
        pitch_bend(6, 8192),
    ]  # fmt: skip
    assert played.rows()["pad"].tolist() == [4, 4]


def test_a_held_note_does_not_keep_a_finished_engines_voice(stage, out):
    played = stage(f"file:{out}", more_kits=[THEREMIN])
    played.start()
    at_ns = time.monotonic_ns()
    hit = {"seq": 1, "captured_ns": at_ns, "struck_ns": at_ns, "limb": "left_wrist", "strength": 0.5}
    played.tell("events", [("Hit", {**hit, "player": 0, "pad": "tone", "kit": 1})])
    for tap in (-1000, -500, 0):
        played.send(Command(**now(), name="tap", at_ns=at_ns + tap * MS))
    played.wait(lambda: len(played.marks) == 2)
    played.tell("finish")
    assert played.end() == 0
    notes = [message[1] for _, message in heard(out) if message[0] == 0x93]
    assert (notes, played.marks) == ([48, 55], set())


def test_standby_ends_what_sounds(stage, out):
    played = stage(f"file:{out}")
    played.start()
    played.play_and_hear("chord")
    played.send(Command(**now(), name="standby"))
    played.wait(lambda: played.marks == set(), 8)  # by itself the chord would end after 10 s
    played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    assert played.said() == []


def test_a_tapped_tempo_is_told_once(stage):
    played = stage("memory:")
    played.start()
    at_ns = time.monotonic_ns()
    played.send(*(Command(**now(), name="tap", at_ns=at_ns - tap * 400 * MS) for tap in range(5, -1, -1)))
    played.wait(lambda: played.said() != [])
    time.sleep(0.2)
    assert played.said() == [("tempo", "150 bpm")]
    assert "tempo: 150 bpm, as tapped" in played.board["lines"]
    played.tell("silence")
    assert played.end() == 0


def test_a_kit_that_sets_an_osc_address_needs_such_an_output(stage, out):
    gestures = {
        "filter": {
            "gesture": "control", "by": {"x": "nose"}, "between": [0, 1], "to": {"osc": "/filter"}
        }
    }  # fmt: skip
    pads = {"snare": {"zone": {"box": (0, 0, 1, 1)}, "note": 38}}
    played = stage(
        f"file:{out}",
        more_kits=[KitConfig.model_validate({"name": "osc", "pads": pads, "gestures": gestures})],
    )
    played.start_engine()
    played.start_voice()
    assert played.voice.wait(30) == 2
    assert (played.board["state"], played.board["exit_code"]) == ("failed", 2)
    assert "add osc:HOST:PORT to midi.outputs" in str(played.board["error"])


def test_a_voice_that_was_stopped_drops_what_was_due_meanwhile_and_ends_what_sounds(stage, out):
    played = stage(f"file:{out}")
    played.start()
    played.play_and_hear("chord")
    os.kill(played.voice.pid, signal.SIGSTOP)
    played.play("snare", "flam")
    time.sleep(1.2)
    os.kill(played.voice.pid, signal.SIGCONT)
    played.wait(lambda: any("the voice has stood still for " in text for _, text in played.said()))
    played.wait(lambda: played.marks == set())
    played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    notes = [message for _, message in heard(out) if message[0] & 0xF0 == 0x90]
    assert [note for _, note, _ in notes] == [60, 64, 67, 38]
    assert played.rows()["pad"].tolist() == [3, 3, 3, 1]
