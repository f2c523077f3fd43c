import pytest

from lalelu.bench.gesture import Costs, Row, table
from lalelu.bench.leads import (
    FPS,
    GROOVES,
    KIT,
    PIPELINE_MS,
    TAIL_S,
    Price,
    lead_table,
    perform,
    price,
    prices,
)
from lalelu.bench.turns import Spread
from lalelu.config.loader import load_kit

SECONDS = 8.0
PADS = load_kit(KIT, None)


@pytest.fixture(scope="module")
def performance():
    return perform(SECONDS)


def test_every_player_is_seen_in_every_frame_and_those_who_idle_play_nothing(performance):
    assert len(performance.poses) == len(GROOVES) * round((SECONDS + TAIL_S) * FPS)
    assert {hit.player for hit in performance.truth} == {
        GROOVES.index(name) for name in ("rock", "fast", "simple")
    }
    assert max(hit.time_s for hit in performance.truth) <= SECONDS


def test_a_performance_made_up_twice_is_the_same(performance):
    again = perform(SECONDS)
    assert again.truth == performance.truth
    assert [pose.xy.tobytes() for pose in again.poses] == [pose.xy.tobytes() for pose in performance.poses]


def test_without_a_lead_nothing_is_foreseen_and_nearly_all_is_found(performance):
    found = price(performance, 0.0, PADS).score
    assert found.foreseen == 0.0
    assert found.missed <= 0.05 * found.true
    assert found.false <= 0.05 * found.true
    assert found.doubles == 0
    assert found.note_delay_ms.mean > PIPELINE_MS


def test_a_lead_foresees_strokes_and_their_notes_come_earlier(performance):
    none, some = (price(performance, lead_ms, PADS).score for lead_ms in (0.0, 20.0))
    assert some.foreseen > 0.0
    assert some.note_delay_ms.mean < none.note_delay_ms.mean


def test_no_lead_asked_for_costs_nothing():
    news = []
    assert prices((), news.append) == ()
    assert news == []


def test_the_table_stands_below_the_costs_with_a_line_a_lead(performance):
    rows = (Row("1 player, 6 pads", 1, 6, 7, Spread.of([60_000] * 3)),)
    found = tuple(Price(lead_ms, price(performance, lead_ms, PADS).score) for lead_ms in (0.0, 40.0))
    shown = table(Costs(1, 0, 3, rows, Spread.of([60_000] * 3), found))
    assert shown.endswith("\n\n" + lead_table(found))
    assert [line.split("  ")[0] for line in lead_table(found).splitlines()[2:]] == ["lead 0 ms", "lead 40 ms"]
