from lalelu.config.general_midi import PERCUSSION


def test_the_names_are_the_47_sounds_of_the_standard():
    assert list(PERCUSSION.values()) == list(range(35, 82))
    anchors = {"acoustic_bass_drum": 35, "acoustic_snare": 38, "closed_hi_hat": 42, "high_floor_tom": 43}
    anchors |= {"open_hi_hat": 46, "crash_cymbal_1": 49, "ride_cymbal_1": 51, "cowbell": 56, "low_conga": 64}
    anchors |= {"claves": 75, "open_triangle": 81}
    assert {name: PERCUSSION[name] for name in anchors} == anchors
