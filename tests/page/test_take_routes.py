"""What the tab Takes asks for, without a browser."""

import asyncio
import re
import shutil
import threading
from pathlib import Path

import pytest
from page.served import served, talk

from lalelu.page import take_routes
from lalelu.page.context import Context

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def context(tmp_path):
    """A take, and a configuration of two kits that differ in their names."""
    folder = tmp_path / "takes"
    folder.mkdir()
    shutil.copy(GOLDEN / "rock_100.take.gz", folder / "mine.take.gz")
    for name in ("first", "second"):
        text = (GOLDEN / "kit.yaml").read_text()
        (tmp_path / f"{name}.yaml").write_text(re.sub("name: .*", f"name: {name}", text, count=1))
    (tmp_path / "lalelu.yaml").write_text("kit: first.yaml\nmore_kits: [second.yaml]\n")
    return Context(None, tmp_path / "lalelu.yaml", folder)


def compared(context, file, more, **asked):
    """What is told after `more` was added to a file while the page runs."""

    async def ask():
        async with served(context) as client:
            with (context.config_path.parent / file).open("a") as edited:
                edited.write(more)
            async with client.post("/api/takes/compare", json={"take": "mine", **asked}) as answer:
                return await answer.json()

    return asyncio.run(ask())


def test_a_later_note_is_a_difference(context):
    told = compared(context, "lalelu.yaml", "timing: {delay_ms: 200}\n")
    assert (told["all"]["lost"], told["all"]["gained"]) == (0, 0)
    assert told["all"]["later_ms"] > 50


@pytest.mark.parametrize(
    ("asked", "lost"), [({}, True), ({"kit_number": 1}, True), ({"kit_number": 0}, False)]
)
def test_an_edit_of_a_kit_that_nobody_plays_yet_is_compared_on_that_kit(context, asked, lost):
    told = compared(context, "second.yaml", "strike: {min_speed: 4.0}\n", **asked)
    assert (told["all"]["lost"] > 0) == lost


def test_a_kit_that_is_sent_is_compared_with_the_one_of_its_number(context):
    kit = take_routes.load_config(context.config_path).kit
    deaf = kit.model_copy(update={"strike": kit.strike.model_copy(update={"min_speed": 4.0})})
    ((status, told),) = talk(context, ("/compare", {"kit": deaf.model_dump(mode="json")}))
    assert (status, told["all"]["lost"] > 0) == (200, True)


def test_kicks_have_a_trace_and_a_left_handed_player_s_are_the_other_foot_s(context):
    context.config_path.write_text("kit: rock_pedals\n")
    context.config_path.with_name("left.yaml").write_text("kit: rock_pedals\nleft_handed: true\n")
    feet = []
    for each in (context, Context(None, context.config_path.with_name("left.yaml"), context.takes)):
        ((_, told),) = talk(each, ("/show?take=mine",))
        feet.append([t["limb"] for t in told["traces"] if "ankle" in t["limb"]])
    assert feet == [["right_ankle", "left_ankle"], ["left_ankle", "right_ankle"]]


def test_a_limb_of_the_truth_that_the_network_does_not_show_has_no_trace(context):
    (context.takes / "mine.truth.jsonl").write_text(
        '{"time_s": 1, "limb": "nose"}\n{"time_s": 2, "limb": "left_thumb"}\n'
    )
    ((status, told),) = talk(context, ("/show?take=mine",))
    assert status == 200
    assert [t["limb"] for t in told["traces"]] == ["left_wrist", "right_wrist", "nose"]


def test_recording_and_the_list_wait_for_no_replay(context, monkeypatch):
    begun, over = threading.Event(), threading.Event()

    def slow(*_, **__):
        begun.set()
        over.wait()
        raise take_routes.UsageError("over")

    monkeypatch.setattr(take_routes, "play", slow)

    async def ask():
        async with served(context) as client:
            replay = asyncio.create_task(client.post("/api/takes/compare", json={"take": "mine"}))
            try:
                await asyncio.to_thread(begun.wait, 30)
                async with asyncio.timeout(30):
                    listed = await client.get("/api/takes")
                    refused = await client.post("/api/takes/record", json={"on": True})
            finally:
                over.set()
            return listed.status, refused.status, (await replay).status

    assert asyncio.run(ask()) == (200, 400, 400)


def test_the_truth_of_a_take_is_not_undone_into_another_take_of_its_name(context):
    answers = talk(
        context,
        ("/truth", {"do": "begin"}),
        ("/rename", {"name": "old"}),
        ("/rename", {"take": "old", "name": "mine"}),
        ("/show?take=mine",),
        ("/truth", {"do": "undo"}),
    )
    assert [status for status, _ in answers] == [200, 200, 200, 200, 400]
    assert (len(answers[3][1]["truth"]), answers[3][1]["undo"]) == (35, 0)


@pytest.mark.parametrize(
    ("hit", "sentence"),
    [
        (None, "the true hit: is not a JSON object"),
        ({"limb": "nose"}, "the true hit: time_s is missing"),
        ({"limb": "", "time_s": 1}, "the true hit: limb is ''; it must be a name"),
        ({"limb": "nose", "time_s": 1, "player": -1}, "the true hit: player is -1; allowed are"),
    ],
)
def test_a_true_hit_that_could_not_be_read_again_is_not_written(context, hit, sentence):
    ((status, told),) = talk(context, ("/truth", {"do": "add", "hit": hit}))
    assert (status, told["error"][: len(sentence)]) == (400, sentence)
    assert not (context.takes / "mine.truth.jsonl").exists()
