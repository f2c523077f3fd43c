"""Other kits for a voice that plays: what was struck before sounds as it would have, what comes after is new."""

from pathlib import Path

import pytest

from lalelu.channel import create_ring
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.offer import RING, OfferWriter, Performance, pieces
from lalelu.session import PIECE_BYTES, PIECES, Plan, Recording, Session, create_session
from lalelu.voice.coming import Coming
from lalelu.voice.message import CENTRE, note_off, note_on, pitch_bend
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.voice import SIGNAL_NS, SIGNAL_VELOCITY, Strike, Voice

MS = 1_000_000
BOX = {"box": [-1, -1, 1, 0]}


def kit(*notes, **more):
    pads = {f"p{note}": {"note": note, "zone": BOX} for note in notes}
    return KitConfig.model_validate({"name": "k", "note_ms": 50, "pads": pads, **more})


ORGAN = {"p60": {"note": 60, "note_ms": "hold"}}
CHORD = {"g": {"gesture": "chord", "by": {"y": "left_elbow"}, "between": [0, 1], "pads": ["p60"]}}
HELD = KitConfig.model_validate({"name": "k", "pads": ORGAN, "gestures": CHORD})
OLD, NEW = kit(38, 42), kit(60, 61, 62)


class House:
    """A voice on a clock of its own, and the desk's end of what it is offered."""

    def __init__(self, session, first=OLD, **options):
        self.ns = 0
        self.output = MemoryOutput()
        self._heard = 0  # messages
        self.voice = Voice([self.output], [first], now_ns=lambda: self.ns, **options)
        self.voice.open()
        self.told = []
        self.coming = Coming(session, self.voice, 0, lambda **values: self.told.append(values))
        self.writer = OfferWriter(session)

    def offer(self, epoch, *kits, **options):
        """Offer kits, and let the voice make them ready."""
        self.writer.write(pieces(Performance.of(epoch, Config.model_validate(options), kits)))
        while self.coming.busy:
            self.coming.step()

    def strike(self, pad, at_ns=0):
        self.voice.add(Strike(1, at_ns, at_ns, 0.5, 0, 10, pad))

    def sound(self, at_ns):
        self.ns = at_ns
        self.voice.advance(at_ns)
        sent = [message for _, message in self.output.sent]
        fresh, self._heard = sent[self._heard :], len(sent)
        return fresh


@pytest.fixture
def session(tmp_path: Path):
    create_ring(tmp_path / RING, PIECE_BYTES, PIECES)
    return Session(tmp_path)


def test_kits_are_made_ready_and_played_only_from_the_engines_first_word_on(session):
    house = House(session)
    house.offer(1, NEW)
    assert house.told == [{"prepared": 1}]
    house.strike(1)
    assert house.sound(1) == [note_on(10, 38, 64)]
    assert house.coming.change(1).delay_ms == 0.0
    assert house.told[1:] == [{"epoch": 1}]
    house.strike(3, 2)
    assert house.sound(2) == [note_on(10, 62, 64)]
    assert house.sound(60 * MS) == [note_off(10, 38), note_off(10, 62)]


def test_what_was_struck_before_sounds_as_it_would_have(session):
    choking = kit(38, 42)
    pads = {name: pad.model_copy(update={"choke": "c"}) for name, pad in choking.pads.items()}
    choking = choking.model_copy(update={"pads": pads})
    house = House(session, choking, delay_ns=20 * MS)
    house.offer(1, kit(42, 38, 50))
    house.strike(1)
    house.strike(2, 10 * MS)
    house.coming.change(1)
    house.strike(2, 20 * MS)  # the new kit's pad of this number, and of the first's note
    assert house.sound(20 * MS) == [note_on(10, 38, 64)]
    assert house.sound(30 * MS) == [note_off(10, 38), note_on(10, 42, 64)]  # choked, as in the old kit
    assert house.sound(40 * MS) == [note_on(10, 38, 64)]  # chokes nothing
    house.sound(100 * MS)
    assert house.output.sounding == set()


def test_a_release_of_another_epoch_ends_nothing_and_a_held_note_is_ended_by_its_own(session):
    house = House(session, HELD)
    house.offer(1, HELD)
    house.strike(1)
    assert house.sound(1) == [note_on(10, 60, 64)]
    house.voice.release(0, 1, 2)  # as the engine does before it changes over
    house.coming.change(1)
    house.strike(1, 3)
    assert house.sound(4) == [note_off(10, 60), note_on(10, 60, 64)]
    house.voice.release(0, 1, 5)
    assert house.sound(6) == [note_off(10, 60)]


def test_a_wheel_that_the_old_kit_has_turned_is_let_go(session):
    bending = kit(38, gestures={"g": {"gesture": "control", "by": {"y": "left_elbow"}, "between": [0, 1],
                                      "to": {"bend": 2}}})  # fmt: skip
    house = House(session, bending)
    house.offer(1, NEW)
    house.voice.control(1, 0, 1.0, 0)
    assert len(house.sound(1)) >= 1
    house.coming.change(1)
    assert house.sound(2) == [pitch_bend(10, CENTRE)]


def test_only_a_delay_changes_where_that_is_all(session):
    house = House(session)
    house.offer(1, timing={"delay_ms": "auto"})
    assert house.coming.change(1).delay_ms is None
    house.strike(2)
    assert house.sound(1) == [note_on(10, 42, 64)]


def test_players_channels_change_with_the_kits(session):
    house = House(session)
    house.offer(1, NEW, player={"channels": [5]})
    house.coming.change(1)
    house.strike(1)
    assert house.sound(1) == [note_on(5, 60, 64)]


def test_a_file_that_cannot_be_used_is_heard_softly_and_leaves_no_row(session):
    house = House(session)
    house.writer.complain(10, 76)
    house.coming.step()
    assert house.voice.advance(1) == []
    assert house.sound(1) == [note_on(10, 76, SIGNAL_VELOCITY)]
    assert house.sound(SIGNAL_NS + 1) == [note_off(10, 76)]


def test_half_an_offer_is_given_up_and_the_next_is_taken(session):
    house = House(session)
    house.writer.write(pieces(Performance.of(1, Config(), (NEW,)))[:2])
    house.offer(2, NEW)  # which ends the first in its midst
    house.offer(2, NEW)
    assert house.told == [{"prepared": 2}]


def test_a_voice_that_comes_between_offer_and_change_reads_what_the_engine_plays(tmp_path):
    plan = Plan(Config(), (OLD,), Recording(), core=None)
    session, lock = create_session(plan, {"RUNTIME_DIRECTORY": str(tmp_path)}, keypoints=17)
    with lock:
        session.keep_plan(Plan(Config(), (NEW,), Recording(), core=None), 257)
        house = House(session)
        house.coming.change(1)  # 257 modulo 256
        assert house.coming.epoch == 257
        house.strike(3)
        assert house.sound(1) == [note_on(10, 62, 64)]
    session.remove()


def test_a_voice_that_reads_that_only_the_delay_changed_has_what_it_holds_released(tmp_path):
    session, lock = create_session(
        Plan(Config(), (HELD,), Recording(), core=None), {"RUNTIME_DIRECTORY": str(tmp_path)}, keypoints=17
    )
    with lock:
        later = Config.model_validate({"timing": {"delay_ms": 20}})
        session.keep_plan(Plan(later, (HELD,), Recording(), core=None), 1)
        house = House(session, HELD)
        house.strike(1)
        house.sound(1)
        assert house.coming.change(1).delay_ms == 20
        house.voice.release(0, 1, 2)
        assert house.sound(3) == [note_off(10, 60)]
        assert house.coming.change(5) is None  # and not what was at the start
        assert (house.coming.epoch, house.coming.unknown) == (1, 5)
        session.keep_plan(Plan(Config(), (NEW,), Recording(), core=None), 6)
        assert house.coming.change(6).epoch == 6
        assert house.coming.change(0).epoch == 0
    session.remove()
