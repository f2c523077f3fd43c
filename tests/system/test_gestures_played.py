"""Gestures, several kits and standby through all the processes: what a take of them sounds."""

import mido
import numpy as np
import pytest
from system.stage import FPS, PERIOD_NS, SHOULDERS, WIDTH, lalelu

from lalelu.ledger.reader import read_ledger
from lalelu.skeleton import COCO17
from lalelu.take import TakeFrame, TakeHeader, TakeWriter
from lalelu.types import Pose

KIT = """
name: drone
channel: 3
pads:
  wood: {note: 76, zone: {box: [0.2, -1.3, 1.2, -0.3]}, limbs: [right_wrist]}
  organ: {note: [C4, E4], note_ms: hold}
gestures:
  organ: {gesture: chord, by: {y: left_wrist}, between: [-0.4, 1.0], pads: [organ]}
  swell: {gesture: control, by: {y: left_wrist}, between: [-1.2, 0.4], to: {controller: 11}}
  rest: {gesture: hold, where: [{limb: left_wrist, zone: {half_plane: [0, 1.2, 90]}}], hold_ms: 300, command: standby}
  other: {gesture: hold, where: [{by: {x: left_wrist}, between: [0.4, 2.0]}], hold_ms: 300, command: next_kit}
"""
OTHER = """
name: other
channel: 4
pads: {block: {note: 77, zone: {box: [0.2, -1.3, 1.2, -0.3]}, limbs: [right_wrist]}}
"""
CONFIG = """
kit: drone.yaml
more_kits: [other.yaml]
player: {channels: [5]}
timing: {delay_ms: 60}
realtime: {core: none, priority: 0}
"""
# seconds, and where the left hand is then
STAGES = (
    (1.0, (-0.6, -1.0)),
    (1.5, (-0.6, 0.2)),  # the organ
    (1.0, (-0.6, -1.0)),
    (0.8, (-0.6, 1.5)),  # standby
    (1.0, (-0.6, -1.0)),
    (0.8, (-0.6, 1.5)),  # and on again
    (1.0, (-0.6, -1.0)),
    (0.8, (0.8, -1.0)),  # the other kit
    (2.0, (-0.6, -1.0)),
)


def place(time_s):
    """Where the left hand is: it takes 0.2 s from each place to the next."""
    begin, before = 0.0, STAGES[0][1]
    for seconds, at in STAGES:
        if time_s < begin + seconds:
            share = min(1.0, (time_s - begin) / 0.2)
            share = 0.5 - 0.5 * np.cos(np.pi * share)
            return tuple(a + share * (b - a) for a, b in zip(before, at, strict=True))
        begin, before = begin + seconds, at
    return before


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Configuration, kits and a take in which the right hand strikes twice a second."""
    folder = tmp_path_factory.mktemp("gestures")
    (folder / "drone.yaml").write_text(KIT)
    (folder / "other.yaml").write_text(OTHER)
    (folder / "lalelu.yaml").write_text(CONFIG)
    with TakeWriter(folder / "source.take", TakeHeader("a stage", FPS, 640, 480)) as take:
        for seq in range(round(sum(seconds for seconds, _ in STAGES) * FPS)):
            time_s = seq / FPS
            body = {
                "left_shoulder": (-0.5, 0.0),
                "right_shoulder": (0.5, 0.0),
                "left_wrist": place(time_s),
                "right_wrist": (0.6, -0.6 - 0.4 * np.cos(2 * np.pi * 2.0 * time_s)),
            }
            xy = np.tile(np.array(SHOULDERS, np.float32), (len(COCO17), 1))
            score = np.zeros(len(COCO17), np.float32)
            for limb, (right, up) in body.items():
                xy[COCO17.index(limb)] = (SHOULDERS[0] - WIDTH * right, SHOULDERS[1] - WIDTH * up)
                score[COCO17.index(limb)] = 0.8
            take.write(TakeFrame(seq, seq * PERIOD_NS, (Pose(seq, seq * PERIOD_NS, 0, xy, score),)))
    return folder


def heard(path):
    """Every message of a MIDI file with its time in seconds from the first note-on."""
    now, messages = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if not message.is_meta:
            messages.append((now, message))
    first = next(at for at, message in messages if message.type == "note_on")
    return [(at - first, message) for at, message in messages]


def notes(messages):
    """(time, channel, note) of note-ons, and how long each sounds."""
    begun, found = {}, []
    for at, message in messages:
        if message.type == "note_on":
            begun[message.channel, message.note] = at
        elif message.type == "note_off":
            began = begun.pop((message.channel, message.note))
            found.append((began, message.channel + 1, message.note, at - began))
    assert begun == {}
    return sorted(found)


@pytest.fixture(scope="module")
def offline(folder):
    """What `replay` writes."""
    target = folder / "offline.mid"
    done = lalelu(
        "replay", folder / "source.take", "--config", folder / "lalelu.yaml",
        "--midi", target, "--hits", folder / "hits.jsonl", "--pipeline-ms", "15",
    )  # fmt: skip
    assert done.code == 0, done.err
    return heard(target)


def test_a_held_chord_sounds_while_its_arm_is_up_and_standby_ends_all(offline):
    found = notes(offline)
    organ = [(note, length) for _, _, note, length in found if note in (60, 64)]
    # each time the arm goes up it passes the chord; the long one is the stage for it
    assert [round(length, 1) for note, length in organ if length > 0.8] == [1.5, 1.5]
    struck = [at for at, _, note, _ in found if note == 76]
    gaps = np.diff(struck)
    assert gaps.max() == pytest.approx(2.0, abs=0.6)  # the standby
    assert np.median(gaps) == pytest.approx(0.5, abs=0.02)


def test_a_pose_switches_the_kit_and_the_players_channel_holds_on_both(offline):
    found = notes(offline)
    assert {channel for _, channel, _, _ in found} == {5}
    last_wood = max(at for at, _, note, _ in found if note == 76)
    blocks = [at for at, _, note, _ in found if note == 77]
    assert len(blocks) >= 3
    assert min(blocks) > last_wood


def test_a_controller_follows_the_hand(offline):
    values = [message.value for _, message in offline if message.type == "control_change"]
    assert {message.control for _, message in offline if message.type == "control_change"} == {11}
    assert (min(values), max(values)) == (pytest.approx(16, abs=4), 127)


def test_the_processes_play_what_replay_plays(folder, offline):
    done = lalelu(
        "run", "--config", folder / "lalelu.yaml", "--camera", f"take:{folder / 'source.take'}",
        "--midi", f"file:{folder / 'live.mid'}", "--log", folder / "ledger",
    )  # fmt: skip
    assert done.code == 0, done.err
    live, expected = notes(heard(folder / "live.mid")), notes(offline)
    assert [note[1:3] for note in live] == [note[1:3] for note in expected]
    ledger = read_ledger(folder / "ledger")
    kinds = [event.kind for event in ledger.events]
    assert [kind for kind in kinds if kind in ("standby", "play", "kit")] == ["standby", "play", "kit"]
    pads = {int(pad) for pad in ledger.notes["pad"]}
    assert pads == {1, 2, 3}  # wood, organ, and block of the other kit
