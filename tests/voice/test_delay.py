from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lalelu.voice.delay import BAR, FIRST_MS, LOWER_MS, SHARE, WAKE_NS, WINDOW, AutoDelay, kept_delay_ms

MS = 1_000_000


def fed(*handed_ms: float, auto: AutoDelay | None = None) -> list[int]:
    """The delay after each of the hits, which reach the voice so long after their strokes."""
    auto = auto or AutoDelay()
    delays = []
    for value in handed_ms:
        before = auto.delay_ms
        assert auto.hit(round(value * MS)) == (auto.delay_ms != before)
        delays.append(auto.delay_ms)
    return delays


@given(st.lists(st.integers(0, 300 * MS), min_size=1, max_size=400))
def test_it_is_the_smallest_whole_delay_that_the_share_of_the_hits_keeps(handed_ns):
    delay_ms = kept_delay_ms(handed_ns)

    def kept(ms: int) -> int:
        return sum(value + WAKE_NS <= ms * MS for value in handed_ns)

    assert kept(delay_ms) >= SHARE * len(handed_ns)
    assert delay_ms == 0 or kept(delay_ms - 1) < SHARE * len(handed_ns)


def test_one_stray_hit_of_a_hundred_does_not_count():
    assert kept_delay_ms([40 * MS] * 99 + [90 * MS]) == 41
    assert kept_delay_ms([40 * MS] * 98 + [90 * MS] * 2) == 91


def test_without_hits_it_is_the_first_one():
    assert kept_delay_ms([]) == FIRST_MS == AutoDelay().delay_ms


def test_hits_that_are_foreseen_never_make_it_negative():
    assert kept_delay_ms([-30 * MS] * 10) == 0


def test_an_hour_that_stands_still_is_no_delay():
    assert kept_delay_ms([3_600_000 * MS]) == 500


def test_hits_that_keep_the_first_delay_leave_it_for_as_long_as_the_window_lasts():
    assert set(fed(*[40] * (WINDOW - 8))) == {FIRST_MS}


def test_it_sinks_step_by_step_after_whole_bars_to_what_the_hits_need():
    delays = fed(*[45.2] * (2 * WINDOW))
    assert delays[-1] == 46
    changes = [(n, b - a) for n, (a, b) in enumerate(pairwise(delays), 2) if a != b]
    assert {step for _, step in changes} == {-LOWER_MS}
    assert {n % BAR for n, _ in changes} == {0}


def test_two_late_hits_are_let_pass_and_a_third_raises_it_with_its_bar():
    auto = AutoDelay()
    assert set(fed(40, 80, 40, 40, 90, 40, 40, 40, auto=auto)) == {FIRST_MS}
    assert fed(100, 40, 40, 40, 40, 40, 40, 40, auto=auto) == [FIRST_MS] * 7 + [81]


def test_a_machine_that_has_become_slow_is_followed_within_two_bars():
    auto = AutoDelay()
    fed(*[45.2] * (2 * WINDOW), auto=auto)
    assert fed(*[75.2] * (2 * BAR), auto=auto)[-1] == 76


def test_it_says_what_it_is_in_one_line_that_fits_an_event():
    auto = AutoDelay()
    fed(*[75.2] * BAR, auto=auto)
    assert str(auto) == "timing: the delay is now 76 ms: 99 % of hits keep it"
    assert len(str(auto).encode()) <= 96
