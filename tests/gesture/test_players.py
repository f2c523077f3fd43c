from dataclasses import replace

from drummer import SNARE, poses, stamps, still, strokes

from lalelu.config.kit import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.performance import hit_records
from lalelu.skeleton import COCO17

HIHAT = (-1.3, -0.4)  # out of reach of the snare

# One kit file for two: the first has a snare and a hi-hat on channel 10, the second a conga in the snare's place;
# the cowbell is everybody's.
DUO = KitConfig.model_validate(
    {
        "name": "duo",
        "pads": {
            "snare": {"note": 38, "zone": {"ellipse": [*SNARE, 0.3, 0.3]}, "players": [0]},
            "hihat": {"note": 42, "zone": {"ellipse": [*HIHAT, 0.3, 0.3]}, "players": [0]},
            "conga": {"note": 63, "zone": {"ellipse": [*SNARE, 0.3, 0.3]}, "players": [1], "channel": 11},
            "cowbell": {"note": 56, "zone": {"ellipse": [0.9, -0.7, 0.3, 0.3]}},
        },
    }
)


def played(*, left, right, players=(0, 1, 2)):
    """Let every player make the same strokes: `left` with the left hand first, then `right` with the right one."""
    t = stamps(7.0)
    one, _ = strokes(t, left, hz=2.0, height=0.6, begin=1.0, count=3)
    two, _ = strokes(t, right, hz=2.0, height=0.6, begin=4.0, count=3)
    one[t > 3.0], two[t < 3.5] = still(t, left)[t > 3.0], still(t, right)[t < 3.5]
    detector = Detector(DUO, skeleton=COCO17)
    hits = [
        event
        for pose in poses(t, one, two)
        for player in players
        for event in detector.step(replace(pose, player=player))
    ]
    return hit_records(hits, [DUO], origin_ns=0)


def test_each_player_sounds_the_own_pads_on_the_own_channel():
    found = played(left=HIHAT, right=SNARE)
    assert [(hit.pad, hit.note, hit.channel) for hit in found if hit.player == 0] == (
        [("hihat", 42, 10)] * 3 + [("snare", 38, 10)] * 3
    )
    assert [(hit.pad, hit.note, hit.channel) for hit in found if hit.player == 1] == [("conga", 63, 11)] * 3


def test_a_pad_without_players_is_everybodys_and_others_are_not():
    found = played(left=HIHAT, right=(0.9, -0.7))
    assert [hit.pad for hit in found if hit.player == 2] == ["cowbell"] * 3
    assert [hit.pad for hit in found if hit.player == 0] == ["hihat"] * 3 + ["cowbell"] * 3


def test_a_second_player_changes_nothing_for_the_first():
    alone = played(left=HIHAT, right=SNARE, players=(0,))
    together = played(left=HIHAT, right=SNARE)
    assert [hit for hit in together if hit.player == 0] == alone
