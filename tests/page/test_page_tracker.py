"""What the page's own detector and picture make of a session, without an instrument."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from system.stage import poses, session_of, stage_plan

from lalelu.bulletin import Bulletin
from lalelu.glimpse import RING, GlimpseWriter
from lalelu.page.tracker import PICTURED_NS, Tracker
from lalelu.skeleton import COCO17
from lalelu.types import Frame
from lalelu.wire import EngineRings

TAKE = {"source": "a stage", "fps": 100.0, "width": 640, "height": 480, "skeleton": "coco17"}
NOW_NS = 10_000_000_000


@pytest.fixture
def begun(tmp_path):
    """A session in which an engine has begun to play, by the options of its configuration."""
    opened = []

    def begin(**sections):
        holding = session_of(stage_plan(tmp_path, take=False, **sections), tmp_path)
        opened.append(holding)
        session, bell = holding.__enter__()
        Bulletin(session / "engine").tell(state="playing", take=TAKE, epoch=0, kit="stage", standby=False)
        return session, bell

    yield begin
    for holding in opened:
        holding.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("camera", "corner"),
    [
        ({}, (0, 0)),
        ({"rotate": 90}, (0, -1)),
        ({"rotate": 180}, (-1, -1)),
        ({"rotate": 270}, (-1, 0)),
        ({"mirror": True}, (0, -1)),
        ({"rotate": 90, "mirror": True}, (0, 0)),
    ],
)
def test_the_picture_stands_upright(begun, camera, corner):
    session, _ = begun(camera=camera)
    tracker = Tracker(session)
    writer = GlimpseWriter(session / RING)
    image = np.zeros((240, 320, 3), np.uint8)
    image[:60, :60] = 255  # the camera's first corner
    assert tracker.tick(NOW_NS)[1] == b""
    writer.show(Frame(0, NOW_NS, NOW_NS, 0, image))
    seen = cv2.imdecode(np.frombuffer(tracker.tick(NOW_NS)[1], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert seen.shape == ((320, 240) if camera.get("rotate") in (90, 270) else (240, 320))
    bright = {(row, column) for row in (0, -1) for column in (0, -1) if seen[row, column] > 200}
    assert bright == {corner}


def test_frames_without_their_poses_wait_and_times_go_on_over_messages(begun):
    session, bell = begun()
    plan = session.plan
    rings = EngineRings(session, bell, kits=plan.kits, skeleton=COCO17, keeps_poses=True)
    tracker = Tracker(session)
    drawn = tracker.greeting()["scene"]["kits"]["stage"]["pads"]
    assert [pad["name"] for pad in drawn] == ["left", "right"]
    times, verdicts = [], []
    for pose in poses(1.0, start_ns=NOW_NS):
        rings.pose(pose)  # the next message may come before its row
        if pose.seq % 7 == 0:
            head, _ = tracker.tick(pose.captured_ns)
            times += [at_s for at_s, *_ in head.get("traces", {}).get("0:left_wrist", [])]
            verdicts += head.get("verdicts", [])
        stamps = range(pose.captured_ns + 1, pose.captured_ns + 8)
        rings.frame(pose.seq, pose.captured_ns, *stamps, 0, 0, 1, 0, [0] * 8)
    assert times == pytest.approx([seq / 100 for seq in range(98)])
    assert {(each["limb"], each["pad"]) for each in verdicts if each["rule"] is None} == {
        ("left_wrist", "left"),
        ("right_wrist", "right"),
    }


def test_every_player_s_kit_and_the_standby_are_those_of_the_engine(begun):
    session, bell = begun()
    board = Bulletin(session / "engine")
    plan = session.plan
    other = plan.kit.model_copy(update={"name": "other"})
    session.keep_plan(replace(plan, kits=(plan.kit, other)), 1)
    rings = EngineRings(session, bell, kits=plan.kits, skeleton=COCO17, keeps_poses=True)
    tracker = Tracker(session)

    def watch(seconds, start_ns, **told):
        """The last message's players' kits, and what was heard."""
        board.tell(state="playing", take=TAKE, epoch=1, **told)
        heard, kits = set(), {}
        for pose in poses(seconds, start_ns=start_ns):
            for player in (0, 1):
                rings.pose(replace(pose, player=player))
            stamps = range(pose.captured_ns + 1, pose.captured_ns + 8)
            rings.frame(pose.seq, pose.captured_ns, *stamps, 0, 0, 2, 0, [0] * 8)
            head, _ = tracker.tick(pose.captured_ns)
            kits = {each["player"]: each["kit"] for each in head["players"]}
            heard |= {each["player"] for each in head["verdicts"] if each["rule"] is None}
        return kits, heard

    assert watch(1.0, NOW_NS, standby=False, kits=["stage", {"1": "other"}]) == (
        {0: "stage", 1: "other"},
        {0, 1},
    )
    assert watch(1.0, 2 * NOW_NS, standby=True, kits=["other", {"0": "stage"}]) == (
        {0: "stage", 1: "other"},
        set(),
    )
    assert watch(1.0, 3 * NOW_NS, standby=False, kits=["other", {}]) == ({0: "other", 1: "other"}, {0, 1})
    assert set(tracker.greeting()["scene"]["kits"]) == {"stage", "other"}


def test_the_scene_is_told_once_and_to_who_comes(begun):
    session, _ = begun()
    tracker = Tracker(session)
    assert "scene" in tracker.greeting()
    assert "scene" in tracker.tick(NOW_NS)[0]
    assert "scene" not in tracker.tick(NOW_NS)[0]
    assert "scene" in tracker.greeting()  # a second browser


def test_players_are_those_of_the_picture_while_there_are_pictures(begun):
    session, bell = begun()
    rings = EngineRings(session, bell, kits=session.plan.kits, skeleton=COCO17, keeps_poses=True)
    writer = GlimpseWriter(session / RING)
    tracker = Tracker(session)
    tracker.tick(NOW_NS)
    film = iter(poses(1.0, start_ns=NOW_NS))

    def seen(*, pictured, at_ns=NOW_NS):
        """Play three frames, the first one with a picture; the players of the message, and the frames' own."""
        shown = [next(film) for _ in range(3)]
        for pose in shown:
            rings.pose(pose)
            stamps = range(pose.captured_ns + 1, pose.captured_ns + 8)
            rings.frame(pose.seq, pose.captured_ns, *stamps, 0, 0, 1, 0, [0] * 8)
            if pictured and pose is shown[0]:
                image = np.zeros((240, 320, 3), np.uint8)
                writer.show(Frame(pose.seq, pose.captured_ns, pose.captured_ns, 0, image))
        head, _ = tracker.tick(at_ns)
        told = [each["xy"] for each in head["players"]] if "players" in head else None
        return told, [[np.round(pose.xy.astype(float), 4).tolist()] for pose in shown]

    told, own = seen(pictured=True)
    assert told == own[0] != own[2]
    assert seen(pictured=False)[0] is None
    told, own = seen(pictured=False, at_ns=NOW_NS + PICTURED_NS)
    assert told == own[2]
