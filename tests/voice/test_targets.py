"""What gestures set: when it goes out, where to, and what is left out."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.errors import PortLostError, UsageError
from lalelu.voice.message import CENTRE, bend_range, control, note_on, pitch_bend
from lalelu.voice.outputs.file import FileOutput, FileOutputOptions
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.repeats import AGAIN_NS
from lalelu.voice.targets import MAX_WAITING
from lalelu.voice.voice import Strike, Voice

MS = 1_000_000
BOX = {"box": (-1.0, -1.0, 1.0, 1.0)}
PEDAL = {"gesture": "hihat", "pad": "closed", "open_pad": "open"}


def controlled(to: dict[str, object]) -> dict[str, object]:
    return {"gesture": "control", "by": {"y": "left_wrist"}, "between": [0, 1], "to": to}


def kit(name: str, channel: int, gestures: dict[str, object]) -> KitConfig:
    pads: dict[str, object] = {"closed": {"zone": BOX, "note": 42}}
    if "pedal" in gestures:
        pads["open"] = {"note": 46}
    return KitConfig.model_validate({"name": name, "channel": channel, "pads": pads, "gestures": gestures})


DRUMS = kit(
    "drums",
    10,
    {
        "pedal": PEDAL,
        "stomp": {"gesture": "kick", "pad": "closed"},
        "volume": controlled({"controller": 7}),
        "fixed": controlled({"controller": 11, "channel": 3}),
    },
)
THEREMIN = kit(
    "theremin",
    1,
    {
        "pitch": controlled({"bend": 12}),
        "filter": controlled({"osc": "/filter"}),
        "pedal": PEDAL | {"to": None},
    },
)
VIBRATO = kit(
    "vibrato", 1, {"wheel": controlled({"bend": 2}), "wheel_2": controlled({"bend": 2, "channel": 4})}
)
KITS = (DRUMS, THEREMIN, VIBRATO)
PEDAL_TO, STOMP, VOLUME, FIXED, PITCH, FILTER, SILENT, VIBRATO_TO, WHEEL_2 = range(1, 10)


class Stage:
    """A voice on a memory output, with a clock that is set."""

    def __init__(self, *kits: KitConfig, channels: Sequence[int | None] = (), delay_ms: int = 0) -> None:
        self.ns = 0
        self.output = MemoryOutput()
        self.output.comes_back = True  # as a port, whose listener may be late
        self.voice = Voice(
            [self.output],
            kits or KITS,
            now_ns=lambda: self.ns,
            channels=channels,
            delay_ns=delay_ms * MS,
        )
        self.voice.open()
        self.opening = [message for _, message in self.output.sent]

    def control(self, number: int, value: float, at_ms: int = 0, *, player: int = 0) -> list[bytes]:
        """What is sent when a value is set at `at_ms`."""
        self.voice.control(number, player, value, at_ms * MS)
        return self.go_on(at_ms)

    def go_on(self, at_ms: int) -> list[bytes]:
        """What is sent at `at_ms`."""
        self.ns = at_ms * MS
        before = len(self.output.sent)
        self.voice.advance(self.ns)
        return [message for _, message in self.output.sent[before:]]


@pytest.mark.parametrize(
    ("value", "sent"), [(0.0, 0), (0.5, 64), (1.0, 127), (-3.0, 0), (1.5, 127), (math.nan, 0)]
)
def test_a_value_sets_its_controller(value: float, sent: int) -> None:
    assert Stage().control(VOLUME, value) == [control(10, 7, sent)]


@pytest.mark.parametrize(
    ("value", "sent"), [(0.0, 0), (0.25, 4096), (0.5, CENTRE), (1.0, 16383), (-1.0, 0), (2.0, 16383)]
)
def test_a_value_turns_the_pitch_wheel_and_its_middle_is_the_wheels_centre(value: float, sent: int) -> None:
    assert Stage().control(PITCH, value) == [pitch_bend(1, sent)]


def test_controls_are_numbered_over_the_gestures_of_all_kits() -> None:
    stage = Stage()
    sent = {number: stage.control(number, 1.0) for number in range(1, 10)}
    assert sent == {
        PEDAL_TO: [control(10, 4, 127)],
        STOMP: [],
        VOLUME: [control(10, 7, 127)],
        FIXED: [control(3, 11, 127)],
        PITCH: [pitch_bend(1, 16383)],
        FILTER: [],
        SILENT: [],
        VIBRATO_TO: [*bend_range(1, 2), pitch_bend(1, 16383)],
        WHEEL_2: [pitch_bend(4, 16383)],
    }
    assert stage.output.values == [("/filter", 1.0)]


@pytest.mark.parametrize(("player", "channel"), [(0, 10), (1, 12), (2, 10)])
def test_a_players_own_channel_replaces_the_kits_where_the_target_names_none(
    player: int, channel: int
) -> None:
    stage = Stage(channels=[None, 12])
    assert stage.control(VOLUME, 0.0, player=player) == [control(channel, 7, 0)]
    assert stage.control(FIXED, 0.0, player=player) == [control(3, 11, 0)]


def test_a_controller_is_sent_only_when_its_seven_bits_have_changed() -> None:
    stage = Stage()
    sent = [stage.control(VOLUME, value, at_ms) for at_ms, value in enumerate((0.5, 0.501, 0.51, 0.5, 0.5))]
    assert sent == [[control(10, 7, 64)], [], [control(10, 7, 65)], [control(10, 7, 64)], []]
    assert stage.voice.next_due_ns is None  # nobody is woken for what would not be sent


def test_an_address_gets_its_value_with_every_frame() -> None:
    stage = Stage()
    for at_ms in (0, 10, 20):
        stage.control(FILTER, 0.5, at_ms)
    assert stage.output.values == [("/filter", 0.5)] * 3


def test_a_value_comes_with_the_notes_of_its_frame_and_before_them() -> None:
    stage = Stage(delay_ms=60)
    assert stage.control(PEDAL_TO, 0.0, 100) == []
    assert (stage.voice.next_due_ns, stage.voice.busy) == (160 * MS, True)
    stage.voice.add(Strike(0, 100 * MS, 100 * MS, 0.5, 0, 1, 1))
    assert stage.go_on(159) == []
    assert stage.go_on(160) == [control(10, 4, 0), note_on(10, 42, 64)]
    assert stage.voice.next_due_ns == 240 * MS  # the note's end


def test_values_that_follow_each_other_faster_than_the_delay_all_arrive_in_their_time() -> None:
    stage = Stage(delay_ms=60)
    for at_ms in range(0, 100, 10):
        stage.voice.control(VOLUME, 0, at_ms / 100, at_ms * MS)
    sent = {at_ms: stage.go_on(at_ms) for at_ms in range(60, 160, 10)}
    assert sent == {at_ms: [control(10, 7, round(127 * (at_ms - 60) / 100))] for at_ms in range(60, 160, 10)}


def test_of_values_that_are_due_at_once_only_the_newest_goes_out() -> None:
    stage = Stage(delay_ms=60)
    for at_ms, value in ((0, 0.1), (10, 0.9), (20, 0.3)):
        stage.voice.control(VOLUME, 0, value, at_ms * MS)
    assert stage.go_on(75) == [control(10, 7, 114)]
    assert stage.go_on(500) == [control(10, 7, 38)]


def test_a_value_that_came_back_to_what_was_sent_is_not_sent() -> None:
    stage = Stage(delay_ms=60)
    stage.control(VOLUME, 0.5, 0)
    assert stage.go_on(60) == [control(10, 7, 64)]
    for at_ms, value in ((100, 0.9), (110, 0.5)):
        stage.voice.control(VOLUME, 0, value, at_ms * MS)
    assert stage.go_on(500) == []


def test_with_a_smaller_delay_a_later_value_overtakes_those_that_wait() -> None:
    stage = Stage(delay_ms=60)
    stage.voice.control(VOLUME, 0, 0.1, 0)
    stage.voice.delay_ns = 20 * MS
    stage.voice.control(VOLUME, 0, 0.9, 10 * MS)
    assert stage.go_on(30) == [control(10, 7, 114)]
    assert stage.go_on(500) == []


def test_two_gestures_that_set_one_controller_share_it() -> None:
    one, two = (kit(name, 1, {"turn": controlled({"controller": 1})}) for name in ("one", "two"))
    stage = Stage(one, two)
    assert [stage.control(number, 0.5) for number in (1, 2)] == [[control(1, 1, 64)], []]


def test_silence_leaves_controllers_and_wheels_as_they_are() -> None:
    stage = Stage(delay_ms=60)
    stage.control(PITCH, 1.0, 0)
    stage.go_on(60)
    stage.voice.control(VOLUME, 0, 1.0, 100 * MS)
    before = len(stage.output.sent)
    stage.voice.silence()
    assert stage.output.sent[before:] == []
    assert stage.go_on(160) == [control(10, 7, 127)]


@pytest.mark.parametrize(("value", "sent"), [(1.0, [pitch_bend(1, CENTRE)]), (0.5, [])])
def test_closing_lets_go_of_the_wheels_that_are_turned(value: float, sent: list[bytes]) -> None:
    stage = Stage(delay_ms=60)
    stage.control(PITCH, value, 0)
    stage.go_on(60)
    stage.voice.control(VOLUME, 0, 1.0, 100 * MS)
    before = len(stage.output.sent)
    stage.voice.close()
    stage.voice.close()
    assert [message for _, message in stage.output.sent[before:]] == sent


def test_opening_tells_every_wheels_range_and_centres_it() -> None:
    stage = Stage(channels=[None, 5])
    wheels = {1: 12, 4: 2, 5: 12}
    assert stage.opening == [
        message
        for channel, semitones in wheels.items()
        for message in (*bend_range(channel, semitones), pitch_bend(channel, CENTRE))
    ]
    before = len(stage.output.sent)
    stage.ns += AGAIN_NS[0]
    stage.voice.repeat()
    assert [message for _, message in stage.output.sent[before:]] == [
        message for wheel in wheels.items() for message in bend_range(*wheel)
    ]


def test_a_wheel_that_another_gesture_bends_by_another_range_is_told_so_first() -> None:
    stage = Stage()
    assert stage.control(VIBRATO_TO, 1.0) == [*bend_range(1, 2), pitch_bend(1, 16383)]
    assert stage.control(VIBRATO_TO, 0.0) == [pitch_bend(1, 0)]
    assert stage.control(PITCH, 1.0) == [*bend_range(1, 12), pitch_bend(1, 16383)]


def test_a_kit_without_wheels_says_nothing_at_the_opening() -> None:
    assert Stage(DRUMS).opening == []


# -- OSC addresses --


def test_an_address_that_no_output_takes_stops_the_opening(tmp_path: Path) -> None:
    file = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    with pytest.raises(UsageError) as refused:
        Voice([file], [DRUMS, THEREMIN], now_ns=lambda: 0).open()
    assert str(refused.value) == (
        "kit 'theremin': gesture 'filter' sets the OSC address /filter, and no output takes it; add "
        "osc:HOST:PORT to midi.outputs, or have it set a controller"
    )
    assert list(tmp_path.iterdir()) == []
    for voice in (
        Voice([file], [DRUMS], now_ns=lambda: 0),
        Voice([file], [THEREMIN], now_ns=lambda: 0, needs_osc=False),
    ):
        voice.open()
        voice.control(2, 0, 0.5, 0)
        voice.advance(0)
        voice.close()


def test_values_go_to_those_that_take_them_and_messages_to_all(tmp_path: Path) -> None:
    file, memory = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid"))), MemoryOutput()
    voice = Voice([file, memory], [DRUMS, THEREMIN], now_ns=lambda: 0)
    voice.open()
    voice.control(FILTER, 0, 0.25, 0)
    voice.control(VOLUME, 0, 0.25, 0)
    voice.advance(0)
    voice.close()
    assert memory.values == [("/filter", 0.25)]
    assert control(10, 7, 32) in [message for _, message in memory.sent]


def test_an_output_that_is_lost_with_a_value_is_named_once_and_the_other_plays_on() -> None:
    bad, good = MemoryOutput(), MemoryOutput()
    voice = Voice([bad, good], [THEREMIN], now_ns=lambda: 0)
    voice.open()
    bad.fail_after(0)
    for value in (0.25, 0.75):
        voice.control(2, 0, value, 0)
        voice.advance(0)
    with pytest.raises(PortLostError, match="memory: is lost"):
        voice.check()
    voice.check()
    assert [value for _, value in good.values] == [0.25, 0.75]
    assert bad.values == []


values = st.lists(
    st.tuples(st.sampled_from([VOLUME, FIXED, PITCH, VIBRATO_TO]), st.floats(0, 1), st.integers(0, 30)),
    max_size=60,
)


@given(values, st.integers(-50, 100))
def test_in_the_end_every_target_has_its_newest_value(
    plan: list[tuple[int, float, int]], delay_ms: int
) -> None:
    stage = Stage(delay_ms=delay_ms)
    at_ms, newest = 1000, {}
    for number, value, gap_ms in plan:
        at_ms += 1 + gap_ms
        stage.control(number, value, at_ms)
        newest["wheel" if number in (PITCH, VIBRATO_TO) else number] = value
    stage.go_on(at_ms + 1000)
    assert stage.voice.next_due_ns is None
    last: dict[bytes, bytes] = {}
    for _, message in stage.output.sent:
        last[message[:1] if message[0] & 0xF0 == 0xE0 else message[:2]] = message
    expected = {
        VOLUME: lambda value: control(10, 7, round(127 * value)),
        FIXED: lambda value: control(3, 11, round(127 * value)),
        "wheel": lambda value: pitch_bend(1, min(round(16384 * value), 16383)),
    }
    assert {expected[number](value) for number, value in newest.items()} <= set(last.values())


def test_a_target_that_nobody_collects_from_stays_small() -> None:
    stage = Stage(delay_ms=500)
    for at_ms in range(10_000):
        stage.voice.control(FILTER, 0, at_ms / 10_000, at_ms * MS)
    before = len(stage.output.values)
    for at_ms in range(11_000):
        stage.go_on(at_ms)
    assert len(stage.output.values) - before == MAX_WAITING
    assert stage.output.values[-1] == ("/filter", 0.9999)


def test_an_output_that_comes_later_gets_every_wheel_where_it_is() -> None:
    stage = Stage()
    stage.control(PITCH, 1.0)
    lost, late = stage.output, MemoryOutput()
    lost.unplug()
    stage.voice.look()
    late.open()
    stage.voice.replace(0, late)
    wheels = [message for _, message in late.sent if message[0] & 0xF0 == 0xE0]
    assert sorted(wheels) == [pitch_bend(1, 16383), pitch_bend(4, CENTRE)]
