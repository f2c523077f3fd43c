"""What the loader takes, an editor that goes by the schema takes too; and the schema says what everything means."""

import json

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings

from lalelu.commands.schema import MODELS, written
from lalelu.config.json_schema import editor_schema
from lalelu.config.kit import KitConfig
from lalelu.config.kit_options import KIT_OPTIONS
from lalelu.config.loader import _validated, read, shipped_dir
from lalelu.config.positions import read_document
from lalelu.config.schema import Config

SHIPPED = [shipped_dir() / "lalelu.yaml", *sorted((shipped_dir() / "kits").glob("*.yaml"))]
QUICK = settings(
    max_examples=1000,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
SHORT_FORMS = {
    "config": [
        "",
        "camera:\n",
        "pose: {fingers: off, flow: off}\n",
        "player: {kits: {0: rock}, channels: [10, null]}\n",
        "realtime: {core: 3, priority: 0}\n",
        "timing: {delay_ms: auto}\n",
        "timing: {delay_ms: 12}\n",
    ],
    "kit": [
        "{name: a, strike: null, pads: {p: {note: C4, zone: {box: [0, 0, 1, 1]}}}}",
        "{name: a, pads: {p: {note: [60, C#4, claves], zone: {half_plane: [0, 0, 90], frame: image}}}}",
        "{name: a, pads: {p: {note: 1, curve: [[0, 1], [1, 127]], zone: {sector: [0, 0, 0, 1, 0, 90]}}}}",
        "{name: a, pads: {p: {note: 1}}, gestures: {g: {gesture: kick, pad: p}}}",
        (
            "{name: a, pads: {p: {note: 1}, q: {note: 2, zone: {ellipse: [0, 0, 1, 1]}}}, "
            "gestures: {g: {gesture: hihat, pad: q, open_pad: p, to: null}}}"
        ),
    ],
}


@pytest.fixture(scope="module")
def refused(expect):
    """Return what an editor would mark in a file of that kind."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        expect("jsonschema", "it is not installed; extra `test`")
    judges = {}
    for what in MODELS:
        schema = json.loads(written(what))
        Draft202012Validator.check_schema(schema)
        judges[what] = Draft202012Validator(schema)
    return lambda what, root: [error.message for error in judges[what].iter_errors(root)]


@pytest.mark.parametrize("what", sorted(MODELS))
def test_the_shipped_schema_is_what_the_command_prints(what):
    path = shipped_dir() / "schema" / f"{what}.json"
    assert path.read_text() == written(what) + "\n", f"run: lalelu schema {what} >config/schema/{what}.json"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_is_taken_and_its_first_line_leads_to_its_schema(path, refused):
    what = "kit" if path.parent.name == "kits" else "config"
    assert refused(what, read(path).root) == []
    start, _, schema = path.read_text().splitlines()[0].partition("$schema=")
    assert start == "# yaml-language-server: "
    assert (path.parent / schema).resolve() == (shipped_dir() / "schema" / f"{what}.json").resolve()


@pytest.mark.parametrize(
    ("what", "text"), [(what, text) for what, texts in SHORT_FORMS.items() for text in texts]
)
def test_short_forms_that_the_loader_takes_are_taken(what, text, refused):
    document = read_document(text, "short.yaml")
    assert _validated(document, MODELS[what][0]) is not None, document.problems
    assert refused(what, document.root) == []


def test_whatever_the_loader_takes_is_taken(project, monkeypatch, refused):
    monkeypatch.syspath_prepend(project / "tools")
    import fuzz_config

    taken = {True: 0, False: 0}

    @seed(1)
    @QUICK
    @given(made=fuzz_config.cases())
    def judge(made):
        _, raw, is_kit = made
        document = read_document(raw.decode("utf-8", "replace"), "made.yaml")
        if _validated(document, KitConfig if is_kit else Config) is not None:
            taken[is_kit] += 1
            assert refused("kit" if is_kit else "config", document.root) == []

    judge()
    assert min(taken.values()) > 10


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("config", "camra: {}"),
        ("config", "camera: {fps: 3}"),
        ("config", "pose: {model: lightening}"),
        ("config", "timing: {delay_ms: 501}"),
        ("kit", "{name: a, pads: {p: {note: snare, zone: {box: [0, 0, 1, 1]}}}}"),
        ("kit", "{name: a, pads: {p: {note: 38, zone: {box: [0, 0, 1]}}}}"),
        ("kit", "{name: a, pads: {p: {note: 38, zone: {circle: [0, 0, 1]}}}}"),
        ("kit", "{name: a, pads: {p: {note: 1}}, gestures: {g: {gesture: stomp, pad: p}}}"),
    ],
)
def test_a_mistake_is_marked(what, text, refused):
    assert refused(what, yaml.safe_load(text)) != []


def test_every_option_has_its_description_and_every_section_refuses_unknown_ones():
    for what in MODELS:
        schema = json.loads(written(what))
        for section in (schema, *(node for node in schema["$defs"].values() if "properties" in node)):
            assert section["additionalProperties"] is False
            assert [
                name for name, node in section["properties"].items() if len(node["description"]) < 12
            ] == []


def test_no_description_of_a_kit_is_left_over():
    schema = KitConfig.model_json_schema()
    sections = {"KitConfig": schema, **schema["$defs"]}
    known = {f"{name}.{option}" for name, node in sections.items() for option in node.get("properties", ())}
    known |= {name.partition(".")[2] for name in known}
    assert set(KIT_OPTIONS) - known == set()


def test_an_option_without_a_description_is_refused():
    told = dict.fromkeys((*Config.model_fields, "uri", "rotate", "mirror", "readout_ms"), "told")
    with pytest.raises(ValueError, match="CameraSection has the option wait"):
        editor_schema(Config, "config", "lalelu.yaml", ["kit: rock"], told)
