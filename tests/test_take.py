import gzip
import json
import os

import numpy as np
import pytest

from lalelu import take as take_module
from lalelu.errors import UsageError
from lalelu.take import TakeFrame, TakeHeader, TakeWriter, read_take
from lalelu.types import Pose

HEADER = TakeHeader("test", 100.0, 640, 480, "coco17", "lightning", 5.0, {"room": "attic"}, 8.0)
BRACKETS = "[" * 100_000
FIRST = {"lalelu_take": 1, "source": "test", "fps": 100, "width": 640, "height": 480, "skeleton": "coco17"}


def frame(seq, players=1):
    xy = np.arange(34, dtype=np.float32).reshape(17, 2) * np.float32(0.125)
    score = np.full(17, 0.5, dtype=np.float32)
    poses = tuple(
        Pose(seq, seq * 10_000_000, player, xy + player, score, "flow") for player in range(players)
    )
    return TakeFrame(seq, seq * 10_000_000, poses)


def write(path, frames):
    with TakeWriter(path, HEADER) as writer:
        for each in frames:
            writer.write(each)


def line(**changes):
    player = {"xy": [[0.5, 0.5]] * 17, "score": [0.5] * 17}
    return {"seq": 0, "captured_ns": 0, "players": [player]} | changes


def damaged(tmp_path, *lines):
    path = tmp_path / "damaged.take"
    path.write_text("".join(each if isinstance(each, str) else json.dumps(each) + "\n" for each in lines))
    return path


def assert_same(found, expected):
    assert (found.seq, found.captured_ns, len(found.poses)) == (
        expected.seq,
        expected.captured_ns,
        len(expected.poses),
    )
    for one, two in zip(found.poses, expected.poses, strict=True):
        assert (one.seq, one.captured_ns, one.player, one.via) == (
            two.seq,
            two.captured_ns,
            two.player,
            two.via,
        )
        assert one.xy.dtype == one.score.dtype == np.float32
        np.testing.assert_allclose(one.xy, two.xy, atol=1e-5)
        np.testing.assert_allclose(one.score, two.score, atol=1e-4)


@pytest.mark.parametrize("name", ["a.take", "a.take.gz"])
def test_what_was_written_is_read(tmp_path, name):
    frames = [frame(0), frame(1, players=0), frame(5, players=2)]
    write(tmp_path / name, frames)
    take = read_take(tmp_path / name)
    assert take.header == HEADER
    assert take.problems == ()
    for found, expected in zip(take.frames, frames, strict=True):
        assert_same(found, expected)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_recording_that_was_killed_keeps_its_whole_frames(tmp_path):
    write(tmp_path / "a.take", [frame(seq) for seq in range(4)])
    text = (tmp_path / "a.take").read_bytes()
    (tmp_path / "a.take").write_bytes(text[:-40])
    take = read_take(tmp_path / "a.take")
    assert [each.seq for each in take.frames] == [0, 1, 2]
    assert len(take.problems) == 1
    assert "a.take:5: the take's end is cut off; 3 whole frames" in take.problems[0]


def test_a_cut_off_gzip_stream_keeps_its_whole_frames(tmp_path):
    write(tmp_path / "a.take.gz", [frame(seq) for seq in range(500)])
    packed = (tmp_path / "a.take.gz").read_bytes()
    (tmp_path / "a.take.gz").write_bytes(packed[: len(packed) // 2])
    take = read_take(tmp_path / "a.take.gz")
    assert 0 < len(take.frames) < 500
    assert "cut off" in take.problems[0]


def test_frames_without_player_and_via_belong_to_player_0_and_the_net(tmp_path):
    pose = read_take(damaged(tmp_path, FIRST, line())).frames[0].poses[0]
    assert (pose.player, pose.via) == (0, "net")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"damaged.take:1: the file is empty"),
        (["hello\n"], r"damaged.take:1: not a take"),
        (['{"some": "json"}\n'], r"damaged.take:1: not a take"),
        ([FIRST | {"lalelu_take": 2}], r":1: lalelu_take is 2"),
        ([FIRST | {"skeleton": "coco71"}], r":1: skeleton is 'coco71'; .*did you mean \"coco17\""),
        ([FIRST | {"fps": "many"}], r":1: fps is 'many'"),
        ([FIRST, "{]\n", line()], r":2: not JSON"),
        ([FIRST, [1]], r":2: a frame must be a JSON object"),
        ([FIRST, {"seq": 0, "captured_ns": 0}], r":2: players is None"),
        ([FIRST, {"captured_ns": 0, "players": []}], r":2: seq is None"),
        ([FIRST, line(captured_ns=0.5)], r":2: captured_ns is 0.5"),
        ([FIRST, line(players=[3])], r":2: a player must be a JSON object"),
        ([FIRST, line(players=[{"xy": [[0, 0]] * 17}])], r":2: player 0 has no score"),
        (
            [FIRST, line(players=[{"xy": [[0, 0]] * 16, "score": [0] * 17}])],
            r":2: xy of player 0 has shape \(16, 2\)",
        ),
        (
            [FIRST, line(players=[{"xy": [[0, "a"]] * 17, "score": [0] * 17}])],
            r":2: xy of player 0 is not an array",
        ),
        ([FIRST, line(players=[{"xy": [[0, None]] * 17, "score": [0] * 17}])], r":2: xy of player 0 is not"),
        ([FIRST, line(players=[{"xy": [[0, float("nan")]] * 17, "score": [0] * 17}])], r":2: holds NaN"),
        (
            [FIRST, line(players=[{"xy": [[0, 1e300]] * 17, "score": [0] * 17}])],
            r":2: xy of player 0 is not finite",
        ),
        (
            [FIRST, line(players=[{"via": "guess", "xy": [[0, 0]] * 17, "score": [0] * 17}])],
            r":2: via is 'guess'",
        ),
        ([FIRST, line(), line()], r":3: captured_ns is 0 after 0"),
        ([BRACKETS], r":1: not a take \(not JSON: maximum recursion"),
        ([FIRST, BRACKETS + "\n", line()], r":2: not JSON \(maximum recursion"),
        ([FIRST, f'{{"seq": {"9" * 5000}}}\n', line()], r":2: not JSON \(Exceeds the limit"),
        ([FIRST | {"skeleton": ["coco17"]}], r":1: skeleton is \['coco17'\]"),
        ([FIRST | {"fps": 1e-300}], r":1: fps is 1e-300; it must be a number 1..10000"),
        ([FIRST | {"width": 10**400}], r":1: width is 10{39}; it must be a number 1..100000"),
        ([FIRST | {"readout_ms": 1e300}], r":1: readout_ms is 1e\+300; it must be a number 0..10000"),
        ([FIRST, line(captured_ns=10**30)], r":2: captured_ns is 10{30}; every frame needs it"),
        ([FIRST, line(players=[{"player": 256}])], r":2: player is 256; it must be a whole number 0..255"),
        ([FIRST, line(players=[{"via": BRACKETS}])], r":2: via is '\[{39}; it must be net or flow"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_what_is_no_take_is_refused_with_its_line(tmp_path, lines, message):
    with pytest.raises(UsageError, match=message):
        read_take(damaged(tmp_path, *lines))


def test_a_missing_file_and_damaged_gzip_data_are_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read the take"):
        read_take(tmp_path / "none.take")
    packed = bytearray(gzip.compress(b"x" * 1000))
    packed[10] = 0x07  # a kind of block that does not exist
    (tmp_path / "bad.take.gz").write_bytes(bytes(packed))
    with pytest.raises(UsageError, match="damaged gzip data"):
        read_take(tmp_path / "bad.take.gz")


def test_a_take_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(take_module, "MOST_BYTES", 100_000)
    bomb = tmp_path / "bomb.take.gz"
    bomb.write_bytes(gzip.compress(bytes(10_000_000)))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(UsageError, match=r"bomb\.take\.gz: unpacks to more than 100000 bytes"):
        read_take(bomb)
    (tmp_path / "long.take").write_bytes(b" " * 100_001)
    with pytest.raises(UsageError, match=r"cannot read the take .*: it has more than 100000 bytes"):
        read_take(tmp_path / "long.take")


def test_a_pipe_is_no_take(tmp_path):
    os.mkfifo(tmp_path / "pipe.take")
    with pytest.raises(UsageError, match="it is a pipe, a socket or a device, not a file"):
        read_take(tmp_path / "pipe.take")


def test_nan_is_never_written(tmp_path):
    bad = Pose(0, 0, 0, np.full((17, 2), np.nan, dtype=np.float32), np.zeros(17, dtype=np.float32))
    with TakeWriter(tmp_path / "a.take", HEADER) as writer, pytest.raises(ValueError, match="JSON compliant"):
        writer.write(TakeFrame(0, 0, (bad,)))


def test_every_shared_take_is_readable(shared_dir):
    paths = sorted((shared_dir / "takes").glob("*.take.gz"))
    assert paths
    for path in paths:
        take = read_take(path)
        assert take.problems == ()
        assert len(take.frames) > 100
