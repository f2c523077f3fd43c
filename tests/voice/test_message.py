from collections.abc import Callable

import mido
import pytest

from lalelu.errors import UsageError
from lalelu.voice.message import CENTRE, CLOCK, bend_range, control, note_off, note_on, pitch_bend


@pytest.mark.parametrize("channel", [1, 10, 16])
def test_messages_read_back_as_an_independent_reader_reads_them(channel: int) -> None:
    messages = [
        (note_on(channel, 38, 127), mido.Message("note_on", channel=channel - 1, note=38, velocity=127)),
        (note_off(channel, 0), mido.Message("note_off", channel=channel - 1, note=0, velocity=0)),
        (pitch_bend(channel, 0), mido.Message("pitchwheel", channel=channel - 1, pitch=-8192)),
        (pitch_bend(channel, CENTRE), mido.Message("pitchwheel", channel=channel - 1, pitch=0)),
        (pitch_bend(channel, CENTRE + 129), mido.Message("pitchwheel", channel=channel - 1, pitch=129)),
        (pitch_bend(channel, 16383), mido.Message("pitchwheel", channel=channel - 1, pitch=8191)),
        (CLOCK, mido.Message("clock")),
        (control(channel, 4, 90), mido.Message("control_change", channel=channel - 1, control=4, value=90)),
    ]
    for made, expected in messages:
        assert mido.Message.from_bytes(made) == expected


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: note_on(0, 38, 1), "channel is 0; use 1..16"),
        (lambda: note_on(17, 38, 1), "channel is 17; use 1..16"),
        (lambda: note_on(1, 128, 1), "note is 128; use 0..127"),
        (lambda: note_off(1, -1), "note is -1; use 0..127"),
        (lambda: note_on(1, 38, 128), "velocity is 128; use 0..127"),
        (lambda: note_on(1, 38, 0), "a note-off; use 1..127"),
        (lambda: control(1, 4, 128), "value is 128; use 0..127"),
        (lambda: pitch_bend(1, 16384), "pitch bend is 16384; use 0..16383"),
        (lambda: pitch_bend(1, -1), "pitch bend is -1; use 0..16383"),
        (lambda: pitch_bend(0, 1), "channel is 0; use 1..16"),
        (lambda: bend_range(1, 128), "value is 128; use 0..127"),
    ],
)
def test_values_out_of_range_are_refused_with_the_range(make: Callable[[], bytes], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


def test_the_wheels_range_is_registered_parameter_0_and_then_closed() -> None:
    told = [(message[0], message[1], message[2]) for message in bend_range(3, 12)]
    numbers = [(101, 0), (100, 0), (6, 12), (38, 0), (101, 127), (100, 127)]
    assert told == [(0xB2, controller, value) for controller, value in numbers]
