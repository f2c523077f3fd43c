"""Choke groups and the notes' own lengths: what one pad's hit does to another pad's sound."""

from collections.abc import Callable

import pytest

from lalelu.config.kit import KitConfig
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.sounding import SoundingTable
from lalelu.voice.voice import Strike, Voice

MS = 1_000_000
BOX = {"box": (-1.0, -1.0, 1.0, 1.0)}
PADS = {
    "open": {"zone": BOX, "note": [46, 60], "choke": "hat", "note_ms": 400},
    "closed": {"zone": BOX, "note": 42, "choke": "hat"},
    "edge": {"zone": BOX, "note": [46, 42], "choke": "hat"},
    "crash": {"zone": BOX, "note": 49, "choke": "crash", "note_ms": 5},
    "grab": {"zone": BOX, "note": 55, "choke": "crash", "channel": 2},
    "snare": {"zone": BOX, "note": 38},
}
KIT = KitConfig.model_validate({"name": "choking", "note_ms": 50, "pads": PADS})


class Stage:
    """A voice on a memory output, with a clock that is set."""

    def __init__(self) -> None:
        self.ns = 0
        self.output = MemoryOutput()
        self.table = SoundingTable(None)
        self.voice = Voice([self.output], [KIT], now_ns=lambda: self.ns, table=self.table)
        self.voice.open()

    def hit(self, pad: str, at_ms: int = 0) -> list[bytes]:
        """What is sent when `pad` is hit at `at_ms`, strength 0.5."""
        self.ns = at_ms * MS
        self.voice.add(Strike(0, self.ns, self.ns, 0.5, 0, 10, 1 + list(PADS).index(pad)))
        return self.go_on(at_ms)

    def go_on(self, at_ms: int) -> list[bytes]:
        """What is sent at `at_ms`."""
        self.ns = at_ms * MS
        before = len(self.output.sent)
        self.voice.advance(self.ns)
        return [message for _, message in self.output.sent[before:]]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_closed_hi_hat_ends_the_open_one_before_it_sounds(stage: Stage) -> None:
    assert stage.hit("open") == [note_on(10, 46, 64), note_on(10, 60, 64)]
    assert stage.hit("closed", 10) == [note_off(10, 46), note_off(10, 60), note_on(10, 42, 64)]
    assert stage.table.left() == ((10, 42),)
    assert stage.voice.sounding == ((10, 42),)
    assert stage.go_on(500) == [note_off(10, 42)]  # and what was choked is not ended again


def test_what_does_not_sound_and_what_is_in_no_group_is_left_alone(stage: Stage) -> None:
    stage.hit("snare")
    stage.hit("crash")
    assert stage.hit("closed", 1) == [note_on(10, 42, 64)]
    assert stage.hit("snare", 2) == [note_off(10, 38), note_on(10, 38, 64)]


def test_a_cymbal_is_grabbed_across_channels(stage: Stage) -> None:
    stage.hit("crash")
    assert stage.hit("grab", 1) == [note_off(10, 49), note_on(2, 55, 64)]
    assert stage.hit("crash", 2) == [note_off(2, 55), note_on(10, 49, 64)]


def test_a_pad_s_own_notes_are_struck_again_and_not_choked(stage: Stage) -> None:
    stage.hit("open")
    again = stage.hit("edge", 1)
    # 60 is the open one's alone; 46 is of both and ends as any note that is struck again
    assert again == [note_off(10, 60), note_off(10, 46), note_on(10, 46, 64), note_on(10, 42, 64)]


def test_each_pad_s_notes_last_as_long_as_it_says(stage: Stage) -> None:
    for pad in ("open", "crash", "snare"):
        stage.hit(pad)
    ends = {at_ms: stage.go_on(at_ms) for at_ms in (4, 5, 49, 50, 399, 400)}
    assert ends == {
        4: [],
        5: [note_off(10, 49)],
        49: [],
        50: [note_off(10, 38)],
        399: [],
        400: [note_off(10, 46), note_off(10, 60)],
    }


def test_without_groups_nothing_is_choked() -> None:
    make: Callable[..., KitConfig] = KitConfig.model_validate
    plain = make({"name": "plain", "pads": {name: {**pad, "choke": None} for name, pad in PADS.items()}})
    output = MemoryOutput()
    voice = Voice([output], [plain], now_ns=lambda: 0)
    voice.open()
    for number in (1, 2):
        voice.add(Strike(0, 0, 0, 0.5, 0, 10, number))
    voice.advance(0)
    assert [message[0] for _, message in output.sent] == [0x99] * 3
