import json

import numpy as np
import pytest

from lalelu.cli import main
from lalelu.skeleton import COCO17
from lalelu.take import TakeFrame, TakeHeader, TakeWriter
from lalelu.types import Pose

BODY = {
    "left_shoulder": (0.7, 0.35),
    "right_shoulder": (0.5, 0.35),
    "left_wrist": (0.75, 0.5),
    "right_wrist": (0.56, 0.58),
}
FPS = 100
START_NS = 5_000_000_000


@pytest.fixture
def take(tmp_path):
    """Three strokes on the snare at 1.5, 2.0 and 2.5 s, then the hand sinks slowly and comes up again."""
    path = tmp_path / "played.take.gz"
    header = TakeHeader(source="test", fps=FPS, width=640, height=480, skeleton="coco17")
    with TakeWriter(path, header) as writer:
        for seq in range(6 * FPS):
            t = seq / FPS
            lift = 0.06 * (1.0 - np.cos(2 * np.pi * 2.0 * np.clip(t - 1.0, 0.0, 1.75)))
            lift -= 0.05 * (1.0 - np.cos(2 * np.pi * 0.5 * np.clip(t - 3.0, 0.0, 2.0)))
            xy, score = np.zeros((17, 2), np.float32), np.zeros(17, np.float32)
            for name, (x, y) in BODY.items():
                index = COCO17.index(name)
                xy[index] = x, y - (lift if name == "right_wrist" else 0.0)
                score[index] = 0.8
            stamp_ns = START_NS + seq * 1_000_000_000 // FPS
            writer.write(TakeFrame(seq, stamp_ns, (Pose(seq, stamp_ns, 0, xy, score),)))
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_replay_writes_a_line_for_every_candidate_stroke_by_time(take, tmp_path):
    explained, played = tmp_path / "why.jsonl", tmp_path / "hits.jsonl"
    assert main(["replay", str(take), "--explain", str(explained), "--hits", str(played)]) == 0
    told = lines(explained)
    assert [(line["outcome"], line["rule"]) for line in told] == [("hit", None)] * 3 + [
        ("rejected", "too_slow")
    ]
    assert [line["time_s"] for line in told] == pytest.approx([1.5, 2.0, 2.5, 4.0], abs=0.05)
    keys = ("time_s", "limb", "pad", "player", "decided_s")
    assert [[line[key] for key in keys] for line in told[:3]] == [
        [hit[key] for key in keys] for hit in lines(played)
    ]
    assert set(told[0]) == {
        "time_s", "player", "limb", "outcome", "rule", "why", "pad", "peak_speed", "least_peak_speed",
        "mean_speed", "least_mean_speed", "fall", "least_fall", "noise", "score", "x", "y", "seq", "decided_s",
    }  # fmt: skip


def test_asking_why_changes_no_hit(take, tmp_path):
    plain, asked = tmp_path / "plain.jsonl", tmp_path / "asked.jsonl"
    assert main(["replay", str(take), "--hits", str(plain)]) == 0
    assert main(["replay", str(take), "--hits", str(asked), "--explain", str(tmp_path / "why.jsonl")]) == 0
    assert asked.read_text(encoding="utf-8") == plain.read_text(encoding="utf-8") != ""


def test_a_place_that_cannot_be_written_is_a_wrong_command_line(take, tmp_path, capsys):
    assert main(["replay", str(take), "--explain", str(tmp_path / "nowhere" / "why.jsonl")]) == 2
    assert "nowhere" in capsys.readouterr().err
