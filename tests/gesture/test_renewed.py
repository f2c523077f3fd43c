"""Other kits while somebody plays: no stroke is lost, what is held ends, and nothing is left in memory."""

import pytest
from drummer import KIT, SNARE, poses, stamps, still, strokes
from test_band import OTHER, PERIOD_NS, REST, TONE, kit, play

from lalelu.config.kit import KitConfig
from lalelu.gesture.band import Band
from lalelu.skeleton import COCO17
from lalelu.types import Hit, Release

PLAIN = {"player_kits": {}, "left_handed": False, "lead_ms": 0.0, "chokes": False}


def renew(band, kits, seq=0, **options):
    """Have the band play other kits; what ended with that, and with what it had played."""
    steps = band.renewed(kits, **{**PLAIN, **options})
    while True:
        try:
            next(steps)
        except StopIteration as exc:
            fresh = exc.value
            break
    ended = list(band.pause(seq, seq * PERIOD_NS))
    band.become(fresh)
    for _ in fresh.dismantle():
        pass
    return ended


def drummer(seconds=4.0):
    t = stamps(seconds)
    right, _ = strokes(t, SNARE, hz=4.0, height=0.8, begin=0.5, count=12)
    return poses(t, still(t, REST), right)


def renamed(section, **names):
    """A kit with other names of its pads."""
    data = section.model_dump(mode="json", exclude_defaults=True)
    data["pads"] = {names.get(name, name): pad for name, pad in data["pads"].items()}
    return KitConfig.model_validate(data)


def struck(events):
    return [(event.struck_ns, event.pad, event.strength) for event in events if isinstance(event, Hit)]


def test_a_drummer_whose_kit_is_saved_again_and_again_plays_as_if_it_were_not():
    film = drummer()
    alone = struck(play(Band([KIT], skeleton=COCO17), film))
    band, found = Band([KIT], skeleton=COCO17), []
    for seq, pose in enumerate(film):
        found += band.frame(seq, pose.captured_ns, [pose])
        if seq % 7 == 0:
            assert renew(band, [KIT], seq) == []
    assert struck(found) == alone
    assert len(alone) == 12


def test_from_one_frame_to_the_next_other_pads_sound():
    film = drummer()
    alone = struck(play(Band([KIT], skeleton=COCO17), film))
    band, found = Band([KIT], skeleton=COCO17), []
    for seq, pose in enumerate(film):
        found += band.frame(seq, pose.captured_ns, [pose])
        if seq == 200:
            renew(band, [renamed(KIT, snare="cowbell")], seq)
    pads = [pad for _, pad, _ in struck(found)]
    assert pads == ["snare"] * pads.count("snare") + ["cowbell"] * pads.count("cowbell")
    assert min(pads.count("snare"), pads.count("cowbell")) >= 4
    assert [at for at, _, _ in struck(found)] == [at for at, _, _ in alone]


def test_other_rules_of_a_stroke_hold_from_then_on():
    film = drummer()
    band, found = Band([KIT], skeleton=COCO17), []
    stricter = KitConfig.model_validate(
        {**KIT.model_dump(mode="json", exclude_defaults=True), "strike": {"min_height": 1.5}}
    )
    for seq, pose in enumerate(film):
        found += band.frame(seq, pose.captured_ns, [pose])
        if seq == 200:
            before = len(struck(found))
            renew(band, [stricter], seq)
    assert 0 < before == len(struck(found)) < 12


def test_a_chord_that_is_held_ends():
    t = stamps(1.0)
    band = Band([kit(gestures=TONE)], skeleton=COCO17)
    begun = play(band, poses(t, still(t, (-0.6, 0.1)), still(t, (0.6, -1.5))))
    assert [event.pad for event in begun] == ["organ"]
    (ended,) = renew(band, [KIT], 100)
    assert isinstance(ended, Release)
    assert (ended.pad, ended.kit, ended.at_ns) == ("organ", 0, 100 * PERIOD_NS)


def test_everybody_plays_on_on_the_kit_of_the_same_name():
    band = Band([KIT, OTHER], skeleton=COCO17, player_kits={1: 1})
    band.switch(1, 0, 0)
    third = renamed(KIT).model_copy(update={"name": "third"})
    renew(band, [KIT, third, OTHER], player_kits={1: 2})
    assert [band.kit_of(player) for player in (0, 1, 5)] == [2, 2, 2]
    renew(band, [KIT, third], player_kits={})  # that kit has gone, and everybody begins otherwise
    assert [band.kit_of(player) for player in (0, 1)] == [0, 0]


def test_another_first_kit_has_everybody_begin_anew():
    band = Band([KIT, OTHER], skeleton=COCO17)
    renew(band, [OTHER, KIT])
    assert band.kit_of(0) == 0


def test_a_standby_lasts():
    film = drummer()
    band = Band([KIT], skeleton=COCO17)
    play(band, film[:60])
    band.toggle(60, 60 * PERIOD_NS)
    renew(band, [KIT], 60)
    assert [band.standby, struck(play(band, film))] == [True, []]


@pytest.mark.parametrize("gestures", [{}, TONE], ids=["pads", "gestures"])
def test_what_was_played_with_is_freed_without_a_garbage_collector(gestures, no_garbage):
    film = drummer(1.0)
    band = Band([kit(gestures=gestures)], skeleton=COCO17)
    with no_garbage():
        for round_ in range(20):
            play(band, film)
            renew(band, [kit(gestures=gestures)], round_)
