"""Several kits, several players, and standby: who plays what, and what ends when."""

from dataclasses import replace

import pytest
from drummer import KIT, SNARE, hits, poses, stamps, still, strokes

from lalelu.config.kit import KitConfig
from lalelu.gesture.band import Band
from lalelu.skeleton import COCO17
from lalelu.types import Command, Hit, Release

PERIOD_NS = 10_000_000
OTHER = KitConfig.model_validate(
    {"name": "other", "pads": {"wood": {"note": 76, "zone": {"box": [-3, -1.6, 3, 1]}}}}
)
# The left hand beside the head stands by, above it the next kit is played; its elbow is not needed.
SIGNS = {
    "pause": {
        "gesture": "hold",
        "where": [{"limb": "left_wrist", "zone": {"box": [-1.2, 0.2, -0.4, 0.6]}}],
        "hold_ms": 500,
        "command": "standby",
    },
    "next": {
        "gesture": "hold",
        "where": [{"limb": "left_wrist", "zone": {"box": [-1.2, 1.0, -0.4, 1.6]}}],
        "hold_ms": 500,
        "command": "next_kit",
    },
    "tempo": {
        "gesture": "hold",
        "where": [{"limb": "left_wrist", "zone": {"box": [0.8, 0.2, 1.6, 0.6]}}],
        "hold_ms": 500,
        "command": "tap_tempo",
    },
}
TONE = {
    "tone": {"gesture": "chord", "by": {"y": "left_wrist"}, "between": [-0.4, 0.4], "pads": ["organ"]},
}


def kit(name="signs", gestures=SIGNS, **more):
    pads = {"snare": {"note": 38, "limbs": ["right_wrist"], "zone": {"ellipse": [-0.25, -1.15, 0.3, 0.3]}}}
    if "tone" in gestures:
        pads["organ"] = {"note": [60, 64, 67], "note_ms": "hold"}
    return KitConfig.model_validate({"name": name, "pads": pads, "gestures": gestures, **more})


REST = (-0.6, -1.5)
BESIDE, ABOVE, ACROSS = (-0.8, 0.4), (-0.8, 1.3), (1.2, 0.4)


def play(band, film):
    """Everything that becomes sure, frame by frame; a frame of the film may be None: nobody is seen."""
    found = []
    for seq, shown in enumerate(film):
        stamp = seq * PERIOD_NS
        seen = [] if shown is None else [replace(shown, seq=seq, captured_ns=stamp)]
        found += band.frame(seq, stamp, seen)
    return found


def film(*stages, right=None):
    """The left hand at one place after the other, (seconds, place); the right hand plays the snare."""
    t = stamps(sum(seconds for seconds, _ in stages))
    left = still(t, REST)
    begin = 0.0
    for seconds, place in stages:
        left[(t >= begin) & (t < begin + seconds)] = place
        begin += seconds
    path, truth = strokes(t, SNARE, hz=2.0, height=0.8, begin=0.5, count=int(2 * (t[-1] - 1.0)))
    return poses(t, left, path if right is None else still(t, right)), truth


def struck(events):
    return [event.struck_ns * 1e-9 for event in events if isinstance(event, Hit)]


def named(events, name):
    return [event for event in events if isinstance(event, Command) and event.name == name]


def test_one_kit_and_one_player_play_as_the_detector_does():
    t = stamps(4.0)
    path, _ = strokes(t, SNARE, hz=2.0, height=0.8)
    shown = poses(t, still(t, REST), path)
    assert play(Band([KIT], skeleton=COCO17), shown) == hits(shown, KIT) != []


def test_a_hand_held_beside_the_head_stands_by_and_once_more_plays_on():
    shown, truth = film((2.0, REST), (1.5, BESIDE), (2.0, REST), (1.5, BESIDE), (3.0, REST))
    band = Band([kit()], skeleton=COCO17)
    events = play(band, shown)
    (standby,), (again,) = named(events, "standby"), named(events, "play")
    assert 2.5 <= standby.at_ns * 1e-9 < 2.8
    assert 6.0 <= again.at_ns * 1e-9 < 6.4
    off, on = standby.captured_ns * 1e-9, again.captured_ns * 1e-9
    assert struck(events) == pytest.approx(
        [time for time in truth if time + 0.06 < off or time > on - 0.02], abs=0.05
    )
    assert not band.standby


def test_a_footswitch_stands_by_and_a_second_order_for_it_changes_nothing():
    band = Band([kit()], skeleton=COCO17)
    shown, _ = film((3.0, REST))
    play(band, shown[:100])
    assert [event.name for event in band.toggle(100, 100 * PERIOD_NS)] == ["standby"]
    assert list(band.toggle(100, 100 * PERIOD_NS, standby=True)) == []
    assert [event.name for event in band.toggle(100, 100 * PERIOD_NS, standby=False)] == ["play"]


def test_a_hand_held_above_the_head_plays_the_next_kit():
    shown, truth = film((2.0, REST), (0.9, ABOVE), (4.0, REST))
    events = play(Band([kit(), OTHER], skeleton=COCO17), shown)
    (switched,) = named(events, "kit")
    assert switched.kit == 1
    at = switched.captured_ns * 1e-9
    pads = [(event.pad, event.kit) for event in events if isinstance(event, Hit)]
    before = sum(time + 0.06 < at for time in truth)
    assert pads[:before] == [("snare", 0)] * before
    assert set(pads[before + 1 :]) == {("wood", 1)}


def test_a_pose_for_a_kit_that_is_not_there_changes_nothing():
    sign = {
        "other": {key: value for key, value in SIGNS["next"].items() if key != "command"} | {"kit": "gone"}
    }
    shown, _ = film((2.0, REST), (0.9, ABOVE), (4.0, REST))
    events = play(Band([kit(gestures=sign)], skeleton=COCO17), shown)
    assert named(events, "kit") == []
    assert {event.pad for event in events if isinstance(event, Hit)} == {"snare"}


def test_a_pose_for_a_take_is_told_once_and_the_playing_goes_on():
    sign = {"take": {**SIGNS["next"], "command": "take"}}
    shown, truth = film((2.0, REST), (0.9, ABOVE), (4.0, REST))
    events = play(Band([kit(gestures=sign)], skeleton=COCO17), shown)
    (take,) = named(events, "take")
    assert 2.5 <= take.at_ns * 1e-9 < 2.8
    assert struck(events) == pytest.approx(truth, abs=0.05)


def test_a_program_change_switches_everybody_and_ends_what_sounds():
    shown, _ = film((1.5, REST), (2.0, (-0.6, 0.0)), right=(0.5, -1.5))
    band = Band([kit(gestures=TONE), OTHER], skeleton=COCO17)
    sounding = [event for event in play(band, shown) if isinstance(event, Hit | Release)]
    assert [(type(event), event.pad) for event in sounding] == [(Hit, "organ")]
    released, switched = band.switch(1, 400, 400 * PERIOD_NS)
    assert isinstance(released, Release)
    assert (released.pad, released.kit) == ("organ", 0)
    assert (switched.name, switched.kit) == ("kit", 1)
    assert band.kit_of(0) == band.kit_of(5) == 1
    with pytest.raises(IndexError):
        band.switch(2, 401, 401 * PERIOD_NS)


def test_a_player_who_walks_away_leaves_no_chord_sounding():
    shown, _ = film((1.5, REST), (2.0, (-0.6, 0.0)), right=(0.5, -1.5))
    events = play(Band([kit(gestures=TONE)], skeleton=COCO17), [*shown, *[None] * 100])
    assert [type(event) for event in events] == [Hit, Release]
    assert events[1].captured_ns == pytest.approx((len(shown) + 50) * PERIOD_NS, abs=2 * PERIOD_NS)


def test_standing_by_ends_a_chord_and_playing_on_sounds_it_again():
    shown, _ = film((1.5, REST), (4.0, (-0.6, 0.0)), right=(0.5, -1.5))
    band = Band([kit(gestures=TONE)], skeleton=COCO17)
    assert [type(event) for event in play(band, shown[:300])] == [Hit]
    ended = band.toggle(300, 300 * PERIOD_NS)
    assert [type(event) for event in ended] == [Release, Command]
    quiet = [event for pose in shown[301:400] for event in band.frame(pose.seq, pose.captured_ns, [pose])]
    assert quiet == []
    band.toggle(400, 400 * PERIOD_NS)
    again = [event for pose in shown[401:500] for event in band.frame(pose.seq, pose.captured_ns, [pose])]
    assert [type(event) for event in again] == [Hit]


def test_strokes_beside_a_hand_that_is_held_for_it_tap_the_tempo():
    shown, truth = film((2.0, REST), (3.0, ACROSS), (2.0, REST))
    events = play(Band([kit()], skeleton=COCO17), shown)
    taps = [tap.at_ns * 1e-9 for tap in named(events, "tap")]
    assert taps == pytest.approx([time for time in truth if 2.45 < time < 5.05], abs=0.05)
    assert sorted([*taps, *struck(events)]) == pytest.approx(truth, abs=0.05)


def test_players_have_kits_of_their_own():
    t = stamps(4.0)
    path, truth = strokes(t, SNARE, hz=2.0, height=0.8, count=5)
    shown = poses(t, still(t, REST), path)
    band = Band([KIT, OTHER], skeleton=COCO17, player_kits={1: 1})
    found = []
    for pose in shown:
        found += band.frame(pose.seq, pose.captured_ns, [pose, replace(pose, player=1)])
    assert [hit.pad for hit in found if hit.player == 0] == ["snare"] * len(truth)
    assert [(hit.pad, hit.kit) for hit in found if hit.player == 1] == [("wood", 1)] * len(truth)


def test_a_band_that_follows_plays_and_stands_by_as_it_is_told_whatever_players_show():
    signs, truth = film((2.0, REST), (1.5, BESIDE), (2.0, REST), (0.9, ABOVE), (2.0, REST))
    band = Band([kit(), OTHER], skeleton=COCO17, follows=True)
    events = play(band, signs)
    assert (band.standby, band.playing) == (False, ("signs", {}))
    assert not any(isinstance(event, Command) for event in events)
    assert struck(events) == pytest.approx(truth, abs=0.05)
    band.follow("other", {1: "signs", 2: "gone"}, 0, 0)
    assert [band.kit_name(player) for player in range(3)] == ["other", "signs", "other"]
    assert band.playing == ("other", {1: "signs"})


def test_what_sounds_ends_when_a_band_follows_to_another_kit():
    tone = kit(gestures=TONE)
    band = Band([tone, OTHER], skeleton=COCO17, follows=True)
    shown, _ = film((2.0, (-0.6, 0.0)))
    assert any(isinstance(event, Hit) for event in play(band, shown))
    assert list(band.follow("signs", {}, 200, 200 * PERIOD_NS)) == []
    ended = band.follow("other", {}, 200, 200 * PERIOD_NS)
    assert [(type(event), event.pad) for event in ended] == [(Release, "organ")]
