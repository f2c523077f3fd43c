import mido
import numpy as np
import pytest

from lalelu.cli import main
from lalelu.take import TakeFrame, TakeHeader, TakeWriter, read_take
from lalelu.types import Pose

HEADER = TakeHeader(source="test", fps=100, width=640, height=480)


@pytest.fixture
def still(tmp_path):
    """A take of somebody who does not move."""
    path = tmp_path / "still.take"
    with TakeWriter(path, HEADER) as take:
        for seq in range(100):
            pose = Pose(seq, seq * 10_000_000, 0, np.full((17, 2), 0.5, np.float32), np.ones(17, np.float32))
            take.write(TakeFrame(seq, pose.captured_ns, (pose,)))
    return path


def test_a_replay_without_a_note_leaves_no_earlier_replays_notes(still, tmp_path):
    earlier = mido.MidiFile(tracks=[mido.MidiTrack([mido.Message("note_on", note=38)])])
    earlier.save(tmp_path / "song.mid")
    assert main(["replay", str(still), "--midi", str(tmp_path / "song.mid")]) == 0
    assert [message for message in mido.MidiFile(tmp_path / "song.mid") if not message.is_meta] == []


def test_a_network_for_a_take_is_refused_because_no_network_would_run(still, capsys):
    assert main(["replay", str(still), "--model", "thunder"]) == 2
    assert "--model is thunder" in capsys.readouterr().err


def test_two_replays_leave_the_same_bytes_even_where_they_are_packed(still, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        assert main(["replay", str(still), "--take", str(tmp_path / folder / "again.take.gz")]) == 0
    one, two = ((tmp_path / folder / "again.take.gz").read_bytes() for folder in ("one", "two"))
    assert one == two
    assert one[4:8] == bytes(4)  # gzip's date
    assert len(read_take(tmp_path / "one" / "again.take.gz").frames) == 100
