"""What the desk asks of the engine, and what people see of it."""

import os

import numpy as np
import pytest

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.cues import DeskCues
from lalelu.gesture.band import Band
from lalelu.orders import KIT, PLAY, STANDBY, TOGGLE_STANDBY, Order, OrderWriter
from lalelu.session import Plan, Recording, create_session
from lalelu.skeleton import COCO17
from lalelu.types import Command, Frame

PADS = {"snare": {"note": 38, "zone": {"box": [-1, -1, 1, 0]}}}
KITS = tuple(KitConfig.model_validate({"name": name, "pads": PADS}) for name in ("rock", "latin"))
FRAME = Frame(7, 1_000_000, 2_000_000, 0, np.zeros((2, 2, 3), np.uint8))


class Desk:
    """The engine's end and the desk's end of one session."""

    def __init__(self, session):
        self._board = BoardReader(session / "engine")
        self.recorded = []
        record = lambda kind, text: self.recorded.append((kind, text))  # noqa: E731 - one line is clearer
        names = [kit.name for kit in KITS]
        self.cues = DeskCues(session, names, Bulletin(session / "engine"), record)
        self.orders = OrderWriter(session)
        self.band = Band(KITS, skeleton=COCO17)

    def ask(self, kind, number=0):
        """Hand an order over and return what follows from it: names and kits."""
        self.orders.write(Order(kind, number))
        assert self.cues.waiting
        return [(event.name, event.kit) for event in self.cues.take(self.band, FRAME)]

    @property
    def shown(self):
        return self._board.value()


@pytest.fixture
def desk(tmp_path):
    plan = Plan(Config(), KITS, Recording(), core=None)
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}
    session, lock = create_session(plan, environment, keypoints=17)
    with lock:
        yield Desk(session)
    session.remove()


def test_nothing_waits_until_the_desk_asks(desk):
    assert not desk.cues.waiting
    desk.orders.write(Order(STANDBY))
    assert desk.cues.waiting
    desk.cues.take(desk.band, FRAME)
    assert not desk.cues.waiting


def test_a_footswitch_stands_by_and_plays_on(desk):
    assert desk.ask(TOGGLE_STANDBY) == [("standby", 0)]
    assert desk.ask(STANDBY) == []
    assert desk.ask(TOGGLE_STANDBY) == [("play", 0)]
    assert desk.ask(PLAY) == []


def test_a_program_switches_the_kit_and_one_without_a_kit_does_nothing(desk):
    assert desk.ask(KIT, 1) == [("kit", 1)]
    assert desk.band.kit_of(0) == 1
    assert desk.ask(KIT, 2) == []
    assert desk.band.kit_of(0) == 1


def test_what_has_been_commanded_is_shown_and_recorded(desk):
    for name, kit in (("standby", 0), ("play", 0), ("kit", 1)):
        desk.cues.tell(Command(7, 1, 0, name, 1, kit), desk.band)
    assert desk.recorded == [
        ("standby", "nothing sounds"),
        ("play", "kit rock"),
        ("kit", "player 0 plays latin"),
    ]
    assert (desk.shown["kit"], desk.shown["standby"]) == ("latin", False)
    desk.cues.tell(Command(8, 2, 0, "standby", 2), desk.band)
    assert desk.shown["standby"] is True


def test_every_pose_for_a_take_is_counted_for_the_desk(desk):
    for count in (1, 2):
        desk.cues.tell(Command(7, 1, 1, "take", 1), desk.band)
        assert desk.shown["takes"] == count
    assert desk.recorded == [("take", "player 1 begins or ends a recording")] * 2


def test_the_kit_of_every_player_is_shown(desk):
    desk.band = Band(KITS, skeleton=COCO17, player_kits={1: 1})
    desk.cues.tell(Command(7, 1, 0, "kit", 1), desk.band)
    assert desk.shown["kits"] == ["rock", {"1": "latin"}]
    desk.ask(KIT, 1)
    desk.cues.tell(Command(7, 1, 0, "kit", 1, 1), desk.band)
    assert desk.shown["kits"] == ["latin", {}]
