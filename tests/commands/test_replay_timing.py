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
FPS, STROKES, HZ = 100, 20, 2.0


@pytest.fixture
def take(tmp_path):
    """Twenty strokes on the snare, at 1.5, 2.0, 2.5 s and so on."""
    path = tmp_path / "played.take"
    with TakeWriter(path, TakeHeader(source="test", fps=FPS, width=640, height=480)) as writer:
        for seq in range(12 * FPS):
            cycles = np.clip((seq / FPS - 1.0) * HZ, 0.0, STROKES + 0.5)
            xy, score = np.zeros((17, 2), np.float32), np.zeros(17, np.float32)
            for name, (x, y) in BODY.items():
                index = COCO17.index(name)
                xy[index], score[index] = (x, y), 0.8
            xy[COCO17.index("right_wrist"), 1] -= 0.08 * (1.0 - np.cos(2.0 * np.pi * cycles))
            stamp_ns = seq * 1_000_000_000 // FPS
            writer.write(TakeFrame(seq, stamp_ns, (Pose(seq, stamp_ns, 0, xy, score),)))
    return path


def replayed(take, timing, *arguments):
    """The hits of a replay with this `timing:` section."""
    config = take.with_name("lalelu.yaml")
    config.write_text(f"timing: {json.dumps(timing)}\n", encoding="utf-8")
    found = take.with_name("hits.jsonl")
    assert main(["replay", str(take), "--config", str(config), "--hits", str(found), *arguments]) == 0
    return [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]


def test_the_automatic_delay_is_found_over_the_whole_take_and_said(take, capsys):
    hits = replayed(take, {"delay_ms": "auto"}, "--pipeline-ms", "6")
    told = capsys.readouterr().err.splitlines()[0]
    delay_ms = float(told.removeprefix("timing: delay_ms is auto, so ").partition(":")[0])
    assert told == f"timing: delay_ms is auto, so {delay_ms:g}: 99 % of {STROKES} hits keep it"
    assert [hit["note_s"] - hit["time_s"] for hit in hits] == pytest.approx([delay_ms * 1e-3] * STROKES)
    latest_s = max(hit["decided_s"] - hit["time_s"] for hit in hits) + 0.006
    assert latest_s <= delay_ms * 1e-3 <= latest_s + 0.0015


def test_with_a_lead_notes_go_out_at_the_end_of_their_strokes(take):
    plain = replayed(take, {}, "--pipeline-ms", "15")
    hits = replayed(take, {"lead_ms": 20}, "--pipeline-ms", "15")
    truth = [1.5 + n / HZ for n in range(STROKES)]
    assert [hit["note_s"] for hit in hits] == pytest.approx(truth, abs=0.006)
    assert min(hit["note_s"] - time for hit, time in zip(plain, truth, strict=True)) > 0.02
    assert [hit["pad"] for hit in hits] == [hit["pad"] for hit in plain]
