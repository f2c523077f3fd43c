"""Every MIDI input against its port's promises, and through a real JACK graph into a desk's orders."""

import os
import subprocess
import time
from collections import deque
from importlib import import_module

import pytest
from players import KIT

from lalelu.channel import BoardReader
from lalelu.config.schema import Config
from lalelu.desk.inputs.memory import MemoryInput
from lalelu.desk.midi_in import ADAPTERS, MidiInput
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.orders import KIT as KIT_ORDER
from lalelu.orders import TOGGLE_STANDBY, OrderReader
from lalelu.registry import from_uri
from lalelu.session import Plan, Recording, create_session

PROGRAM, PRESSED, RELEASED = b"\xc0\x01", b"\xb0\x40\x7f", b"\xb0\x40\x00"
SYSEX, CLOCK = b"\xf0\x7e\x7f\x09\x01\xf7", b"\xf8"


def build(uri) -> MidiInput:
    return from_uri("MIDI input", ADAPTERS, uri)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def heard(source, count):
    """Wait for so many messages of an open input and return them."""
    found = []
    wait_for(lambda: found.extend(source.messages(time.monotonic_ns())) or len(found) >= count)
    return found


class Board:
    """A pedal board in the JACK graph: the client `board` with the port `out`."""

    def __init__(self, jack):
        self.client = jack.Client("board", no_start_server=True)
        self._out = self.client.midi_outports.register("out")
        self._waiting = deque()
        self._periods = 0
        self.client.set_process_callback(self._process)
        self.client.activate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def connect(self, name):
        """Connect to the port `name` as soon as it is there."""
        wait_for(lambda: self.client.get_ports(f"^{name}$", is_midi=True))
        self.client.connect(self._out, name)

    def press(self, *messages):
        """Send messages once somebody is connected: a connection counts from one of the next periods on."""
        wait_for(lambda: self._out.connections)
        begun = self._periods
        wait_for(lambda: self._periods > begun + 2)
        self._waiting.extend(messages)

    def _process(self, _frames):
        self._periods += 1
        self._out.clear_buffer()
        for offset in range(len(self._waiting)):
            self._out.write_midi_event(offset, self._waiting.popleft())


@pytest.fixture
def jack(jack_server, expect):
    """JACK-Client, with a server of the test's own."""
    try:
        return import_module("jack")
    except (ImportError, OSError) as exc:
        expect("jack", str(exc))


@pytest.fixture
def no_jack(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"lalelu-none-{os.getpid()}")


@pytest.mark.parametrize("uri", ["virtual:pedals", "port:board", None])
def test_an_input_that_is_not_open_can_be_closed_and_hears_nothing(uri):
    source = MemoryInput() if uri is None else build(uri)
    source.close()
    source.close()
    with pytest.raises(LostError):
        source.messages(0)


@pytest.mark.parametrize(
    "uri",
    ["virtual:a:b", "virtual:?api=oss", f"virtual:{'x' * 33}", "port:", "port:x?device=1", "file:x.mid"],
)
def test_an_address_that_cannot_be_meant_is_refused_before_anything_is_opened(uri):
    with pytest.raises(UsageError, match="MIDI input"):
        build(uri)


@pytest.mark.usefixtures("no_jack")
@pytest.mark.parametrize("uri", ["virtual:lalelu?api=jack", "port:board?api=jack"])
def test_without_a_server_the_reason_and_the_remedy_are_told(uri):
    with pytest.raises(MissingError, match=r"JACK: no JACK server answers.*midi\.input: null"):
        build(uri).open()


def test_a_port_of_our_own_hears_whole_messages_in_their_order(jack):
    source = build("virtual:pedals?api=jack")
    assert source.open().startswith('virtual:pedals: port "pedals-in:in" (JACK, period 21.33 ms)')
    with pytest.raises(UsageError, match="open already"):
        source.open()
    with Board(jack) as board:
        board.connect("pedals-in:in")
        board.press(CLOCK, PRESSED, SYSEX, RELEASED, PROGRAM)
        assert heard(source, 3) == [PRESSED, RELEASED, PROGRAM]
        assert source.messages(time.monotonic_ns()) == []
    source.close()
    source.close()


def test_the_output_and_the_input_may_have_the_same_name(jack):
    voice = from_uri(
        "MIDI output", {"virtual": "lalelu.voice.outputs.rtmidi:VirtualOutput"}, "virtual:lalelu?api=jack"
    )
    source = build("virtual:lalelu?api=jack")
    voice.open()
    source.open()
    with Board(jack) as board:
        names = {port.name for port in board.client.get_ports(is_midi=True)}
    assert {"lalelu:out", "lalelu-in:in"} <= names
    source.close()
    voice.close()


def test_a_port_that_is_there_is_heard_until_it_goes_and_again_when_it_is_back(jack):
    source = build("port:board?api=jack")
    for _ in range(2):
        with pytest.raises(MissingError, match=r"port:board is not there; (there are no|the) ports"):
            source.open()
        with Board(jack) as board:
            assert source.open().startswith('port:board: connected to "board:out" (JACK')
            board.press(PROGRAM)
            assert heard(source, 1) == [PROGRAM]
        with pytest.raises(LostError, match="'board:out' has gone"):
            heard(source, 1)
        source.close()


def test_a_name_that_fits_several_ports_is_refused_with_their_names(jack):
    source = build("port:out?api=jack")
    with Board(jack) as board:
        board.client.midi_outports.register("out2")
        with pytest.raises(UsageError, match=r'fits 2 ports: "board:out" \(JACK\), "board:out2" \(JACK\)'):
            source.open()
        whole = build("port:board:out?api=jack")
        assert 'connected to "board:out"' in whole.open()
        whole.close()


@pytest.mark.parametrize("uri", ["virtual:pedals?api=jack", "port:board?api=jack"])
def test_a_server_that_ends_is_a_lost_input(jack, jack_server, uri):
    source = build(uri)
    board = Board(jack)
    source.open()
    jack_server.terminate()
    with pytest.raises(LostError, match="is lost: the JACK server has ended"):
        heard(source, 1)
    source.close()
    board.client.close()


class Desk:
    """A session of the test's own with nothing to record, and its desk as the leader starts it."""

    def __init__(self, folder, uri):
        config = Config.model_validate(
            {"midi": {"input": uri, "standby_controller": 66}, "page": {"at": None}}
        )
        plan = Plan(config, (KIT, KIT.model_copy(update={"name": "two"})), Recording(), core=None)
        environment = {"XDG_RUNTIME_DIR": str(folder / "memory")}
        self.session, self._lock = create_session(plan, environment, keypoints=17)
        self.orders = OrderReader(self.session)
        self._board = BoardReader(self.session / "desk")
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.session.command("desk"), stdin=subprocess.PIPE)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def close(self):
        """End it as the leader does; its exit status."""
        self.process.communicate()
        self._lock.close()
        return self.process.returncode

    def lines(self):
        value = self._board.value()
        return value.get("lines", []) if value.get("pid") == self.process.pid else []

    def heard(self, count):
        found = []
        wait_for(lambda: found.extend(self.orders.read()) or len(found) >= count)
        return [(order.kind, order.number) for order in found]


def test_a_desk_hands_on_what_is_pressed_and_so_does_the_one_after_it(jack, tmp_path):
    desk = Desk(tmp_path, "virtual:pedals?api=jack")
    pressed = b"\xb3\x42\x7f"
    with Board(jack) as board:
        board.connect("pedals-in:in")
        board.press(PROGRAM, PRESSED, pressed, b"\xc0\x02", b"\xc0\x00")
        assert desk.heard(3) == [(KIT_ORDER, 1), (TOGGLE_STANDBY, 0), (KIT_ORDER, 0)]
        assert wait_for(lambda: desk.lines()[1:]) == [
            "MIDI in: no kit has the number of program 2; there are 0 = one, 1 = two"
        ]
        assert desk.lines()[0] == 'MIDI in: virtual:pedals: port "pedals-in:in" (JACK, period 21.33 ms)'
        desk.kill()
        wait_for(lambda: not board.client.get_ports("^pedals-in"))
        desk.start()
        board.connect("pedals-in:in")
        board.press(pressed, PROGRAM)
        assert desk.heard(2) == [(TOGGLE_STANDBY, 0), (KIT_ORDER, 1)]
    assert desk.close() == 0


def test_a_desk_whose_pedals_are_not_there_says_so_and_hears_them_when_they_come(jack, tmp_path):
    desk = Desk(tmp_path, "port:board?api=jack")
    (line,) = wait_for(desk.lines)
    assert "MIDI input port:board is not there" in line
    assert line.endswith("; looked for every 1 s")
    with Board(jack) as board:
        assert wait_for(lambda: desk.lines()[1:])[0].startswith(
            'MIDI in: port:board: connected to "board:out"'
        )
        board.press(PROGRAM)
        assert desk.heard(1) == [(KIT_ORDER, 1)]
    assert desk.close() == 0
