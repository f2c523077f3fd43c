"""What does not go together in a kit is told at its place, with the remedy."""

import pytest

from lalelu.config.kit import KitConfig
from lalelu.config.loader import check_file

ZONE = {"box": (0, 0, 1, 1)}
X = {"x": "nose"}


def found(pads=None, gestures=None, **more):
    """Return the contradictions of a kit whose pads are these and `a`, which hands strike; one text a rule."""
    data = {
        "name": "k",
        "pads": {"a": {"note": 38, "zone": ZONE}, **(pads or {})},
        "gestures": gestures or {},
        **more,
    }
    try:
        KitConfig.model_validate(data)
    except ValueError as exc:
        (error,) = exc.errors()
        return [f"{'.'.join(map(str, path))}: {rule}" for path, rule in error["ctx"]["found"]]
    return []


def chord(*pads, **more):
    return {"gesture": "chord", "by": X, "between": (0, 1), "pads": pads, **more}


@pytest.mark.parametrize(
    ("gesture", "place", "meant"),
    [
        ({"gesture": "kick", "pad": "a", "limb": "right_ancle"}, "limb", "right_ankle"),
        (chord("a", by={"x": "noze"}), "by.x", "nose"),
        (chord("a", by={"angle": ("nose", "left_elbo", "nose")}), "by.angle.1", "left_elbow"),
        (chord("a", by={"distance": ("nose", "mid_hips")}), "by.distance.1", "mid_hip"),
        ({"gesture": "zone_enter", "limb": "left_fist", "zone": ZONE, "pads": ("a",)}, "limb", "left_wrist"),
        (
            {"gesture": "hold", "command": "standby", "where": ({"limb": "leftwrist", "zone": ZONE},)},
            "where.0.limb",
            "left_wrist",
        ),
        (
            {"gesture": "hold", "command": "standby", "where": ({"by": {"y": "heads"}, "between": (0, 1)},)},
            "where.0.by.y",
            "head",
        ),
    ],
)
def test_a_limb_that_nobody_has_is_told_wherever_a_gesture_names_it(gesture, place, meant):
    (rule,) = found(gestures={"g": gesture})
    assert rule.startswith(f"gestures.g.{place}: no keypoint is called so; allowed are nose, ")
    assert rule.endswith(f'; did you mean "{meant}"?')


def test_pads_may_be_struck_by_any_keypoint_and_by_the_kits_own():
    limbs = ("left_elbow", "right_hand", "mid_hip", "right_knee", "tip")
    assert (
        found({"b": {"note": 38, "zone": ZONE, "limbs": limbs}}, keypoints={"tip": {"right_wrist": 1}}) == []
    )
    (rule,) = found({"b": {"note": 38, "zone": ZONE, "limbs": ("left_wrist", "tip")}})
    assert rule.startswith("pads.b.limbs.1: no keypoint is called so; allowed are ")


def test_keypoints_of_the_kit_are_made_of_ones_that_there_are():
    loop = "it is made of itself; make it of keypoints that do not need it"
    keypoints = {
        "nose": {"left_eye": 1},
        "me": {"me": 1},
        "one": {"other": 1},
        "other": {"one": 0.5, "nose": 0.5},
        "above": {"one": 1, "nose": 1},
        "none": {"left_eye": 1, "nose": -1},
        "nearly": {"left_eye": 1, "nose": -0.95},
        "unseen": {"noze": 1},
        "fine": {"above": 0.5, "left_hand": 2},
    }
    cancel = (
        "and cancel each other; change them, so that their sum is more than 0.1 of the sum of their sizes"
    )
    rules = found(keypoints=keypoints)
    assert rules[0].startswith("keypoints.unseen.noze: no keypoint is called so; allowed are nose, ")
    assert rules[0].endswith('fine; did you mean "nose"?')
    assert rules[1:] == [
        "keypoints.nose: a keypoint is called so already; give yours another name",
        f"keypoints.me: {loop}",
        f"keypoints.one: {loop}",
        f"keypoints.other: {loop}",
        f"keypoints.none: its weights add up to 0 {cancel}",
        f"keypoints.nearly: its weights add up to 0.05 {cancel}",
    ]


def test_gestures_play_pads_that_there_are():
    unknown = "no pad is called so; allowed are a, bass"
    assert found(
        {"bass": {"note": 36}},
        {
            "kick": {"gesture": "kick", "pad": "bas"},
            "pedal": {"gesture": "hihat", "pad": "x", "open_pad": "y", "chick_pad": "z"},
            "strum": chord("bass", "o", struck="q"),
            "bell": {"gesture": "zone_enter", "limb": "nose", "zone": ZONE, "pads": ("p",)},
        },
    ) == [
        f'gestures.kick.pad: {unknown}; did you mean "bass"?',
        f"gestures.pedal.open_pad: {unknown}",
        f"gestures.pedal.chick_pad: {unknown}",
        f"gestures.pedal.pad: {unknown}",
        f"gestures.strum.pads.1: {unknown}",
        f"gestures.strum.struck: {unknown}",
        f"gestures.bell.pads.0: {unknown}",
    ]


def test_a_pad_that_nothing_plays_is_told():
    alone = "nothing plays it; add a zone, or name the pad in a gesture"
    assert found({"b": {"note": 38}}) == [f"pads.b: {alone}"]
    for gesture in (
        {"gesture": "kick", "pad": "b"},
        {"gesture": "hihat", "pad": "a", "open_pad": "b"},
        {"gesture": "hihat", "pad": "a", "open_pad": "a2", "chick_pad": "b"},
        chord("b"),
        {"gesture": "zone_enter", "limb": "nose", "zone": ZONE, "pads": ("b",)},
    ):
        assert found({"b": {"note": 38}, "a2": {"note": 38, "zone": ZONE}}, {"g": gesture}) == []
    control = {"gesture": "control", "by": X, "between": (0, 1), "to": {"bend": 2}}
    assert found({"b": {"note": 38}}, {"g": control}) == [f"pads.b: {alone}"]


def test_only_a_pad_that_a_chord_ends_may_hold_its_notes():
    endless = (
        "pads.b.note_ms: strokes, and gestures other than a chord without struck, never end a note; write a time "
        "5..10000, or let only such a chord play the pad"
    )
    held = {"note": 60, "note_ms": "hold"}
    assert found({"b": held}, {"g": chord("b")}) == []
    assert found({"b": {"note": 60, "note_ms": 500}}, {"g": chord("b")}) == []
    assert found({"b": {**held, "zone": ZONE}}, {"g": chord("b")}) == [endless]
    assert found({"b": held}, {"g": chord("b", struck="a")}) == [endless]
    assert found({"b": held}, {"g": chord("b"), "k": {"gesture": "kick", "pad": "b"}}) == [endless]
    bell = {"gesture": "zone_enter", "limb": "nose", "zone": ZONE, "pads": ("b",)}
    assert found({"b": held}, {"g": chord("b"), "bell": bell}) == [endless]


def test_what_is_struck_has_a_zone_and_is_not_what_sounds_instead():
    bare = "hands cannot strike a pad without a zone; add pads.b.zone"
    same = "what is struck cannot be what sounds instead of it; add a pad of its own for that"
    plain = {"b": {"note": 46}}
    pedal = {"gesture": "hihat", "pad": "b", "open_pad": "b"}
    assert found(plain, {"g": pedal}) == [f"gestures.g.pad: {bare}", f"gestures.g.pad: {same}"]
    assert found(plain, {"g": chord("b", struck="b")}) == [
        f"gestures.g.struck: {bare}",
        f"gestures.g.struck: {same}",
    ]
    assert found(plain, {"g": {**pedal, "pad": "a"}}) == []
    assert found(plain, {"g": chord("b", struck="a")}) == []


def test_two_gestures_of_a_player_do_not_decide_the_same():
    pedal = {"gesture": "hihat", "pad": "a", "open_pad": "b", "to": None}
    first, second = {**pedal, "players": (0, 1)}, {**pedal, "players": (2,)}
    pads = {"b": {"note": 46}}
    assert found(pads, {"g": first, "h": second}) == []
    rule = "gestures.g decides already what a plays; strike another pad"
    assert found(pads, {"g": first, "h": {**second, "players": (1, 2)}}) == [f"gestures.h.pad: {rule}"]
    assert found(pads, {"g": pedal, "h": chord("b", struck="a")}) == [f"gestures.h.struck: {rule}"]


def test_two_gestures_of_a_player_do_not_set_the_same():
    foot = {"gesture": "control", "by": X, "between": (0, 1), "to": {"controller": 4}}
    pedal = {"gesture": "hihat", "pad": "a", "open_pad": "b"}  # it sets controller 4 as well
    pads = {"b": {"note": 46}}
    rule = "gestures.h.to: gestures.g sets the same; use another controller, channel or address"
    assert found(pads, {"g": pedal, "h": foot}) == [rule]
    assert found(pads, {"g": pedal, "h": {**foot, "to": {"controller": 4, "channel": 2}}}) == []
    assert found(pads, {"g": {**pedal, "to": None}, "h": foot}) == []
    assert found(pads, {"g": {**pedal, "players": (0,)}, "h": {**foot, "players": (1,)}}) == []


def test_all_of_them_are_told_at_once_at_their_lines(tmp_path):
    path = tmp_path / "kit.yaml"
    path.write_text("""name: k
keypoints:
  tip: {right_wrist: 1, left_wrist: -1}
pads:
  a: {note: 38, zone: {box: [0, 0, 1, 1]}, limbs: [tip, tpi]}
  b: {note: 36, note_ms: hold}
gestures:
  kick: {gesture: kick, pad: bb}
  strum: {gesture: chord, by: {x: nose}, between: [0, 1], pads: [b], struck: b}
""")
    places = [str(problem).removeprefix(f"{path}:").partition(";")[0] for problem in check_file(path)]
    assert places == [
        "3:8: keypoints.tip: its weights add up to 0 and cancel each other",
        "5:57: pads.a.limbs[1] is tpi",
        "6:26: pads.b.note_ms is hold",
        "8:30: gestures.kick.pad is bb",
        "9:78: gestures.strum.struck is b",
    ]
