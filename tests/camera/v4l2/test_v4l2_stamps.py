"""Time and number of frames, from what drivers say."""

import pytest
import videodev2 as v4l2
from hypothesis import given
from hypothesis import strategies as st

from lalelu.camera.v4l2.stamps import Counter, Stamping, moment_of

MONOTONIC = v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
STARTS = v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_SOE
PERIOD_NS = 10_000_000


@pytest.mark.parametrize(
    ("flags", "lag_ms", "driver", "asked", "moment"),
    [
        (MONOTONIC, 12, "bcm2835", "auto", "eof"),
        (MONOTONIC | STARTS, 12, "bcm2835", "auto", "soe"),
        (MONOTONIC | STARTS, 12, "uvcvideo", "auto", "packet"),
        (MONOTONIC | STARTS, 12, "uvcvideo", "soe", "soe"),
        (MONOTONIC, 12, "uvcvideo", "eof", "eof"),
        (0, 12, "uvcvideo", "auto", "arrival"),
        (v4l2.V4L2_BUF_FLAG_TIMESTAMP_COPY | STARTS, 12, "loopback", "auto", "arrival"),
        (MONOTONIC, 12_000, "liar", "auto", "arrival"),
        (MONOTONIC, -1, "liar", "auto", "arrival"),
    ],
)
def test_a_stamp_means_what_the_driver_says_unless_it_is_known_better(flags, lag_ms, driver, asked, moment):
    assert moment_of(flags, lag_ms * 1_000_000, driver, asked) == moment


@pytest.mark.parametrize(("moment", "stamp_ms"), [("soe", 0), ("packet", 4), ("eof", 14), ("arrival", 14)])
def test_every_stamp_leads_to_the_middle_of_the_middle_rows_exposure(moment, stamp_ms):
    # 4 ms of exposure a row, read out from 4 ms (first row) to 14 ms (last): the middle row sees from 5 to 9 ms
    assert stamp_ms * 1_000_000 + Stamping(moment, 4.0, 10.0).shift_ns == 7_000_000


def test_an_unknown_exposure_is_counted_as_none_and_the_facts_say_so():
    stamping = Stamping("eof", None, 0.0)
    assert stamping.shift_ns == 0
    assert "exposure is not known" in stamping.words
    assert "set exposure_ms" in stamping.words


def started(shift="eof"):
    counter = Counter()
    counter.start(Stamping(shift, 5.0, 0.0), PERIOD_NS)
    return counter


def test_gaps_in_the_sequence_are_frames_that_nobody_took():
    counter = started()
    seen = [
        (counter.count(n, n * PERIOD_NS, n * PERIOD_NS + 1), counter.seq) for n in (40, 41, 42, 45, 46, 50)
    ]
    assert seen == [(0, 0), (0, 1), (0, 2), (2, 5), (0, 6), (3, 10)]


def test_the_sequence_goes_on_over_its_wrap():
    counter = started()
    top = (1 << 32) - 2
    seen = [
        (counter.count((top + n) % (1 << 32), n * PERIOD_NS + 10**12, n * PERIOD_NS + 10**12), counter.seq)
        for n in (0, 1, 2, 4)
    ]
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 4)]


@pytest.mark.parametrize("numbers", [[0] * 5, [7] * 5, [9, 8, 7, 6, 5]], ids=["zero", "same", "backwards"])
def test_numbers_that_say_nothing_are_replaced_by_the_times(numbers):
    counter = started()
    times = [
        10**12 + n * PERIOD_NS + jitter for n, jitter in ((0, 0), (1, 2_000_000), (2, 0), (6, 0), (7, 0))
    ]
    seen = [
        (counter.count(number, time, time), counter.seq) for number, time in zip(numbers, times, strict=True)
    ]
    assert seen == [(0, 0), (0, 1), (0, 2), (3, 6), (0, 7)]


def test_a_new_stream_goes_on_counting_and_charges_nobody_with_the_pause():
    counter = started()
    counter.count(5, 10**12, 10**12)
    counter.start(Stamping("eof", 5.0, 0.0), PERIOD_NS)
    assert counter.count(900, 2 * 10**12, 2 * 10**12) == 0
    assert counter.seq == 1


frames = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62)),
    min_size=2,
    max_size=20,
)


@given(frames, st.sampled_from(["soe", "packet", "eof", "arrival"]))
def test_whatever_a_driver_says_numbers_and_times_only_grow(told, moment):
    counter = started(moment)
    before = (-1, 0)
    for number, stamp, arrived in told:
        skipped = counter.count(number, stamp, arrived)
        assert skipped >= 0
        assert counter.seq == before[0] + skipped + 1
        assert counter.captured_ns > before[1]
        before = (counter.seq, counter.captured_ns)
