"""Whatever stands in a file, the answer is a valid configuration or problems with their places."""

import string

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.config.loader import _validated, shipped_dir
from lalelu.config.positions import read_document
from lalelu.config.schema import Config

SEEDS = tuple(path.read_text() for path in sorted(shipped_dir().rglob("*.yaml")))
PLENTY = settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

SCRAPS = st.sampled_from(
    [
        "off",
        "1:30",
        "036",
        "&a",
        "*a",
        "<<: *a",
        "!!int x",
        "!!binary x",
        "[",
        "]",
        "{",
        "}",
        "- ",
        "? ",
        ": ",
        "\t",
        "'",
        '"',
        '"\\ud800"',
        '"\\U00110000"',
        "%YAML 9.9\n",
        "---\n",
        "|\n",
        ">-\n",
        "#",
        "~",
        ".nan",
        "-.inf",
        "9" * 5000,
        "1e999",
        "\x00",
        "\x85",
        "\ufeff",
        "é",
        "2026-01-31",
        "\n",
        "  ",
        "snare:",
        "box:",
        "!<x>",
        "!%ff",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["rock", "sim:", "auto", "acoustic_snare", "left_wrist", "f32", "image", "fixed", "hold"]
    )
    | st.sampled_from(
        ["kick", "hihat", "chord", "zone_enter", "control", "standby", "C4", "mid_hip", "snare"]
    )
)
KEYS = st.sampled_from(
    [
        "camera",
        "uri",
        "pose",
        "threads",
        "player",
        "region",
        "kit",
        "midi",
        "outputs",
        "realtime",
        "core",
        "ledger",
        "name",
        "pads",
        "strike",
        "zone",
        "box",
        "ellipse",
        "half_plane",
        "sector",
        "frame",
        "curve",
        "velocity",
        "choke",
        "threshold",
        "retrigger",
        "note",
        "limbs",
        "channel",
        "mask_ms",
        "required",
        "more_kits",
        "kits",
        "note_map",
        "keypoints",
        "gestures",
        "gesture",
        "by",
        "between",
        "to",
        "controller",
        "bend",
        "osc",
        "where",
        "limb",
        "pad",
        "struck",
        "angle",
    ]
) | st.text(string.printable, max_size=5)
TREES = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=5) | st.dictionaries(KEYS, below, max_size=5),
    max_leaves=20,
)


def judge(text, model):
    document = read_document(text, "fuzz.yaml")
    result = None
    if document.root is not None or not document.problems:
        result = _validated(document, model)
    assert (result is None) == bool(document.problems)
    lines = (
        text.count("\n")
        + text.count("\r")
        + text.count("\x85")
        + text.count("\u2028")
        + text.count("\u2029")
        + 1
    )
    for problem in document.problems:
        assert problem.message
        assert 0 <= problem.line <= lines + 1
        str(problem).encode()  # can be printed
    if result is not None:
        assert model.model_validate(result.model_dump()) == result


@PLENTY
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), SCRAPS), max_size=4),
)
def test_a_damaged_file_is_read_or_explained(seed, edits):
    for where, cut, scrap in edits:
        at = round(where * len(seed))
        seed = seed[:at] + scrap + seed[at + cut :]
    judge(seed, KitConfig if "pads" in seed else Config)


@PLENTY
@given(tree=TREES, kit=st.booleans())
def test_any_tree_of_values_is_read_or_explained(tree, kit):
    judge(yaml.safe_dump(tree, allow_unicode=True), KitConfig if kit else Config)


@settings(PLENTY, max_examples=500)
@given(text=st.text(max_size=60) | st.lists(SCRAPS, max_size=12).map("".join))
def test_any_text_is_read_or_explained(text):
    judge(text, Config)
