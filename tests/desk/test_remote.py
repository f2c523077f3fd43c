"""A player's pedals, heard by the desk's thread: what is pressed becomes orders, a pulled cable is noticed."""

import time

import pytest
from players import KIT

from lalelu.config.schema import Config
from lalelu.desk import remote
from lalelu.desk.inputs.memory import MemoryInput
from lalelu.desk.remote import Pedals, Remote
from lalelu.errors import UsageError
from lalelu.orders import KIT as KIT_ORDER
from lalelu.orders import TOGGLE_STANDBY, Order, OrderReader, OrderWriter
from lalelu.session import Plan, Recording, create_session

OPENED = "MIDI in: memory: hears what a test sends"
PULLED = "MIDI input memory: is lost; plug() it in; looked for every 0 s"


def asked(*messages, controller=64):
    pedals = Pedals(controller)
    return [pedals.order(bytes(message), at_ns) for at_ns, message in enumerate(messages)]


@pytest.mark.parametrize("channel", [0, 15])
def test_a_program_change_asks_for_the_kit_of_its_number_on_every_channel(channel):
    assert asked((0xC0 | channel, 0), (0xC0 | channel, 127)) == [
        Order(KIT_ORDER, 0, 0),
        Order(KIT_ORDER, 127, 1),
    ]


def test_a_footswitch_toggles_when_it_is_pressed_and_not_when_it_is_released():
    assert asked((0xB0, 64, 127), (0xB0, 64, 0), (0xB0, 64, 64), (0xB0, 64, 63)) == [
        Order(TOGGLE_STANDBY, 0, 0),
        None,
        Order(TOGGLE_STANDBY, 0, 2),
        None,
    ]


def test_a_pedal_that_sends_every_value_on_its_way_toggles_once_a_press():
    down = [(0xB0, 64, value) for value in range(128)]
    orders = asked(*down, *reversed(down), *down)
    assert [order.at_ns for order in orders if order] == [64, 256 + 64]


def test_a_press_that_comes_on_two_channels_toggles_once():
    orders = asked((0xB0, 64, 127), (0xB1, 64, 127), (0xB0, 64, 0), (0xB1, 64, 0))
    assert [order is not None for order in orders] == [True, False, False, False]


@pytest.mark.parametrize(
    "message",
    [
        (0xB0, 65, 127),
        (0x90, 64, 127),
        (0xE0, 64, 127),
        (0xD0, 64),
        (0xF8,),
        (0xC0,),
        (0xB0, 64),
        (),
        (0xF0, 64, 127),
    ],
)
def test_any_other_message_asks_for_nothing(message):
    assert asked(message) == [None]


def test_the_footswitch_may_be_any_controller():
    assert asked((0xB0, 64, 127), (0xB0, 80, 127), controller=80) == [None, Order(TOGGLE_STANDBY, 0, 1)]


class Stage:
    """A session, its orders, and a remote control that listens to `pedals`."""

    def __init__(self, session, build):
        self.orders = OrderReader(session)
        self.remote = Remote(OrderWriter(session), build, ["rock", "latin"], 64)
        self.said = []

    def heard(self, count):
        """Wait for so many orders and return them, as (kind, number)."""
        found = []
        self._wait(lambda: found.extend(self.orders.read()) or len(found) >= count)
        return [(order.kind, order.number) for order in found]

    def told(self, count):
        """Wait until people were told so many lines, and return all of them."""
        self._wait(lambda: self.said.extend(self.remote.lines()) or len(self.said) >= count)
        return self.said

    @staticmethod
    def _wait(condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "LOOK_S", 0.01)
    plan = Plan(Config(), (KIT,), Recording(), core=0)
    session, lock = create_session(plan, {"XDG_RUNTIME_DIR": str(tmp_path)}, keypoints=17)
    yield session
    lock.close()


@pytest.fixture
def pedals():
    return MemoryInput()


def test_what_a_player_presses_is_in_the_ring(session, pedals):
    stage = Stage(session, lambda: pedals)
    with stage.remote:
        assert stage.told(1) == [OPENED]
        before_ns = time.monotonic_ns()
        pedals.program(1)
        pedals.controller(64, 127)
        pedals.controller(64, 0)
        pedals.program(0, channel=16)
        assert stage.heard(3) == [(KIT_ORDER, 1), (TOGGLE_STANDBY, 0), (KIT_ORDER, 0)]
        pedals.program(1)
        stage._wait(lambda: stage.orders.pending)
        (order,) = stage.orders.read()
        assert before_ns < order.at_ns < time.monotonic_ns()
    assert not pedals.is_open
    assert stage.told(1) == [OPENED]


def test_a_program_that_no_kit_has_is_told_once_and_asks_for_nothing(session, pedals):
    stage = Stage(session, lambda: pedals)
    with stage.remote:
        stage.told(1)
        for number in (2, 2, 127, 2, 1):
            pedals.program(number)
        assert stage.heard(1) == [(KIT_ORDER, 1)]
    there = "there are 0 = rock, 1 = latin"
    assert stage.told(3) == [
        OPENED,
        f"MIDI in: no kit has the number of program 2; {there}",
        f"MIDI in: no kit has the number of program 127; {there}",
    ]


def test_with_other_kits_a_program_that_none_has_is_told_again(session, pedals):
    stage = Stage(session, lambda: pedals)
    with stage.remote:
        pedals.program(2)
        assert len(stage.told(2)) == 2
        stage.remote.follow(session.plan)
        pedals.program(2)
        assert stage.told(3)[2].startswith("MIDI in: no kit has the number of program 2; there are 0 = ")


def test_a_cable_that_is_pulled_is_told_once_and_looked_for_until_it_is_back(session, pedals):
    opened = []
    stage = Stage(session, lambda: opened.append(1) or pedals)
    with stage.remote:
        stage.told(1)
        pedals.controller(64, 127)  # held while the cable is pulled
        assert stage.heard(1) == [(TOGGLE_STANDBY, 0)]
        pedals.unplug()
        assert stage.told(2) == [OPENED, PULLED]
        stage._wait(lambda: len(opened) > 5)
        pedals.plug()
        assert stage.told(3) == [OPENED, PULLED, OPENED]
        pedals.controller(64, 127)
        assert stage.heard(1) == [(TOGGLE_STANDBY, 0)]
        pedals.unplug()
        assert stage.told(4)[3] == PULLED


def test_an_input_that_is_not_there_at_the_start_is_told_once_and_heard_as_soon_as_it_is(session, pedals):
    pedals.unplug()
    stage = Stage(session, lambda: pedals)
    with stage.remote:
        assert stage.told(1) == ["MIDI input memory: is not there; plug() it in; looked for every 0 s"]
        pedals.plug()
        assert stage.told(2)[1] == OPENED
        pedals.program(1)
        assert stage.heard(1) == [(KIT_ORDER, 1)]


def test_an_address_that_cannot_be_used_is_told_and_ends_nothing(session):
    def build():
        raise UsageError("MIDI input 'virtual:a:b': a rule")

    stage = Stage(session, build)
    with stage.remote:
        assert stage.told(1) == ["MIDI input 'virtual:a:b': a rule; looked for every 0 s"]
        assert stage.remote.problem == stage.said[0]  # word for word: the leader tells it once
