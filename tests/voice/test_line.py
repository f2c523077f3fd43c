"""The serial line's own arithmetic: running status, how far ahead of the wire it is written, and what is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.voice.line import AHEAD, MAX_WAITING, STATUS_NS, Line
from lalelu.voice.message import (
    CENTRE,
    CLOCK,
    all_notes_off,
    bend_range,
    control,
    note_off,
    note_on,
    pitch_bend,
)

BYTE_NS = 320_000  # 10 bits at 31250 a second
MS = 1_000_000


class Wire:
    """A UART at the line's end, with the kernel's buffer before it; `bytes` have each the time at which it is over."""

    def __init__(self, baud=31250, real_baud=None):
        self.line = Line(baud)
        self._byte_ns = round(1e10 / (real_baud or baud))
        self._buffered = bytearray()
        self._busy_ns = 0
        self.sent = []  # (when its last bit is out, byte)
        self.deepest = 0

    def run(self, until_ns):
        """Let the line's owner wake whenever it is due, until `until_ns`."""
        while (at_ns := self.line.next_ns) is not None and at_ns <= until_ns:
            self.write(max(at_ns, 0))
        self._shift(until_ns)

    def write(self, at_ns):
        self._shift(at_ns)
        data = self.line.take(at_ns, len(self._buffered))
        assert data or self.line.next_ns is None or self.line.next_ns > at_ns, "it would wake again at once"
        if not self._buffered:
            self._busy_ns = max(self._busy_ns, at_ns)
        self._buffered += data
        self.deepest = max(self.deepest, len(self._buffered))
        self.line.wrote(len(data), at_ns)

    def _shift(self, until_ns):
        while self._buffered and self._busy_ns + self._byte_ns <= until_ns:
            self._busy_ns += self._byte_ns
            self.sent.append((self._busy_ns, self._buffered.pop(0)))

    @property
    def bytes(self):
        return bytes(byte for _, byte in self.sent)


def sent(*messages, at_ns=0):
    wire = Wire()
    for message in messages:
        wire.line.add(message)
    wire.run(at_ns + 10_000 * MS)
    return wire.bytes


def test_a_byte_takes_320_microseconds_at_31250_baud():
    assert Line(31250).byte_ns == BYTE_NS
    wire = Wire()
    wire.line.add(note_on(10, 38, 100))
    wire.line.add(note_on(10, 42, 90))
    wire.run(1000 * MS)
    assert [at_ns for at_ns, _ in wire.sent] == [BYTE_NS * count for count in range(1, 6)]  # 3 bytes, then 2


def test_a_status_byte_that_the_line_has_is_left_out_and_a_notes_end_is_velocity_0():
    assert sent(note_on(10, 38, 100), note_off(10, 38), note_on(10, 42, 90)) == bytes(
        (0x99, 38, 100, 38, 0, 42, 90)
    )
    assert sent(note_on(1, 60, 1), note_on(2, 60, 1), control(2, 4, 9), control(2, 5, 9)) == bytes(
        (0x90, 60, 1, 0x91, 60, 1, 0xB1, 4, 9, 5, 9)
    )
    assert sent(bytes((0x80, 60, 64))) == bytes((0x80, 60, 64))  # a release velocity would be lost


def test_the_status_is_sent_again_after_a_second_and_after_a_message_without_channel():
    wire = Wire()
    for at_ns in (0, STATUS_NS - 1, STATUS_NS, STATUS_NS + 1):
        wire.line.add(note_on(10, 38, 1))
        wire.write(at_ns)
    wire.run(3 * STATUS_NS)
    assert wire.bytes == bytes((0x99, 38, 1, 38, 1, 0x99, 38, 1, 38, 1))
    assert sent(note_on(10, 38, 1), bytes((0xF3, 1)), note_on(10, 38, 1)) == bytes(
        (0x99, 38, 1, 0xF3, 1, 0x99, 38, 1)
    )


def test_the_clock_goes_before_what_waits_and_keeps_the_running_status():
    wire = Wire()
    for number in range(20):
        wire.line.add(note_on(10, number, 1))
    wire.write(0)  # the first 12 bytes
    wire.line.add(CLOCK)
    wire.run(100 * MS)
    assert wire.bytes.index(CLOCK) == AHEAD
    assert wire.bytes.replace(CLOCK, b"") == b"\x99" + b"".join(bytes((number, 1)) for number in range(20))


@pytest.mark.parametrize("real_baud", [31250, 25000])
def test_the_kernel_never_holds_more_than_4_ms_and_the_wire_never_rests(real_baud):
    wire = Wire(real_baud=real_baud)
    for number in range(100):
        wire.line.add(note_on(1 + number % 16, number, 1))
    wire.run(2000 * MS)
    assert len(wire.bytes) == 300
    assert wire.deepest <= AHEAD
    times = [at_ns for at_ns, _ in wire.sent]
    assert times[-1] <= 300 * 1e10 / real_baud * 1.02


def test_a_controllers_newest_value_takes_the_waiting_ones_place_but_a_parameters_order_stays():
    wire = Wire()
    wire.line.add(note_on(1, 60, 1))
    for value in range(100):
        wire.line.add(control(1, 74, value))
        wire.line.add(control(1, 75, value))
        wire.line.add(pitch_bend(1, CENTRE + value))
    wire.run(1000 * MS)
    assert wire.bytes == bytes((0x90, 60, 1, 0xB0, 74, 99, 75, 99, 0xE0, 99, 64))
    messages = [*bend_range(1, 2), *bend_range(1, 12), pitch_bend(1, 5)]
    data = b"".join(message[1:] for message in messages[:-1])
    assert sent(*messages) == bytes((0xB0, *data, 0xE0, 5, 0))


def test_a_stuck_line_leaves_out_controllers_then_strokes_and_no_notes_end():
    line = Line(31250)
    for number in range(MAX_WAITING):
        line.add(note_on(1 + number % 16, 2 * (number // 16), 1))
        line.add(bytes((0xC0, number % 128)))  # programs: none replaces another
        line.add(CLOCK)
    assert line.dropped > MAX_WAITING
    ends = [note_off(1 + number % 16, number // 16) for number in range(64)]
    for end in [*ends, *ends]:
        line.add(end)
    line.add(all_notes_off(10))
    before = line.dropped
    line.add(note_on(1, 1, 1))
    line.add(control(1, 7, 1))
    assert line.dropped == before + 2
    data = bytearray()
    at_ns = 0
    while line.next_ns is not None:
        at_ns += 10 * MS
        data += (taken := line.take(at_ns))
        line.wrote(len(taken), at_ns)
    heard = list(parsed(bytes(data)))
    assert [message for message in heard if message in ends] == ends  # each once
    assert heard[-1] == all_notes_off(10)


def test_of_a_clock_that_finds_the_line_stuck_one_tick_waits():
    line = Line(31250)
    for _ in range(1000):
        line.add(CLOCK)
    assert (line.dropped, line.take(0)) == (999, CLOCK)


def test_the_end_of_a_channel_is_no_repetition_where_a_note_of_it_begins_between():
    line = Line(31250)
    line.add(all_notes_off(1))
    line.add(note_on(1, 60, 1))
    for number in range(MAX_WAITING):
        line.add(note_on(2, number % 128, 1))
    before = line.dropped
    line.add(all_notes_off(1))
    assert line.dropped == before
    line.add(all_notes_off(1))
    assert line.dropped == before + 1


def test_a_kernel_that_takes_nothing_is_asked_again_when_its_buffer_may_have_room():
    line = Line(31250)
    line.add(note_on(10, 38, 1))
    assert line.take(0)
    line.wrote(0, 0)
    assert line.next_ns == (12 - 6) * BYTE_NS
    assert line.take(line.next_ns) == note_on(10, 38, 1)


def parsed(data):
    """What a synth understands: whole messages, a velocity of 0 as a note's end."""
    status, waiting = 0, []
    for byte in data:
        if byte >= 0xF8:
            yield bytes((byte,))
        elif byte >= 0x80:
            status, waiting = byte, []
        else:
            waiting.append(byte)
            if len(waiting) == (1 if status & 0xF0 in (0xC0, 0xD0) else 2):
                ends = status & 0xF0 == 0x90 and waiting[1] == 0
                yield bytes((status - 0x10 if ends else status, *waiting))
                waiting = []


NOTES = st.tuples(st.integers(1, 3), st.integers(0, 5), st.booleans())


@settings(deadline=None)
@given(st.lists(st.tuples(NOTES, st.integers(0, 2000 * MS)), max_size=60))
def test_whatever_is_played_arrives_whole_in_order_and_at_the_lines_pace(plan):
    wire = Wire()
    messages = []
    for (channel, note, begins), at_ns in sorted(plan, key=lambda each: each[1]):
        wire.run(at_ns)
        messages.append(note_on(channel, note, 64) if begins else note_off(channel, note))
        wire.line.add(messages[-1])
        if wire.line.next_ns <= at_ns:
            wire.write(at_ns)
    wire.run(10_000 * MS)
    assert list(parsed(wire.bytes)) == messages
    assert wire.line.dropped == 0
