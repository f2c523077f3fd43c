"""How a kit writes its notes: numbers, pitches such as C4, and percussion names, which each instrument maps. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from lalelu.config.general_midi import PERCUSSION
from lalelu.registry import did_you_mean

NoteMapName: TypeAlias = Literal["general_midi", "roland_td", "superior_drummer_3", "logic_garageband"]

_HIGHEST: Final = 127
_MIDDLE_C: Final = 60  # C4, as most instruments count; some call it C3 or C5
_PITCH: Final = "[A-G][#b]?(-1|[0-9])"
_SEMITONES: Final = MappingProxyType(
    {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "#": 1, "b": -1, "": 0}
)

# What these play for a name where it is not General MIDI's note; the other names keep that one, also those for which
# the instrument has no sound of its own.
_OVERRIDES: Final[Mapping[NoteMapName, Mapping[str, int]]] = MappingProxyType(
    {
        "general_midi": {},
        # Roland's "TD-17 Default Factory MIDI Note Map": one kick; 47 and 50 are the rims of its toms 45 and 48
        "roland_td": {"acoustic_bass_drum": 36, "low_mid_tom": 45, "high_tom": 48},
        # Toontrack's default layout (a published drum map of it): one kick at 36, the hi-hat's pedal at 21, its third
        # opening of five at 26; 50 mutes a crash
        "superior_drummer_3": {
            "acoustic_bass_drum": 36,
            "pedal_hi_hat": 21,
            "open_hi_hat": 26,
            "high_tom": 48,
        },
        # the default notes in Logic's own script "Drum Kit Designer Mapper": 44 is the shank of the stick, 33 the
        # foot; toms at 41, 45, 47 and 48
        "logic_garageband": {
            "acoustic_bass_drum": 36,
            "pedal_hi_hat": 33,
            "high_floor_tom": 41,
            "high_tom": 48,
        },
    }
)
# name of the instrument -> percussion name -> its note
NOTE_MAPS: Final[Mapping[NoteMapName, Mapping[str, int]]] = MappingProxyType(
    {name: MappingProxyType({**PERCUSSION, **_OVERRIDES[name]}) for name in get_args(NoteMapName)}
)


def note_number(value: object, info: ValidationInfo) -> object:
    """Return the note that a pitch or a percussion name stands for; what is not text is left for the range check.

    The validation's context may name the instrument, as in {"note_map": "roland_td"}; General MIDI without one.
    Raises ValueError for a name that there is not.
    """
    if not isinstance(value, str):
        return value
    if re.fullmatch(_PITCH, value):
        return _of_pitch(value)
    note_map: NoteMapName = (info.context or {}).get("note_map", "general_midi")
    if value not in PERCUSSION:
        raise ValueError(
            "no pitch and no General MIDI percussion sound is called so; write a pitch such as C4 (which is 60), F#3 "
            f"or Bb2, a name such as acoustic_snare, or a number 0..127{did_you_mean(value, PERCUSSION)}"
        )
    return NOTE_MAPS[note_map][value]


def _of_pitch(pitch: str) -> int:
    octave = int(pitch.lstrip("ABCDEFG#b"))
    sign = pitch[1] if pitch[1] in "#b" else ""
    note = _MIDDLE_C + 12 * (octave - 4) + _SEMITONES[pitch[0]] + _SEMITONES[sign]
    if not 0 <= note <= _HIGHEST:
        raise ValueError(f"that is note {note}; MIDI has C-1 (0) to G9 (127)")
    return note


NoteNumber: TypeAlias = Annotated[
    int,
    Field(ge=0, le=_HIGHEST),
    BeforeValidator(note_number),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _HIGHEST},
                {"type": "string", "enum": list(PERCUSSION)},
                {"type": "string", "pattern": f"^{_PITCH}$", "description": "a pitch such as C4"},
            ]
        }
    ),
]
