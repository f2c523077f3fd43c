import json

import numpy as np
import pytest
from tuning.lessons import rock

from lalelu.cli import main
from lalelu.config.learned import write_trees
from lalelu.config.loader import check_file, load_kit
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.gesture.trees import Ensemble, Node, Trees, decoded
from lalelu.hits import write_hits
from lalelu.take import TakeWriter
from lalelu.tuning.learn import grown, learn, played_by
from lalelu.tuning.lesson import Judge, Lesson, heard

ROCK = load_kit("rock", None)
JUDGE = Judge(Config(), 50.0, "pad")


@pytest.fixture(scope="module")
def lesson():
    """Small strokes are what was meant with the right hand; the big ones of the left hand were not."""
    played = rock(height=0.2)
    return Lesson("mine", played.take, tuple(hit for hit in played.truth if hit.limb == "right_wrist"))


@pytest.fixture(scope="module")
def trees(lesson):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lalelu.tuning.learn.MARGINS", (0.0, 2.0))
        return learn(ROCK, [lesson], JUDGE)


def test_the_trees_are_those_of_scikit_learn():
    ensemble = pytest.importorskip("sklearn.ensemble")
    threadpoolctl = pytest.importorskip("threadpoolctl")
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(300, 6)).astype(np.float32)
    labels = rows[:, 0] * rows[:, 1] + 0.3 * rng.normal(size=300) > 0.0
    model = ensemble.HistGradientBoostingClassifier(max_iter=20, max_depth=5, max_leaf_nodes=9)
    with threadpoolctl.threadpool_limits(limits=1):
        model.fit(rows, labels)
    mine = Trees(decoded(grown(model).text))
    assert [mine.score(row) for row in rows] == pytest.approx(model.decision_function(rows), abs=1e-4)


def test_what_was_meant_is_heard_and_what_was_not_is_not(lesson, trees):
    found = heard(lesson.take, Config(), played_by(trees, ROCK))
    assert {hit.limb for hit in found} == {"right_wrist"}
    held = JUDGE.play(lesson, played_by(trees, ROCK))[1]
    by_model = JUDGE.play(lesson, ROCK)[1]
    assert held.f1 > 0.9 > by_model.f1


def test_a_take_without_other_movements_teaches_nothing(lesson):
    with pytest.raises(UsageError, match="record more"):
        learn(ROCK, [Lesson("none", lesson.take, ())], JUDGE)


@pytest.fixture
def folder(tmp_path, monkeypatch, lesson):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lalelu.tuning.learn.MARGINS", (0.0,))  # the choice among several takes seconds
    with TakeWriter(tmp_path / "mine.take", lesson.take.header) as take:
        for frame in lesson.take.frames:
            take.write(frame)
    write_hits(tmp_path / "mine.truth.jsonl", lesson.truth)
    return tmp_path


LEARN = ("tune", "mine.take", "--learn", "--kit", "rock", "--write", "mine.yaml", "--json")


def test_a_learned_kit_is_written_and_plays_what_was_told(folder, lesson, capsys):
    assert main([*LEARN]) == 0
    told = json.loads(capsys.readouterr().out)["all"]["after"]
    assert check_file(folder / "mine.yaml") == ()
    kit = load_kit("mine.yaml", folder)
    assert kit.learned.file == f"mine-{kit.learned.sha256[:8]}.onnx"
    assert len(heard(lesson.take, Config(), kit)) == sum(part["found"] for part in told.values())
    (folder / "copies").mkdir()
    assert main(["kit", "new", "copies/new.yaml", "--from", "mine.yaml"]) == 0
    truth = ("--truth", "mine.truth.jsonl", "--fit", "pads", "--jobs", "1", "--trials", "3", "--force")
    assert main(["tune", "mine.take", "--kit", "mine.yaml", "--write", "copies/tuned.yaml", *truth]) == 0
    for copy in (folder / "copies").iterdir():
        assert check_file(copy) == ()
        assert load_kit(copy.name, copy.parent).learned.trees == kit.learned.trees


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b"other"), "has the SHA-256"),
    ],
)
def test_a_learned_detector_that_is_gone_or_another_is_refused_at_its_line(tmp_path, harm, rule):
    kit = tmp_path / "mine.yaml"
    named = write_trees(kit, Ensemble.of(0.0, [{0: Node()}]))
    harm(tmp_path / named["file"])
    kit.write_text(
        "name: mine\npads: {snare: {note: 38, zone: {box: [0, 0, 1, 1]}}}\ndetector: learned\n"
        f"learned:\n  file: {named['file']}\n  sha256: {named['sha256']}\n"
    )
    (problem,) = check_file(kit)
    assert rule in problem.message
    assert (problem.path, problem.line) == ("learned.file", 5)
