"""General MIDI percussion: names for the notes 35..81 of the drum channel (General MIDI System Level 1). Pure data."""

from types import MappingProxyType
from typing import Final

FIRST_NOTE: Final = 35  # of the names below, which follow each other without a gap

# The standard's own words, "Hi" and "High" alike written high.
_NAMES: Final = """
acoustic_bass_drum bass_drum_1 side_stick acoustic_snare hand_clap electric_snare low_floor_tom closed_hi_hat
high_floor_tom pedal_hi_hat low_tom open_hi_hat low_mid_tom high_mid_tom crash_cymbal_1 high_tom ride_cymbal_1
chinese_cymbal ride_bell tambourine splash_cymbal cowbell crash_cymbal_2 vibraslap ride_cymbal_2 high_bongo
low_bongo mute_high_conga open_high_conga low_conga high_timbale low_timbale high_agogo low_agogo cabasa maracas
short_whistle long_whistle short_guiro long_guiro claves high_wood_block low_wood_block mute_cuica open_cuica
mute_triangle open_triangle
""".split()  # noqa: SIM905 - a list literal of 47 lines is harder to compare with the standard

PERCUSSION: Final = MappingProxyType({name: note for note, name in enumerate(_NAMES, FIRST_NOTE)})
