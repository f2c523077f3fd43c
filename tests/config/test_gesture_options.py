"""The vocabulary of a gesture: what each option takes, and how a wrong one is told."""

from typing import get_args

import pytest

from lalelu.config.gestures import Angle, Distance, Gesture, Hold, Kick, PlaceX, PlaceY, ToBend, ToController
from lalelu.config.loader import check_file, load_kit

HEAD = "{name: k, pads: {a: {note: 38, zone: {box: [0, 0, 1, 1]}}, b: {note: C4}}, gestures: {g: "
NAME = "a name of up to 32 letters, digits, _ and -, a letter first"
CHORD = "gesture: chord, pads: [b]"
CONTROL = "gesture: control, by: {x: nose}, between: [0, 1]"
HOLD = "gesture: hold, command: standby"
KINDS = "one of kick, hihat, chord, zone_enter, control, hold"
TARGETS = "a mapping with controller, channel or a mapping with bend, channel or a mapping with osc"
MEASURES = "a mapping with x or a mapping with y or a mapping with angle or a mapping with distance"


def told(gesture, folder):
    path = folder / "kit.yaml"
    path.write_text(f"{HEAD}{gesture}}}}}")
    return [str(problem).partition(": ")[2] for problem in check_file(path)]


@pytest.mark.parametrize(
    ("gesture", "sentence"),
    [
        ("3", f"g is 3; allowed a mapping with gesture: {KINDS}"),
        ("{}", f"g.gesture is missing; add it ({KINDS})"),
        ("{pad: b}", f"g.gesture is missing; add it ({KINDS})"),
        ("{gesture: kik, pad: b}", f'g.gesture is kik; allowed {KINDS}; did you mean "kick"?'),
        ("{gesture: 3}", f"g.gesture is 3; allowed {KINDS}"),
        ("{gesture: [kick]}", f"g.gesture is a list of 1; allowed {KINDS}"),
        ("{gesture: kick}", f"g.pad is missing; add it ({NAME})"),
        ("{gesture: kick, pad: x y}", f"g.pad is x y; allowed {NAME}"),
        (
            "{gesture: kick, pad: b, limbs: 3}",
            f'g.limbs is not known; gestures.g takes {", ".join(Kick.model_fields)}; did you mean "limb"?',
        ),
        ("{gesture: kick, pad: b, min_speed: 0}", "g.min_speed is 0; allowed above 0, at most 20"),
        ("{gesture: kick, pad: b, min_height: 3}", "g.min_height is 3; allowed above 0, at most 2"),
        ("{gesture: kick, pad: b, mask_ms: 501}", "g.mask_ms is 501; allowed 10..500"),
        ("{gesture: kick, pad: b, players: [7]}", "g.players[0] is 7; allowed 0..5"),
        (
            "{gesture: kick, pad: b, players: []}",
            "g.players is a list of 0; allowed a list, not empty or null",
        ),
        ("{gesture: hihat, pad: a}", f"g.open_pad is missing; add it ({NAME})"),
        ("{gesture: hihat, pad: a, open_pad: b, open_at: 2}", "g.open_at is 2; allowed 0..1"),
        (
            "{gesture: hihat, pad: a, open_pad: b, closed_at: 0.6}",
            "g: a hi-hat opens above open_at and closes below closed_at; closed_at must be less",
        ),
        (f"{{{CHORD}, between: [0, 1]}}", f"g.by is missing; add it ({MEASURES})"),
        (f"{{{CHORD}, between: [0, 1], by: {{}}}}", f"g.by is a mapping; allowed {MEASURES}"),
        (f"{{{CHORD}, between: [0, 1], by: {{z: nose}}}}", f"g.by is a mapping; allowed {MEASURES}"),
        (f"{{{CHORD}, between: [0, 1], by: nose}}", f"g.by is nose; allowed {MEASURES}"),
        (
            f"{{{CHORD}, between: [0, 1], by: {{x: nose, y: nose}}}}",
            "g.by.y is not known; gestures.g.by takes x",
        ),
        (
            f"{{{CHORD}, between: [0, 1], by: {{angle: [nose, nose]}}}}",
            "g.by.angle is a list of 2; allowed a list of 3 names",
        ),
        (f"{{{CHORD}, by: {{x: nose}}}}", "g.between is missing; add it (a list of 2 numbers)"),
        (
            f"{{{CHORD}, by: {{x: nose}}, between: [0]}}",
            "g.between is a list of 1; allowed a list of 2 numbers",
        ),
        (f"{{{CHORD}, by: {{x: nose}}, between: [0, 400]}}", "g.between[1] is 400; allowed -360..360"),
        (
            f"{{{CHORD}, by: {{x: nose}}, between: [1, 1]}}",
            "g.between: the two ends are a range's first and last value, at least 0.01 apart",
        ),
        (
            "{gesture: chord, by: {x: nose}, between: [0, 1], pads: []}",
            "g.pads is a list of 0; allowed a list of 1..24 entries",
        ),
        (
            f"{{{CHORD}, by: {{x: nose}}, between: [0, 1], hysteresis: 1}}",
            "g.hysteresis is 1; allowed 0..0.5",
        ),
        (
            f"{{{CHORD}, by: {{x: nose}}, between: [0, 1], struck: a, velocity: 80}}",
            "g: velocity: 80 holds only without struck; the strokes say how loud",
        ),
        (
            "{gesture: zone_enter, limb: nose, pads: [b], zone: {box: [0, 0, 1, 1], margn: 3}}",
            "g.zone.margn is not known; gestures.g.zone takes frame, box",
        ),
        (
            "{gesture: zone_enter, limb: nose, pads: [b, a], zone: {box: [0, 0, 1, 1]}}",
            "g: several pads need a measure that chooses one: add by: and between:",
        ),
        (
            "{gesture: zone_enter, limb: nose, pads: [b], zone: {box: [0, 0, 1, 1]}, by: {x: nose}}",
            "g: by: and between: choose one of several pads, but there is one; leave them out",
        ),
        (
            f"{{{CONTROL}}}",
            f"g.to is missing; add it ({TARGETS})",
        ),
        (f"{{{CONTROL}, to: {{controller: 120}}}}", "g.to.controller is 120; allowed 0..119"),
        (f"{{{CONTROL}, to: {{bend: 25}}}}", "g.to.bend is 25; allowed 1..24"),
        (
            f"{{{CONTROL}, to: {{bend: 2, chanel: 3}}}}",
            'g.to.chanel is not known; gestures.g.to takes bend, channel; did you mean "channel"?',
        ),
        (
            f"{{{CONTROL}, to: {{osc: volume}}}}",
            "g.to.osc is volume; allowed an OSC address such as /voice/pitch",
        ),
        (f"{{{CONTROL}, to: {{bend: 2}}, beta: -1}}", "g.beta is -1; allowed 0..50"),
        (f"{{{HOLD}, where: []}}", "g.where is a list of 0; allowed a list of 1..8 entries"),
        (
            f"{{{HOLD}, where: [{{limb: nose}}]}}",
            "g.where[0] is a mapping; allowed a mapping with limb, zone or a mapping with by, between",
        ),
        (
            f"{{{HOLD}, where: [{{by: {{y: nose}}}}]}}",
            "g.where[0].between is missing; add it (a list of 2 numbers)",
        ),
        (
            f"{{{HOLD}, where: [{{zone: {{box: [0, 0, 1, 1]}}}}]}}",
            f"g.where[0].limb is missing; add it ({NAME})",
        ),
        (
            "{gesture: hold, where: [{by: {y: nose}, between: [0, 1]}], command: stanby}",
            'g.command is stanby; allowed one of standby, tap_tempo, next_kit, take or null; did you mean "standby"?',
        ),
        (
            "{gesture: hold, where: [{by: {y: nose}, between: [0, 1]}]}",
            "g: a hold needs either command: (standby, tap_tempo, next_kit or take) or kit: NAME",
        ),
        (
            "{gesture: hold, where: [{by: {y: nose}, between: [0, 1]}], hold_ms: 20, kit: x}",
            "g.hold_ms is 20; allowed 100..10000",
        ),
    ],
)
def test_each_option_tells_its_rule_once(tmp_path, gesture, sentence):
    assert told(gesture, tmp_path) == [f"gestures.{sentence}"]


def test_a_name_that_is_none_is_told_for_what_it_names(tmp_path):
    path = tmp_path / "kit.yaml"
    path.write_text(
        "name: k\nkeypoints: {1a: {nose: 1}, b: {n se: 1}}\npads: {2: {note: 38}}\ngestures: {x y: {gesture: kick}}\n"
    )
    assert [str(problem).removeprefix(f"{path}:") for problem in check_file(path)] == [
        f"2:13: keypoints.1a is no name for a keypoint; write {NAME}",
        f"2:32: keypoints.b.n se is no name for a keypoint; write {NAME}",
        f"3:8: pads.2 is no name for a pad; write {NAME}",
        f"4:12: gestures.x y is no name for a gesture; write {NAME}",
        f"4:17: gestures.x y.pad is missing; add it ({NAME})",
    ]


def test_the_shipped_gestures_show_every_gesture_with_all_its_options():
    kit = load_kit("gestures", None)
    kinds = get_args(get_args(Gesture)[0])
    used = {kind: set() for kind in kinds}
    for gesture in kit.gestures.values():
        used[type(gesture)] |= gesture.model_fields_set - {"players"}
    # an OSC value needs an output for it, and kit: NAME another kit: both stand there as a comment
    assert used == {kind: set(kind.model_fields) - {"players", "kit"} for kind in kinds}
    assert any(gesture.players is not None for gesture in kit.gestures.values())
    values = [value for gesture in kit.gestures.values() for _, value in gesture]
    holds = [gesture for gesture in kit.gestures.values() if isinstance(gesture, Hold)]
    values += [value for hold in holds for condition in hold.where for _, value in condition]
    assert {type(value) for value in values} >= {PlaceX, PlaceY, Angle, Distance, ToController, ToBend}
