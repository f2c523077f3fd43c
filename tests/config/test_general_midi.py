import mido
import pytest
from pydantic import TypeAdapter, ValidationError

from lalelu.config.general_midi import PERCUSSION, NoteNumber

NOTE = TypeAdapter(NoteNumber)


def test_the_names_are_the_47_sounds_of_the_standard():
    assert list(PERCUSSION.values()) == list(range(35, 82))
    anchors = {"acoustic_bass_drum": 35, "acoustic_snare": 38, "closed_hi_hat": 42, "high_floor_tom": 43}
    anchors |= {"open_hi_hat": 46, "crash_cymbal_1": 49, "ride_cymbal_1": 51, "cowbell": 56, "low_conga": 64}
    anchors |= {"claves": 75, "open_triangle": 81}
    assert {name: PERCUSSION[name] for name in anchors} == anchors


@pytest.mark.parametrize("name", PERCUSSION)
def test_every_name_becomes_a_note_that_a_midi_message_takes(name):
    assert mido.Message("note_on", note=NOTE.validate_python(name)).note == PERCUSSION[name]


@pytest.mark.parametrize("number", [0, 38, 127])
def test_a_number_in_range_stays(number):
    assert NOTE.validate_python(number) == number


@pytest.mark.parametrize("number", [-1, 128])
def test_a_number_out_of_range_is_refused(number):
    with pytest.raises(ValidationError):
        NOTE.validate_python(number)


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(ValidationError, match='did you mean "acoustic_snare"'):
        NOTE.validate_python("acustic_snare")
