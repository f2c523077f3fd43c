import mido
import pytest
from pydantic import TypeAdapter, ValidationError

from lalelu.config.general_midi import PERCUSSION
from lalelu.config.notes import NOTE_MAPS, NoteNumber

NOTE = TypeAdapter(NoteNumber)
ROCK = ("acoustic_bass_drum", "bass_drum_1", "side_stick", "acoustic_snare", "closed_hi_hat", "pedal_hi_hat")
ROCK += (
    "open_hi_hat",
    "low_floor_tom",
    "high_floor_tom",
    "low_tom",
    "low_mid_tom",
    "high_mid_tom",
    "high_tom",
)
ROCK += ("crash_cymbal_1", "crash_cymbal_2", "ride_cymbal_1", "ride_bell")


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


@pytest.mark.parametrize(
    ("pitch", "note"),
    [
        ("C4", 60),
        ("A4", 69),
        ("F#3", 54),
        ("Bb2", 46),
        ("C-1", 0),
        ("G9", 127),
        ("Cb4", 59),
        ("B#3", 60),
        ("E2", 40),
    ],
)
def test_a_pitch_is_counted_from_c4_as_60(pitch, note):
    assert NOTE.validate_python(pitch) == note


@pytest.mark.parametrize(("pitch", "note"), [("G#9", 128), ("B9", 131), ("Cb-1", -1)])
def test_a_pitch_that_midi_does_not_have_is_refused_with_its_number(pitch, note):
    with pytest.raises(ValidationError, match=rf"that is note {note}; MIDI has C-1 \(0\) to G9 \(127\)"):
        NOTE.validate_python(pitch)


@pytest.mark.parametrize("text", ["c4", "H3", "C##4", "C10", "C-2", "C", "4", "", "C 4", "C4\n"])
def test_what_is_no_pitch_is_told_how_to_write_one(text):
    with pytest.raises(ValidationError, match=r"write a pitch such as C4 \(which is 60\), F#3 or Bb2"):
        NOTE.validate_python(text)


@pytest.mark.parametrize("name", NOTE_MAPS)
def test_every_instrument_has_a_note_for_every_name(name):
    assert list(NOTE_MAPS[name]) == list(PERCUSSION)
    assert all(0 <= note <= 127 for note in NOTE_MAPS[name].values())


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("general_midi", (35, 36, 37, 38, 42, 44, 46, 41, 43, 45, 47, 48, 50, 49, 57, 51, 53)),
        ("roland_td", (36, 36, 37, 38, 42, 44, 46, 41, 43, 45, 45, 48, 48, 49, 57, 51, 53)),
        ("superior_drummer_3", (36, 36, 37, 38, 42, 21, 26, 41, 43, 45, 47, 48, 48, 49, 57, 51, 53)),
        ("logic_garageband", (36, 36, 37, 38, 42, 33, 46, 41, 41, 45, 47, 48, 48, 49, 57, 51, 53)),
    ],
)
def test_a_name_is_the_note_that_the_instrument_has_for_it(name, notes):
    assert tuple(NOTE_MAPS[name][drum] for drum in ROCK) == notes


@pytest.mark.parametrize("fixed", [46, "Bb2"])
def test_numbers_and_pitches_are_the_same_for_every_instrument(fixed):
    notes = {NOTE.validate_python(fixed, context={"note_map": name}) for name in NOTE_MAPS}
    assert notes == {46}
    assert NOTE.validate_python("open_hi_hat", context={"note_map": "superior_drummer_3"}) == 26
