import struct
from pathlib import Path

import mido
import numpy as np
import pytest

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.voice.message import CENTRE, CLOCK, bend_range, control, note_off, note_on, pitch_bend
from lalelu.voice.outputs.file import MAX_MESSAGES, FileOutput, FileOutputOptions
from lalelu.voice.tempo import Tempo

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


def test_a_silent_beat_is_no_performance(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"an earlier song")
    output = FileOutput(FileOutputOptions(target=str(path)))
    output.open()
    for i in range(100):
        output.send(CLOCK, i * S // 48)
    output.close()
    assert path.read_bytes() == b"an earlier song"


@pytest.mark.parametrize("early_ms", [0, 10, 240, 490])
@pytest.mark.parametrize("known_ms", [0, 45])
def test_what_is_played_to_a_tapped_beat_lies_on_the_files_beats(tmp_path: Path, early_ms, known_ms) -> None:
    tempo, beat_ns, taps = Tempo(), S // 2, 4
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    due = [(number * beat_ns + known_ms * S // 1000, None) for number in range(taps)]
    strokes = [(number * beat_ns, note_on(10, 38, 99)) for number in range(taps, 16)]
    strokes[0] = (strokes[0][0] - early_ms * S // 1000, strokes[0][1])
    for at_ns, message in sorted([*due, *strokes], key=lambda each: each[0]):
        while tempo.next_ns is not None and tempo.next_ns <= at_ns:
            tick_ns = tempo.next_ns
            output.send(CLOCK, tick_ns)
            assert tempo.tick(tick_ns)
        if message is None:
            tempo.tap(at_ns - known_ms * S // 1000, at_ns)
        else:
            output.send(message, at_ns)
    output.close()
    midi = mido.MidiFile(tmp_path / "out.mid")
    assert {
        round(mido.tempo2bpm(message.tempo)) for message in midi.tracks[0] if message.type == "set_tempo"
    } == {120}
    beats = (
        np.cumsum([message.time for message in midi.tracks[1] if not message.is_meta]) / midi.ticks_per_beat
    )
    assert np.diff(beats) == pytest.approx([1 + early_ms / 500] + [1.0] * 10, abs=0.01)
    assert beats[1:] % 1.0 == pytest.approx(0.0, abs=0.01)


def test_the_tempo_is_that_of_the_clock_and_its_beats_are_the_files(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid"), origin_ns=0))
    output.open()
    beat_ns = S * 60 // 90
    played = []
    for i in range(33 * 24):
        at_ns = 2 * S + i * beat_ns // 24 + (i * 7919 % 13 - 6) * 100_000  # sent within 0.6 ms
        output.send(CLOCK, at_ns)
        if i % 24 == 0:
            played.append(at_ns)
            output.send(note_on(10, 38, 99), at_ns)
    output.close()
    midi = mido.MidiFile(tmp_path / "out.mid")
    tempi = [message.tempo for message in midi.tracks[0] if message.type == "set_tempo"]
    assert len(tempi) == 2  # until the first beat, and the tapped one
    assert mido.tempo2bpm(tempi[1]) == pytest.approx(90, rel=1e-3)
    for (at_s, _), at_ns in zip(written(tmp_path / "out.mid"), played, strict=True):
        assert abs(at_s - at_ns / S) < 1e-4
    tick = 0
    for message in midi.tracks[1]:
        tick += message.time
        if message.type == "note_on":
            assert abs(tick - midi.ticks_per_beat * round(tick / midi.ticks_per_beat)) < 20


def test_each_channel_has_a_track_with_a_name_and_ends_it(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    for at_ns, message in ((5, note_on(10, 38, 99)), (6, note_on(2, 60, 70)), (S, note_off(2, 60))):
        output.send(message, at_ns)
    output.close()
    midi = mido.MidiFile(tmp_path / "out.mid")
    assert [track.name for track in midi.tracks] == ["lalelu", "lalelu channel 2", "lalelu drums"]
    assert all(track[-1].type == "end_of_track" for track in midi.tracks)
    for track, channel in zip(midi.tracks[1:], (1, 9), strict=True):
        assert {message.channel for message in track if not message.is_meta} == {channel}


def test_the_bytes_are_a_standard_midi_file(tmp_path: Path) -> None:
    """Read without mido, by the Standard MIDI File's own description of chunks."""
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    output.send(note_on(10, 38, 99), 0)
    output.close()
    data = (tmp_path / "out.mid").read_bytes()
    assert struct.unpack_from(">4sIHHH", data) == (b"MThd", 6, 1, 2, 5000)
    chunks, at = [], 14
    while at < len(data):
        kind, size = struct.unpack_from(">4sI", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size
    assert at == len(data)
    assert [kind for kind, _ in chunks] == [b"MTrk", b"MTrk"]
    assert all(chunk.endswith(b"\xff\x2f\x00") for _, chunk in chunks)
    conductor, drums = (chunk for _, chunk in chunks)
    assert b"\xff\x58\x04\x04\x02\x18\x08" in conductor  # 4/4, 24 clocks a click
    assert b"\xff\x51\x03" + (500_000).to_bytes(3, "big") in conductor
    assert drums.startswith(b"\x00\xff\x03\x0clalelu drums")
    assert b"\x00\x99\x26\x63" in drums


def test_it_is_a_type_1_file_at_tempo_120_with_a_named_track(tmp_path: Path) -> None:
    output = FileOutput(FileOutputOptions(target=str(tmp_path / "out.mid")))
    output.open()
    output.send(note_on(10, 38, 99), 5)
    output.close()
    midi = mido.MidiFile(tmp_path / "out.mid")
    assert (midi.type, len(midi.tracks)) == (1, 2)
    assert midi.ticks_per_beat >= 960
    assert mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(120)) in midi.tracks[0]
    assert midi.tracks[1].name == "lalelu drums"
    assert mido.Message("note_on", channel=9, note=38, velocity=99) in midi.tracks[1]


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
