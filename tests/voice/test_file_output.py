from pathlib import Path

import mido
import pytest

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.voice.message import CENTRE, bend_range, control, note_off, note_on, pitch_bend
from lalelu.voice.outputs.file import MAX_MESSAGES, FileOutput, FileOutputOptions

S = 1_000_000_000


def written(path: Path) -> list[tuple[float, bytes]]:
    at_s = 0.0
    found = []
    for message in mido.MidiFile(path):
        at_s += message.time
        if not message.is_meta:
            found.append((at_s, bytes(message.bytes())))
    return found


def test_times_stay_within_a_tenth_of_a_millisecond_over_an_hour(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    start_ns = 123 * S
    plan = [(start_ns + round(i * 0.7501234567 * S), note_on(10, 38, 1 + i % 127)) for i in range(4800)]
    for at_ns, message in plan:
        output.send(message, at_ns)
    output.close()
    found = written(tmp_path / "out.mid")
    for (at_s, message), (at_ns, expected) in zip(found, plan, strict=True):
        assert message == expected
        assert abs(at_s - (at_ns - start_ns) / S) < 1e-4


def test_it_is_a_type_1_file_at_tempo_120_with_a_named_track(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    output.send(note_on(10, 38, 99), 5)
    output.close()
    midi = mido.MidiFile(tmp_path / "out.mid")
    assert (midi.type, len(midi.tracks)) == (1, 2)
    assert midi.ticks_per_beat >= 960
    assert midi.tracks[0][0] == mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(120))
    assert midi.tracks[1].name == "lalelu"
    assert midi.tracks[1][1] == mido.Message("note_on", channel=9, note=38, velocity=99)


def test_the_origin_is_time_zero_and_what_came_before_stands_there(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid"), origin_ns=0))
    output.open()
    output.send(note_on(10, 38, 99), 9 * S)
    output.send(note_off(10, 38), 12 * S)
    output.origin_ns = 10 * S  # known only once the first frame has come
    output.close()
    assert written(tmp_path / "out.mid") == [(0.0, note_on(10, 38, 99)), (2.0, note_off(10, 38))]


def test_the_file_appears_whole_at_close_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"the old one")
    output = FileOutput(FileOutputOptions(target=str(path)))
    output.open()
    output.send(note_on(10, 38, 99), 0)
    assert path.read_bytes() == b"the old one"
    output.close()
    assert written(path) == [(0.0, note_on(10, 38, 99))]
    assert list(tmp_path.iterdir()) == [path]


def test_an_earlier_file_stays_where_a_wheel_was_set_up_and_nothing_played(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"an earlier song")
    for played in ([], [control(1, 11, 64)]):
        output = FileOutput(FileOutputOptions(target=str(path)))
        output.open()
        for message in (*bend_range(1, 12), pitch_bend(1, CENTRE), *played):
            output.send(message, 5)
        output.close()
        assert (path.read_bytes() == b"an earlier song") == (not played)
    assert list(tmp_path.iterdir()) == [path]


def test_a_silent_performance_is_a_readable_file(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    output.close()
    assert written(tmp_path / "out.mid") == []


def test_a_place_that_cannot_be_written_is_refused_at_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MissingError, match="no folder"):
        FileOutput(FileOutputOptions(target=str(tmp_path / "none" / "out.mid"))).open()
    with pytest.raises(UsageError, match="is a folder"):
        FileOutput(FileOutputOptions(target=str(tmp_path))).open()
    with pytest.raises(UsageError, match="cannot be written: Not a directory"):
        FileOutput(FileOutputOptions(target=str(tmp_path / "file" / "out.mid"))).open()


def test_one_that_follows_a_killed_process_goes_on_with_what_that_kept(tmp_path: Path) -> None:
    path, keep = tmp_path / "out.mid", tmp_path / "kept"
    killed = FileOutput(FileOutputOptions(target=str(path), keep=str(keep)))
    killed.open()
    killed.send(note_on(10, 38, 99), 5 * S)
    output = FileOutput(FileOutputOptions(target=str(path), keep=str(keep)))
    output.open()
    output.send(note_off(10, 38), 7 * S)
    output.close()
    assert written(path) == [(0.0, note_on(10, 38, 99)), (2.0, note_off(10, 38))]
    with pytest.raises(LostError):  # here they are of one process, and so is the file's place
        killed.close()


def test_a_disk_that_refuses_at_close_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "going"
    folder.mkdir()
    output = FileOutput(FileOutputOptions(target=str(folder / "out.mid")))
    output.open()
    output.send(note_on(10, 38, 99), 0)
    for leftover in folder.iterdir():
        leftover.unlink()
    folder.rmdir()
    with pytest.raises(LostError, match=r"could not be written.*1 messages are lost"):
        output.close()
    output.close()


def test_a_full_file_is_a_loss_and_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lalelu.voice.outputs.file.MAX_MESSAGES", 2)
    assert MAX_MESSAGES > 1_000_000
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    output.send(note_on(10, 38, 99), 0)
    output.send(note_off(10, 38), 0)
    with pytest.raises(LostError, match="is full"):
        output.send(note_on(10, 38, 99), 0)
    output.close()
    assert len(written(tmp_path / "out.mid")) == 2


def test_what_a_killed_process_had_begun_to_write_is_cut_off(tmp_path: Path) -> None:
    path, keep = tmp_path / "out.mid", tmp_path / "kept"
    keep.write_bytes(b"\x05" * 4)
    output = FileOutput(FileOutputOptions(target=str(path), keep=str(keep)))
    output.open()
    output.send(note_on(10, 38, 99), 5 * S)
    output.close()
    assert written(path) == [(0.0, note_on(10, 38, 99))]


def test_a_kept_message_that_is_none_is_left_out_and_told(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    output.send(note_on(10, 38, 99), 0)
    output.send(b"\x90\xff\xff", 1)
    with pytest.raises(LostError, match="without 1 kept messages"):
        output.close()
    assert written(tmp_path / "out.mid") == [(0.0, note_on(10, 38, 99))]


def test_messages_that_cannot_be_kept_are_refused_at_open_and_nothing_is_left(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid"), keep=str(tmp_path)))
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        output.open()
    assert list(tmp_path.iterdir()) == []
