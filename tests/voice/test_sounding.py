import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.errors import MissingError
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs.file import FileOutput, FileOutputOptions
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.repeats import AGAIN_NS
from lalelu.voice.sounding import DOUBT_NS, SoundingTable
from lalelu.voice.voice import Strike, Voice

ALL = [(channel, note) for channel in range(1, 17) for note in range(128)]

DOOMED = """
import os, signal, sys
from pathlib import Path
from lalelu.voice.sounding import SoundingTable
table = SoundingTable(Path(sys.argv[1]))
for note in (38, 60, 64):
    table.begin(10, note)
table.end([(10, 60)], 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kept", [False, True], ids=["nowhere", "in a file"])
def test_what_was_begun_and_not_ended_is_left(tmp_path: Path, kept: bool) -> None:
    table = SoundingTable(tmp_path / "sounding" if kept else None)
    assert table.left() == ()
    table.begin(10, 38)
    table.begin(1, 60)
    table.begin(10, 38)  # struck again
    assert table.left() == ((1, 60), (10, 38))
    table.end([(10, 38)], 0)
    assert table.left() == ((1, 60),)
    table.end([(1, 60), (2, 61)], 0)
    assert table.left() == ()


def test_every_note_of_every_channel_has_a_mark_of_its_own(tmp_path: Path) -> None:
    table = SoundingTable(tmp_path / "sounding")
    for channel, note in ALL:
        table.begin(channel, note)
    assert list(table.left()) == ALL
    table.end([key for key in ALL if key != (16, 127)], 0)
    assert table.left() == ((16, 127),)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(ALL)), max_size=50))
def test_it_is_a_set_of_notes(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    table, notes = SoundingTable(None), set()
    for begins, key in steps:
        if begins:
            table.begin(*key)
            notes.add(key)
        else:
            table.end([key], 0)
            notes.discard(key)
    assert table.left() == tuple(sorted(notes))


def test_one_that_is_kept_nowhere_leaves_nothing_to_the_next() -> None:
    SoundingTable(None).begin(10, 38)
    assert SoundingTable(None).left() == ()


def test_the_marks_of_a_process_that_was_killed_are_there_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "sounding"
    doomed = subprocess.run([sys.executable, "-c", DOOMED, str(path)], check=False)
    assert doomed.returncode == -signal.SIGKILL
    assert SoundingTable(path).left() == ((10, 38), (10, 64))


@pytest.mark.parametrize("size", [0, 7, 5000])
def test_a_file_of_another_size_is_brought_to_its_own(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sounding"
    path.write_bytes(bytes(size))
    table = SoundingTable(path)
    assert table.left() == ()
    table.begin(16, 127)
    assert path.read_bytes() == bytes(2047) + b"\1"


def test_what_a_killed_voice_left_sounding_is_ended_by_the_next_one_at_its_opening(
    kit: KitConfig, tmp_path: Path, strike: Callable[..., Strike]
) -> None:
    path = tmp_path / "sounding"
    killed = Voice([MemoryOutput()], [kit], now_ns=lambda: 0, table=SoundingTable(path))
    killed.open()
    killed.add(strike("chord"))
    killed.add(strike("snare", struck_ns=1))  # waits
    assert len(killed.advance(0)) == 3  # and nothing more is heard of it
    first, second = MemoryOutput(), MemoryOutput()
    voice = Voice([first, second], [kit], now_ns=lambda: 1, table=SoundingTable(path))
    voice.open()
    ends = [(1, note_off(2, note)) for note in (60, 64, 67)]
    assert (first.sent, second.sent) == (ends, ends)
    assert SoundingTable(path).left() == ()
    voice.add(strike("snare"))
    assert [row.note for row in voice.advance(1)] == [38]
    assert SoundingTable(path).left() == ((10, 38),)
    voice.close()
    assert first.sent == [*ends, (1, note_on(10, 38, 64)), (1, note_off(10, 38))]
    assert not any(path.read_bytes())


def test_a_voice_that_cannot_open_leaves_the_marks_to_the_next_one(kit: KitConfig, tmp_path: Path) -> None:
    table, first = SoundingTable(None), MemoryOutput()
    table.begin(10, 38)
    unwritable = FileOutput(FileOutputOptions(target=str(tmp_path / "nowhere" / "out.mid")))
    with pytest.raises(MissingError):
        Voice([first, unwritable], [kit], now_ns=lambda: 0, table=table).open()
    assert (first.sent, table.left()) == ([], ((10, 38),))


def test_what_was_left_is_ended_once_more_but_for_what_sounds_again(
    kit: KitConfig, strike: Callable[..., Strike]
) -> None:
    table, output = SoundingTable(None), MemoryOutput()
    output.comes_back = True  # as a port, whose listener may be late
    for key in ((2, 60), (10, 38)):
        table.begin(*key)
    at_ns = [0]
    voice = Voice([output], [kit], now_ns=lambda: at_ns[0], table=table)
    voice.open()
    voice.repeat()  # too early
    at_ns[0] = AGAIN_NS[0]
    voice.add(strike("snare"))
    voice.advance(at_ns[0])
    voice.repeat()
    voice.repeat()  # has been told
    both = [note_off(2, 60), note_off(10, 38)]
    assert [message for _, message in output.sent] == [*both, note_on(10, 38, 64), note_off(2, 60)]
    assert table.left() == ((10, 38),)


class Late(MemoryOutput):
    """A port that takes `opens_ns` to be made, and whose listener connects `late_ns` after that."""

    comes_back = True

    def __init__(self, at_ns: list[int], opens_ns: int, late_ns: int) -> None:
        super().__init__()
        self._at_ns, self._opens_ns, self._late_ns = at_ns, opens_ns, late_ns
        self._connected_ns = 0

    def open(self) -> str:
        self._at_ns[0] += self._opens_ns
        self._connected_ns = self._at_ns[0] + self._late_ns
        return super().open()

    def send(self, message: bytes, at_ns: int) -> None:
        if at_ns >= self._connected_ns:
            super().send(message, at_ns)


@pytest.mark.parametrize("opens_s", [0, 4])
@pytest.mark.parametrize("late_s", [0.05, 2, 5])
def test_a_listener_that_connects_late_hears_what_a_killed_voice_left_end(
    kit: KitConfig, tmp_path: Path, strike: Callable[..., Strike], opens_s: float, late_s: float
) -> None:
    at_ns = [0]
    killed = Voice([MemoryOutput()], [kit], now_ns=lambda: 0, table=SoundingTable(tmp_path / "sounding"))
    killed.open()
    killed.add(strike("chord"))
    killed.advance(0)
    output = Late(at_ns, round(opens_s * 1e9), round(late_s * 1e9))
    voice = Voice([output], [kit], now_ns=lambda: at_ns[0], table=SoundingTable(tmp_path / "sounding"))
    voice.open()
    for _ in range(140):  # 7 s
        at_ns[0] += 50_000_000
        voice.repeat()
    assert {note_off(2, note) for note in (60, 64, 67)} <= {message for _, message in output.sent}
    marks = SoundingTable(tmp_path / "sounding")
    assert (marks.left(), marks.owed(), marks.doubtful()) == ((), (), ())


def test_the_next_voice_ends_what_was_ended_a_moment_before_the_last_one_was_killed(
    kit: KitConfig, tmp_path: Path, strike: Callable[..., Strike]
) -> None:
    path, at_ns = tmp_path / "sounding", [0]
    killed = Voice([MemoryOutput()], [kit], now_ns=lambda: at_ns[0], table=SoundingTable(path))
    killed.open()
    for pad, moment_ns in (("chord", 0), ("snare", 2 * DOUBT_NS)):
        at_ns[0] = moment_ns
        killed.add(strike(pad, struck_ns=moment_ns))
        killed.advance(moment_ns)
        at_ns[0] += 50_000_000
        killed.advance(at_ns[0])
        killed.repeat()
    output = MemoryOutput()
    Voice([output], [kit], now_ns=lambda: at_ns[0], table=SoundingTable(path)).open()
    assert [message for _, message in output.sent] == [note_off(10, 38)]
