import asyncio
from pathlib import Path

import pytest
from page.served import served

from lalelu.config.loader import load_config, shipped_dir
from lalelu.page.context import Context
from lalelu.session import Session

PLACES = ((0.9, 0.3, 4.0), (1.0, 0.35, 5.0), (1.05, 0.28, 6.0))
STROKES = [{"x": x, "y": y, "speed": speed} for x, y, speed in PLACES]


@pytest.fixture
def config(tmp_path):
    (tmp_path / "lalelu.yaml").write_text("# mine\nkit: rock  # loud\n")
    return tmp_path / "lalelu.yaml"


def talk(config, *requests, session=None):
    """The status and the answer to each request, (path) or (path, body); `digest` is filled in with the last one."""

    async def ask():
        answers, digest = [], None
        async with served(Context(session, config, Path("takes"))) as client:
            for path, *body in requests:
                given = {"digest": digest, **body[0]} if body else None
                async with client.request("POST" if body else "GET", path, json=given) as answer:
                    answers.append((answer.status, await answer.json()))
                digest = answers[-1][1].get("digest", digest)
        return answers

    return asyncio.run(ask())


def test_a_change_is_written_and_undone(config):
    _, changed, undone = talk(
        config,
        ("/api/kit",),
        ("/api/kit/set", {"path": "pads.snare.threshold", "value": 2.0000001}),
        ("/api/kit/undo", {}),
    )
    assert (changed[0], changed[1]["kit"]["pads"]["snare"]["threshold"], changed[1]["undo"]) == (
        200,
        2.0,
        True,
    )
    assert (undone[1]["kit"]["pads"]["snare"]["threshold"], undone[1]["redo"]) == (None, True)
    assert config.read_text() == "# mine\nkit: kits/rock.yaml # loud\n"


def test_a_broken_value_is_refused_with_its_place(config):
    status, told = talk(config, ("/api/kit",), ("/api/kit/set", {"path": "strike.mask_ms", "value": 3}))[1]
    assert status == 422
    assert told["error"] == told["problems"][0]["sentence"]
    assert (told["problems"][0]["where"], told["error"][:22]) == ("strike.mask_ms", "strike.mask_ms is 3; a")
    assert config.read_text() == "# mine\nkit: rock  # loud\n"


def test_a_stale_page_is_told_so(config):
    assert (
        talk(config, ("/api/kit/set", {"path": "left_handed", "value": True, "digest": "old"}))[0][0] == 409
    )


def test_a_pad_is_learned_from_strokes(config):
    told = talk(config, ("/api/kit",), ("/api/kit/learn", {"pad": "ride", "strokes": STROKES}))[1][1]
    assert told["kit"]["pads"]["ride"]["zone"]["ellipse"] == [1.0, 0.3, 0.35, 0.3]
    assert told["learned"].startswith(
        "ride lies around 1.00, 0.30 now; it sounds from 2 shoulder widths a second"
    )


def test_a_preset_is_used_and_one_is_saved(config):
    _, used, saved, diff = talk(
        config,
        ("/api/kit",),
        ("/api/presets/use", {"name": "gentle"}),
        ("/api/presets/save", {"name": "mine"}),
        ("/api/kit/diff",),
    )
    assert used[1]["kit"]["strike"]["min_speed"] == load_config(config).kit.strike.min_speed == 0.9
    assert [each["name"] for each in saved[1]["presets"] if each["own"]] == ["mine"]
    assert "+strike:" in diff[1]["diff"]


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/api/kit/set", {"path": "midi.outputs", "value": ["file:/x"]}, "midi.outputs is not changed here"),
        ("/api/kit/set", {}, "'' is no option"),
        ("/api/kit/set", {"path": "channel", "value": float("nan")}, "a value is text, a finite number"),
        ("/api/kit/set", {"changes": 3}, "a change needs path and value"),
        ("/api/kit/set", {"path": "channel", "value": 3, "kit": -1}, "the kit number '-1' is none"),
        ("/api/kit/learn", {"pad": "ride", "strokes": [{"x": 1}]}, "a stroke is x, y and speed"),
        ("/api/kit/learn", {"pad": "ride", "strokes": STROKES[:2]}, "2 strokes were shown"),
        ("/api/kit/undo", {}, "nothing was changed here"),
        ("/api/kit/pad", {"do": "paint", "pad": "ride"}, "'paint' is nothing to do with a pad"),
        ("/api/kit/pad", {"do": "rename", "pad": "ride", "to": "crash"}, "the kit has a pad crash already"),
        ("/api/kit/set", {"edits": [{"remove": "midi.outputs"}]}, "midi.outputs is not changed here"),
        ("/api/kit/set", {"try": True, "edits": 3}, "edits is to be a list"),
        ("/api/presets/use", {"name": "../x"}, "there is no preset '../x'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(config, path, body, sentence):
    _, (status, told) = talk(config, ("/api/kit",), (path, body))
    assert (status, told["error"][: len(sentence)]) == (400, sentence)


def test_without_a_file_there_is_nothing_to_tune():
    assert talk(None, ("/api/kit",))[0][1]["error"].startswith(
        "lalelu plays with its built-in defaults; copy"
    )


def test_the_controls_are_told():
    controls = talk(None, ("/api/schema",))[0][1]["controls"]
    assert {where: len(told) > 2 for where, told in controls.items()} == {
        "pad": True,
        "strike": True,
        "timing": True,
    }


def test_pads_are_added_renamed_joined_and_removed_and_all_of_it_is_undone(config):
    _, added, renamed, joined, gone, *undone = talk(
        config,
        ("/api/kit",),
        ("/api/kit/pad", {"do": "add", "note": "cowbell", "name": "bell"}),
        ("/api/kit/pad", {"do": "rename", "pad": "bell", "to": "cow"}),
        ("/api/kit/pad", {"do": "choke", "pad": "cow", "with": "crash", "on": True}),
        ("/api/kit/pad", {"do": "remove", "pad": "cow"}),
        *[("/api/kit/undo", {})] * 4,
    )
    assert (added[1]["pad"], added[1]["notes"]["bell"], added[1]["kit"]["pads"]["bell"]["note"]) == (
        "bell",
        "cowbell",
        56,
    )
    assert list(renamed[1]["kit"]["pads"])[-1] == renamed[1]["pad"] == "cow"
    assert {joined[1]["kit"]["pads"][name]["choke"] for name in ("cow", "crash")} == {"cow"}
    assert "cow" not in gone[1]["kit"]["pads"]
    assert gone[1]["kit"]["pads"]["crash"]["choke"] is None
    assert undone[-1][1]["kit"]["pads"].keys() == load_config(config).kit.pads.keys()
    shipped = shipped_dir() / "kits" / "rock.yaml"
    assert config.with_name("kits").joinpath("rock.yaml").read_text() == shipped.read_text()


def test_changes_are_tried_and_kept_as_one_step(config):
    tried = {"try": True, "edits": []}
    _, first = talk(
        config, ("/api/kit",), ("/api/kit/pad", {**tried, "do": "add", "note": "cowbell", "name": "bell"})
    )
    edits = first[1]["edits"]
    change = {"try": True, "edits": edits, "path": "pads.bell.sensitivity"}
    _, second, refused, kept, undone = talk(
        config,
        ("/api/kit",),
        ("/api/kit/set", {**change, "value": 1.5}),
        ("/api/kit/set", {**change, "value": 9}),
        ("/api/kit/set", {"edits": [*edits, {"set": {"pads.bell.sensitivity": 1.5}}]}),
        ("/api/kit/undo", {}),
    )
    assert "+  bell: {note: cowbell" in second[1]["diff"]
    assert (second[1]["kit"]["pads"]["bell"]["sensitivity"], second[1]["undo"]) == (1.5, False)
    assert (refused[0], refused[1]["problems"][0]["where"]) == (422, "pads.bell.sensitivity")
    assert (kept[1]["kit"]["pads"]["bell"]["sensitivity"], kept[1]["undo"]) == (1.5, True)
    assert "bell" not in undone[1]["kit"]["pads"]
    assert undone[1]["undo"] is False


def test_a_pad_is_learned_into_what_is_tried(config):
    (_, told) = talk(
        config, ("/api/kit",), ("/api/kit/learn", {"try": True, "pad": "ride", "strokes": STROKES})
    )[1]
    assert told["edits"][0]["set"]["pads.ride.zone.ellipse"] == [1.0, 0.3, 0.35, 0.3]
    assert config.read_text() == "# mine\nkit: rock  # loud\n"


def test_the_history_outlives_the_page_of_an_instrument(config, tmp_path):
    def page(*requests):
        return talk(config, ("/api/kit",), *requests, session=Session(tmp_path))

    page(("/api/kit/set", {"path": "pads.snare.threshold", "value": 2}))
    told = page(("/api/kit/undo", {}))[1][1]
    assert (told["kit"]["pads"]["snare"]["threshold"], told["redo"]) == (None, True)
