"""When a message is heard that was sent while a card asked for samples."""

import numpy as np
import pytest

from lalelu.voice.message import note_on
from lalelu.voice.synth.blocks import Blocks

RATE = 48_000
MS = 1_000_000
CLICK = note_on(10, 37, 127)


class Clicks:
    """Voices that sound a single sample for each message."""

    def __init__(self):
        self.waiting = 0

    def warm(self, message):
        pass

    def message(self, message):
        self.waiting += 1

    def mix(self, frames):
        block = np.zeros((frames, 2), np.float32)
        if frames and self.waiting:
            block[0] = self.waiting
            self.waiting = 0
        return block


def heard(asks, sent):
    """Return each message's delay in ms to where its sample lies, for blocks of 144 asked for at `asks` (ns)."""
    blocks = Blocks(Clicks(), RATE, 1.0)
    waiting = list(sent)
    samples = []
    for at_ns in asks:
        while waiting and waiting[0] <= at_ns:
            blocks.add(CLICK, waiting.pop(0))
        samples.append(blocks.fill(144, at_ns))
    places = np.flatnonzero(np.concatenate(samples)[:, 0])
    return np.array([1000 * place / RATE - at_ns / MS for place, at_ns in zip(places, sent, strict=True)])


SENT = [20 * MS + i * 7_310_000 for i in range(100)]


def test_every_message_is_heard_as_long_after_it_was_sent():
    delays = heard([i * 3 * MS for i in range(400)], SENT)
    assert np.ptp(delays) < 0.03  # a sample
    assert delays.mean() == pytest.approx(3.0, abs=0.03)


def test_a_card_that_asks_for_several_blocks_at_once_changes_nothing_but_the_delay():
    delays = heard([i // 4 * 12 * MS for i in range(400)], SENT)
    assert np.ptp(delays) < 0.03
    assert delays.mean() == pytest.approx(12.0, abs=0.03)


def test_a_card_that_stood_still_delays_nothing_for_longer_than_a_moment():
    asks = [i * 3 * MS + (500 * MS if i > 100 else 0) for i in range(400)]
    delays = heard(asks, [1100 * MS + i * 7_310_000 for i in range(20)])
    assert np.allclose(delays + 500, 3.0, atol=0.03)  # the card's samples are 500 ms behind the clock, too


def test_a_slow_clock_of_the_card_piles_up_no_delay():
    sent = [i * 59 * MS for i in range(1, 1000)]
    delays = heard([round(i * 3 * MS * 1.001) for i in range(20_000)], sent)  # a minute
    by_the_cards_clock = delays + 0.001 / 1.001 * np.array(sent) / MS
    assert np.ptp(by_the_cards_clock) < 0.2


def test_gain_and_full_scale_hold():
    blocks = Blocks(Clicks(), RATE, 0.25)
    blocks.add(CLICK, 0)
    assert blocks.fill(144, 0).max() == 0.0  # it is heard after what the card holds
    assert not blocks.idle
    assert blocks.fill(144, 3 * MS).max() == 0.25
    assert blocks.idle
    for _ in range(8):
        blocks.add(CLICK, 3 * MS)
    assert max(blocks.fill(144, at_ms * MS).max() for at_ms in (6, 9)) == 1.0


def counted(asks, begin=200):
    """Return the underruns and their milliseconds, for blocks of 144 asked for at `asks` (ns)."""
    blocks = Blocks(Clicks(), RATE, 1.0)
    for number, at_ns in enumerate(asks):
        if number == begin:
            blocks.underruns.begin(at_ns)
        blocks.fill(144, at_ns)
    return blocks.underruns.count, blocks.underruns.silent_ms


def test_a_card_that_has_had_nothing_to_play_is_counted_with_its_silence():
    asks = [i * 3 * MS + (20 * MS if i > 700 else 0) + (4 * MS if i > 1300 else 0) for i in range(2000)]
    assert counted(asks) == (2, pytest.approx(24.0, abs=0.1))


def test_calls_that_come_late_and_catch_up_are_no_underruns_nor_is_a_slow_clock():
    late = np.random.default_rng(1).uniform(0, 5 * MS, 4000)
    late[1000:1040] += 20 * MS
    asks = np.maximum.accumulate(np.arange(4000) * 3.0006 * MS + late).astype(int)
    assert counted(asks) == (0, 0.0)


def test_what_a_card_lacks_while_it_starts_is_not_counted():
    assert counted([i * 3 * MS + (30 * MS if i > 1 else 0) for i in range(2000)], begin=100) == (0, 0.0)
