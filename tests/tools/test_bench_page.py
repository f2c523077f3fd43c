"""What the page's benchmark makes of rows."""

import numpy as np
import pytest
from desk.players import Leader, Players


@pytest.fixture
def bench_page(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import bench_page

    return bench_page


def test_a_note_counts_from_its_frame_s_arrival_and_only_rows_since_the_last_call_count(tmp_path, bench_page):
    with Leader(tmp_path / "led") as leader:
        players = Players(leader.session)
        players.frame(0)
        rows = bench_page.Rows(leader.session)
        for frame in range(1, 7):
            players.frame(frame)
        frame_ms, note_ms = rows.latencies_ms()
    assert np.allclose(frame_ms, 6e-6)  # a stamp a nanosecond
    assert len(frame_ms) == 6
    assert len(note_ms) == 2  # the stand-ins' notes have the numbers 1 and 2, as frames have


def test_the_table_has_a_row_for_each_condition(bench_page):
    told = bench_page.figures(np.arange(101.0), np.zeros(0))
    assert (told["frames"], told["frame_p50_ms"], told["frame_p99_ms"]) == (101, 50.0, 99.0)
    lines = bench_page.table({"nobody looks": told, "1 page": told}).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| nobody looks | 101 | 0 | 50 | 99 | nan")
