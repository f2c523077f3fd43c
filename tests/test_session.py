import os
import subprocess
import sys

import pytest

from lalelu.channel import RingReader
from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit, shipped_kits
from lalelu.config.schema import Config
from lalelu.errors import LaleluError, MissingError
from lalelu.ledger.schema import EVENT, FRAME, NOTE
from lalelu.session import (
    HIT,
    POSE_HEAD,
    Plan,
    Recording,
    Session,
    create_session,
    pose_bytes,
    runtime_directory,
    sessions,
)

KIT = KitConfig.model_validate(
    {"name": "one", "pads": {"snare": {"note": 38, "zone": {"box": [-1, -1, 1, 1]}, "limbs": ["left_wrist"]}}}
)
LEADER = """
import os, sys
sys.path[:0] = sys.argv[1:2]
from test_session import a_plan
from lalelu.session import create_session
session, lock = create_session(a_plan(), os.environ, keypoints=17)
print(session.folder, flush=True)
sys.stdin.read()
"""


def a_plan(recording: Recording = Recording()) -> Plan:  # noqa: B008 - frozen
    return Plan(Config(left_handed=True), (KIT,), recording, core=3, seconds=1.5, once=True)


@pytest.fixture
def environment(tmp_path):
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


def test_the_plan_comes_back_as_it_was_made(tmp_path, environment):
    plan = a_plan(Recording(tmp_path / "a.ledger", tmp_path / "a.take", rotates=True))
    session, lock = create_session(plan, environment, keypoints=17)
    assert session.plan == plan
    assert (session.leader, session.alive()) == (os.getpid(), True)
    assert Session(session.folder).plan == plan
    lock.close()
    assert not session.alive()


def test_several_kits_come_back_in_their_order_and_with_all_that_their_gestures_say(environment):
    kits = tuple(load_kit(name, None) for name in shipped_kits())
    config = Config.model_validate({"more_kits": ["latin"], "player": {"kits": {1: "latin"}}})
    session, lock = create_session(Plan(config, kits, Recording(), core=None), environment, keypoints=17)
    assert session.plan.kits == kits
    assert session.plan.kit == kits[0]
    assert session.plan.config.player.kits == {1: "latin"}
    lock.close()


def test_rings_have_records_of_the_right_size_and_hold_five_minutes(tmp_path, environment):
    session, lock = create_session(a_plan(Recording(take=tmp_path / "a.take")), environment, keypoints=17)
    sizes = {"frames": FRAME.size, "notes": NOTE.size, "hits": HIT.size, "poses": pose_bytes(17)}
    sizes |= dict.fromkeys(("events.engine", "events.voice", "events.lead"), EVENT.size)
    for name, size in sizes.items():
        assert RingReader(session / name).record_bytes == size
    assert RingReader(session / "frames").slots >= 300 * 100
    assert RingReader(session / "poses").slots >= 300 * 100
    lock.close()


def test_a_pose_has_room_for_its_keypoints_in_whole_words():
    for keypoints in range(1, 40):
        assert pose_bytes(keypoints) % 8 == 0
        assert 0 <= pose_bytes(keypoints) - POSE_HEAD.size - 12 * keypoints < 8


def test_what_a_dead_leader_left_is_removed_and_a_living_one_is_left_alone(tmp_path, environment):
    def a_leader():
        command = [sys.executable, "-c", LEADER, os.path.dirname(__file__)]  # noqa: PTH120
        leader = subprocess.Popen(
            command, env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return leader, leader.stdout.readline().strip()

    dead, dead_folder = a_leader()
    living, living_folder = a_leader()
    dead.kill()
    dead.communicate()
    states = {str(session.folder): session.alive() for session in sessions(environment)}
    assert states == {dead_folder: False, living_folder: True}
    mine, lock = create_session(a_plan(), environment, keypoints=17)
    assert {str(session.folder) for session in sessions(environment)} == {living_folder, str(mine.folder)}
    living.communicate()
    assert living.returncode == 0
    lock.close()


def test_a_session_is_seen_whole_or_not_at_all(tmp_path, environment):
    place = tmp_path / "lalelu"
    (place / ".123").mkdir(parents=True)
    (place / ".123" / "lock").touch()  # one that is being made
    (place / "456").mkdir()  # one that is being removed
    (place / "a name").mkdir()
    assert sessions(environment) == []


def test_what_a_leader_left_that_was_killed_while_it_made_its_session_is_removed(tmp_path, environment):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    dead = tmp_path / "lalelu" / f".{killed.pid}"
    living = tmp_path / "lalelu" / f".{os.getppid()}"
    for unfinished in (dead, living):
        unfinished.mkdir(parents=True)
    _, lock = create_session(a_plan(), environment, keypoints=17)
    assert (dead.exists(), living.exists()) == (False, True)
    lock.close()


def test_a_second_session_of_the_same_process_replaces_the_first(environment):
    first, first_lock = create_session(a_plan(), environment, keypoints=17)
    ring = RingReader(first / "frames")
    first_lock.close()
    second, lock = create_session(a_plan(), environment, keypoints=17)
    assert second.folder == first.folder
    assert ring.head == 0  # who has mapped the old one keeps it
    lock.close()


def test_the_runtime_directory_is_the_services_then_the_users_then_one_in_memory():
    both = {"RUNTIME_DIRECTORY": "/run/lalelu:/run/other", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert str(runtime_directory(both)) == "/run/lalelu"
    assert str(runtime_directory({"XDG_RUNTIME_DIR": "/run/user/7"})) == "/run/user/7/lalelu"
    assert str(runtime_directory({})) == f"/dev/shm/lalelu-{os.getuid()}"


def test_a_place_that_cannot_be_used_is_told_in_a_sentence(tmp_path):
    (tmp_path / "lalelu").touch()
    with pytest.raises(MissingError, match=r"lalelu cannot be used \(File exists\); set XDG_RUNTIME_DIR"):
        create_session(a_plan(), {"XDG_RUNTIME_DIR": str(tmp_path)}, keypoints=17)


def test_a_place_that_others_may_write_to_is_not_used(tmp_path, environment, monkeypatch):
    place = tmp_path / "lalelu"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(MissingError, match=r"lalelu may be written by others; `chmod go-w`"):
        create_session(a_plan(), environment, keypoints=17)
    place.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(MissingError, match="lalelu is another user's; set XDG_RUNTIME_DIR"):
        create_session(a_plan(), environment, keypoints=17)
    assert list(place.iterdir()) == []


def test_a_link_that_another_user_has_laid_is_not_followed(tmp_path, environment, expect):
    if os.getuid() != 0:
        expect("root", "only root can lay a link in another user's name")
    (tmp_path / "home").mkdir()
    link = tmp_path / "lalelu"
    link.symlink_to("home")
    os.lchown(link, 12345, 12345)
    with pytest.raises(MissingError, match="lalelu is another user's"):
        create_session(a_plan(), environment, keypoints=17)
    assert list((tmp_path / "home").iterdir()) == []


def test_an_unreadable_plan_is_told_in_a_sentence(environment):
    session, lock = create_session(a_plan(), environment, keypoints=17)
    (session / "plan.json").write_text("{")
    with pytest.raises(LaleluError, match="plan"):
        _ = session.plan
    (session / "plan.json").unlink()
    with pytest.raises(LaleluError, match="plan"):
        _ = session.plan
    lock.close()
