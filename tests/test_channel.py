import time

import pytest
from ring_players import (
    RECORD_BYTES,
    killed,
    killed_in_the_middle,
    number_of,
    read,
    record,
    show,
    started,
    told,
    value,
    write,
)

from lalelu.channel import BoardReader, BoardWriter, RingReader, RingWriter, create_board, create_ring
from lalelu.errors import LaleluError, MissingError

KILLS = 30


@pytest.fixture
def ring(tmp_path):
    path = tmp_path / "ring"
    create_ring(path, RECORD_BYTES, 64)
    return path


def test_what_is_written_is_read_in_order_and_once(ring):
    writer, reader = RingWriter(ring), RingReader(ring)
    for number in range(20):
        writer.write(record(number))
    first = reader.read(0, most=15)
    second = reader.read(first.next)
    assert [number_of(data) for data in first.records + second.records] == list(range(20))
    assert (first.lost, second.lost, second.next) == (0, 0, 20)
    assert reader.read(second.next) == ([], 20, 0)


@pytest.mark.parametrize("written", [63, 64, 65, 1000])
def test_a_reader_that_was_too_slow_learns_exactly_how_many_records_are_gone(ring, written):
    writer, reader = RingWriter(ring), RingReader(ring)
    for number in range(written):
        writer.write(record(number))
    batch = reader.read(0)
    kept = min(written, 63)  # the slot that the writer fills next is never read
    assert [number_of(data) for data in batch.records] == list(range(written - kept, written))
    assert (batch.lost, batch.next) == (written - kept, written)


def test_the_newest_records_are_there_without_reading_the_others(ring):
    writer, reader = RingWriter(ring), RingReader(ring)
    assert reader.newest(3) == []
    for number in range(100):
        writer.write(record(number))
    assert [number_of(data) for data in reader.newest(3)] == [97, 98, 99]
    assert len(reader.newest(1000)) == 63


def test_a_new_writer_goes_on_where_the_one_before_stopped(ring):
    for number in range(100):
        RingWriter(ring).write(record(number))
    assert [number_of(data) for data in RingReader(ring).newest(2)] == [98, 99]


def test_a_reader_that_is_ahead_of_the_ring_waits_and_loses_nothing(ring):
    RingWriter(ring).write(record(0))
    assert RingReader(ring).read(5) == ([], 5, 0)


def test_a_record_of_another_size_is_refused_and_leaves_no_trace(ring):
    writer = RingWriter(ring)
    with pytest.raises(ValueError, match="a record has 80 bytes, not 81"):
        writer.write(bytes(81))
    assert RingReader(ring).head == 0
    with pytest.raises(ValueError, match="multiple of 8"):
        create_ring(ring.with_name("odd"), 81, 4)


def test_a_slot_that_is_half_written_is_not_taken_for_a_record(ring):
    writer, reader = RingWriter(ring), RingReader(ring)
    for number in range(64):
        writer.write(record(number))
    with ring.open("r+b") as file:  # as a writer does that is killed in the middle of record 64
        file.seek(128)
        file.write((65).to_bytes(8, "little") + record(64)[:40])
    batch = reader.read(0)
    assert [number_of(data) for data in batch.records] == list(range(1, 64))
    RingWriter(ring).write(record(64))
    assert [number_of(data) for data in reader.read(batch.next).records] == [64]


def test_records_are_whole_and_in_order_while_the_writer_writes_as_fast_as_it_can(tmp_path):
    path = tmp_path / "ring"
    create_ring(path, RECORD_BYTES, 4096)
    readers = [started("read", path) for _ in range(2)]
    writer = started("write", path, 2.0)
    assert writer.wait() == 0
    killed(writer)
    head = RingReader(path).head
    assert head > 10_000
    for reader in readers:
        counted = told(reader)
        assert (counted["torn"], counted["disorder"], counted["backwards"]) == (0, 0, 0)
        assert counted["read"] > 0
        assert counted["read"] + counted["lost"] == counted["next"] == head


def test_a_writer_that_is_killed_at_any_moment_leaves_a_ring_to_go_on_with(ring):
    reader = started("read", ring)
    heads = [0]
    for _ in range(KILLS):
        killed_in_the_middle(write, ring)
        heads.append(RingReader(ring).head)
        newest = [number_of(data) for data in RingReader(ring).newest(10)]
        assert newest == list(range(heads[-1] - len(newest), heads[-1]))
    assert heads[-1] > KILLS
    counted = told(reader)
    assert heads == sorted(heads)
    assert (counted["torn"], counted["disorder"], counted["backwards"]) == (0, 0, 0)
    assert counted["read"] + counted["lost"] == counted["next"] == heads[-1]


def test_a_reader_that_is_killed_at_any_moment_is_not_noticed_by_the_writer(ring):
    writer = started("write", ring)
    for _ in range(KILLS):
        killed_in_the_middle(read, ring)
    before = RingReader(ring).head
    reader = started("read", ring)
    while RingReader(ring).head == before:
        time.sleep(0.001)
    killed(writer)
    counted = told(reader)
    assert (counted["torn"], counted["disorder"]) == (0, 0)
    assert counted["next"] == RingReader(ring).head


def test_a_board_shows_whole_values_whenever_its_writer_is_killed(tmp_path):
    path = tmp_path / "board"
    create_board(path)
    reader = BoardReader(path)
    changes = [0]
    for _ in range(KILLS):
        killed_in_the_middle(show, path)
        shown = reader.value()
        assert shown == ({} if reader.changes == 0 else value(shown["number"]))
        changes.append(reader.changes)
    assert changes == sorted(changes)
    assert changes[-1] > KILLS
    assert BoardReader(path).value() == value(BoardReader(path).value()["number"])


def test_a_board_is_empty_at_first_and_then_shows_the_newest_value(tmp_path):
    create_board(tmp_path / "board")
    reader = BoardReader(tmp_path / "board")
    assert (reader.value(), reader.changes) == ({}, 0)
    writer = BoardWriter(tmp_path / "board")
    for number in range(10):
        writer.show({"number": number, "name": "Pauke für links"})
    assert reader.value() == {"number": 9, "name": "Pauke für links"}
    assert reader.changes == 10
    with pytest.raises(ValueError, match="a board shows up to"):
        writer.show({"text": "x" * 70_000})
    assert reader.value()["number"] == 9


def damaged(path, how):
    data = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "short": data[:10],
            "truncated": data[:-1],
            "longer": data + b"x",
            "other": b"x" * len(data),
            "no slots": data[:12] + bytes(4) + data[16:],
            "odd records": data[:8] + (81).to_bytes(4, "little") + data[12:],
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "short", "truncated", "longer", "other", "no slots", "odd records"])
@pytest.mark.parametrize("kind", [RingReader, RingWriter, BoardReader, BoardWriter])
def test_a_file_that_is_no_channel_is_refused_in_a_sentence(ring, kind, how):
    damaged(ring, how)
    with pytest.raises(LaleluError, match=r"ring.*start lalelu again"):
        kind(ring)


def test_a_missing_channel_and_one_without_room_are_told_in_a_sentence(tmp_path):
    with pytest.raises(LaleluError, match="No such file"):
        RingReader(tmp_path / "ring")
    with pytest.raises(MissingError, match="cannot be made"):
        create_ring(tmp_path / "no folder" / "ring", 8, 8)
    with pytest.raises(MissingError, match="set XDG_RUNTIME_DIR"):
        create_ring(tmp_path / "vast", 1 << 20, 1 << 30)


def test_a_reader_cannot_change_what_it_reads(ring):
    RingWriter(ring).write(record(0))
    ring.chmod(0o400)
    reader = RingReader(ring)
    with pytest.raises(TypeError, match=r"readonly|read-only"):
        reader._map[0:1] = b"x"
    assert number_of(reader.read(0).records[0]) == 0
