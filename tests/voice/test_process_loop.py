"""The voice's loop within this process: outputs that fail, hits that are lost, and when an engine counts as stuck."""

import os
import time

import numpy as np
import pytest

from lalelu.bulletin import Bulletin
from lalelu.channel import RingReader, RingWriter, create_ring
from lalelu.clock import slept_ns
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import PortLostError
from lalelu.ledger.schema import FRAME, NOTE_DTYPE
from lalelu.session import Plan, Recording
from lalelu.skeleton import COCO17
from lalelu.types import Command, Hit, Release
from lalelu.voice.delay import BAR, FIRST_MS, AutoDelay
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.process import EnginePulse, VoiceProcess
from lalelu.voice.recovery import Recovery
from lalelu.voice.reports import Reports
from lalelu.voice.voice import Strike, Voice
from lalelu.wire import EngineRings, EventRing

MS = 1_000_000
NOTES = [(2, 60), (2, 64), (2, 67), (10, 38)]  # of the pads chord and snare


class House:
    """A voice's loop in this process, the rings of its engine, and the engine's death."""

    def __init__(self, stage, kit, *outputs, once=False, auto=None, relays=None):
        self.said = []
        self.events = stage.said
        bell = os.eventfd(0)
        engine, self._life = os.pipe()
        self._descriptors = [bell, engine, self._life]
        self.voice = Voice(outputs, [kit], now_ns=time.monotonic_ns)
        self.voice.open()
        session = stage.session
        self.problems = []
        events = EventRing(session, "voice")
        recovery = Recovery(
            self.voice, relays or {}, say=self.said.append, tell=self.problems.append, record=events.write
        )
        self._process = VoiceProcess(
            session, self.voice, self.said.append,
            once=once, bell=bell, engine=engine, events=events, recovery=recovery,
            reports=Reports(self.voice, Bulletin(session / "voice")), auto=auto,
        )  # fmt: skip
        self.notes = RingReader(session / "notes")
        self.rings = EngineRings(session, bell, kits=[kit], skeleton=COCO17, keeps_poses=False)

    def play(self, *pads, ago_ms=0):
        """Have the engine play `pads`, struck `ago_ms` ago, finish and die, and the voice sound it all."""
        at_ns = time.monotonic_ns()
        struck_ns = at_ns - ago_ms * MS
        self.send([Hit(0, at_ns, struck_ns, 0, "right_wrist", pad, 0.5) for pad in pads])

    def send(self, events):
        """Have the engine send `events`, finish and die, and the voice obey it all."""
        self.rings.send(events)
        self.rings.finish()
        os.close(self._descriptors.pop())
        try:
            self._process.run()
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)


def test_an_output_that_fails_in_a_chord_is_said_once_and_the_other_has_all(stage, kit):
    bad, good = MemoryOutput(), MemoryOutput()
    bad.fail_after(2)
    house = House(stage("memory:"), kit, bad, good)
    house.play("chord", "snare")
    assert [message for _, message in good.sent] == [
        *(note_on(*note, 64) for note in NOTES),
        *(note_off(*note) for note in NOTES),
    ]
    assert house.said == ["MIDI output memory: is lost; fail_after() asked for it"]
    assert [kind for kind, _ in house.events()] == ["lost"]


def test_with_once_a_lost_output_ends_the_loop_and_the_others_notes(stage, kit):
    bad, good = MemoryOutput(), MemoryOutput()
    bad.fail_after(1)
    house = House(stage("memory:"), kit, bad, good, once=True)
    with pytest.raises(PortLostError, match="memory: is lost"):
        house.play("chord")
    notes = NOTES[:3]
    assert [message for _, message in good.sent] == [
        *(note_on(*note, 64) for note in notes),
        *(note_off(*note) for note in notes),
    ]
    assert house.said == []


def test_hits_that_came_faster_than_the_voice_took_them_are_counted(stage, kit):
    output = MemoryOutput()
    house = House(stage("memory:"), kit, output)
    house.play(*["snare"] * 1500)
    ((kind, text),) = house.events()
    lost = int(text.split()[0])
    assert (kind, text) == ("hits lost", f"{lost} hits came faster than the voice took them")
    assert 0 < lost < 1500
    played = [message for _, message in output.sent if message == note_on(10, 38, 64)]
    assert len(played) == 1500 - lost
    assert output.sounding == set()


def test_hits_that_come_too_late_for_the_automatic_delay_raise_it_and_it_is_said(stage, kit):
    output, auto = MemoryOutput(), AutoDelay()
    house = House(stage("memory:"), kit, output, auto=auto)
    house.play(*["snare"] * BAR, ago_ms=100)
    assert auto.delay_ms > 100
    assert house.said == [f"timing: the delay is now {auto.delay_ms} ms: 99 % of hits keep it"]
    assert house.events() == [("delay", house.said[0])]


def test_notes_that_wait_keep_the_time_they_were_given_when_the_delay_changes(stage, kit):
    house = House(stage("memory:"), kit, MemoryOutput(), auto=AutoDelay())
    house.play(*["snare"] * BAR, ago_ms=100)
    rows = np.frombuffer(b"".join(house.notes.read(0).records), NOTE_DTYPE)
    assert (rows["due_ns"] - rows["struck_ns"]).tolist() == [FIRST_MS * MS] * BAR


def test_the_automatic_delay_learns_from_hits_only(stage, kit):
    auto = AutoDelay()
    house = House(stage("memory:"), kit, MemoryOutput(), auto=auto)
    long_ago_ns = time.monotonic_ns() - 400 * MS
    releases = [Release(0, long_ago_ns, long_ago_ns, 0, "snare")] * BAR
    taps = [Command(0, long_ago_ns, 0, "tap", long_ago_ns)] * BAR
    house.send(releases + taps)
    assert (auto.delay_ms, house.said) == (FIRST_MS, [])


def test_the_automatic_delay_does_not_learn_from_hits_that_were_dropped_because_the_voice_stood_still(
    stage, kit
):
    output, auto = MemoryOutput(), AutoDelay()
    house = House(stage("memory:"), kit, output, auto=auto)
    house._process._away.look(time.monotonic_ns() - 5000 * MS, slept_ns())
    house.play(*["snare"] * BAR, ago_ms=400)
    assert (auto.delay_ms, output.sent) == (FIRST_MS, [])
    assert [kind for kind, _ in house.events()] == ["silenced"]


def test_a_fixed_delay_that_comes_with_late_hits_is_no_news_of_the_automatic_one(stage, kit):
    played = stage("memory:")
    house = House(played, kit, MemoryOutput(), auto=AutoDelay())
    fixed = Config.model_validate({"timing": {"delay_ms": 20}})
    played.session.keep_plan(Plan(fixed, (kit,), Recording(), core=None), 1)
    at_ns = time.monotonic_ns()
    house.rings.send([Hit(0, at_ns, at_ns - 100 * MS, 0, "right_wrist", "snare", 0.5)] * BAR)
    house.rings.renew(1, None)
    house.play("snare")
    assert (house.said, house.events()) == ([], [])
    assert house.voice.delay_ns == 20 * MS


def test_what_the_engine_plays_by_a_configuration_that_nobody_knows_is_left_out(stage, kit):
    output = MemoryOutput()
    house = House(stage("memory:"), kit, output)
    house.rings.renew(5, None)
    house.play("snare", "chord")
    assert output.sent == []
    assert [(kind, text.split(";")[0]) for kind, text in house.events()] == [
        ("silenced", "what the engine plays is not known")
    ]


def test_after_lost_orders_nothing_is_held_whose_release_may_have_been_among_them(stage):
    pads = {"tone": {"note": 60, "note_ms": "hold"}, "snare": {"zone": {"box": (0, 0, 1, 1)}, "note": 38}}
    on = {"gesture": "chord", "by": {"y": "left_wrist"}, "between": [0, 1], "pads": ["tone"]}
    held = KitConfig.model_validate({"name": "held", "pads": pads, "gestures": {"on": on}})
    output = MemoryOutput()
    house = House(stage("memory:"), held, output)
    house.voice.add(Strike(0, 0, 0, 0.5, 0, 0, 1))
    house.voice.advance(0)
    assert output.sounding == {(10, 60)}
    house.play(*["snare"] * 1500)
    messages = [message for _, message in output.sent]
    assert messages.index(note_off(10, 60)) < messages.index(note_on(10, 38, 64))
    assert output.sounding == set()


# -- whether the engine is stuck --


class Rows:
    """The engine's rows, and the pulse that is felt in them; times in ms."""

    def __init__(self, path):
        create_ring(path, FRAME.size, 64)
        self._ring = RingWriter(path)
        self.pulse = EnginePulse(RingReader(path))

    def write(self, *at_ms):
        """Rows of frames captured 10 ms before they were sent."""
        for sent_ms in at_ms:
            sent_ns = sent_ms * MS
            self._ring.write(FRAME.pack(0, sent_ns - 10 * MS, *[sent_ns] * 7, 0, 0, 1, 0, *[0] * 8))

    def looks(self, *at_ms):
        """What each look sees: "" for nothing new, else whether it is stuck or back."""
        seen = []
        for now_ms in at_ms:
            changed = self.pulse.look(now_ms * MS)
            seen.append(("stuck" if self.pulse.stuck else "back") if changed else "")
        return seen


@pytest.fixture
def rows(tmp_path):
    return Rows(tmp_path / "frames")


def test_an_engine_is_stuck_250_ms_after_its_last_row_and_back_with_the_next(rows):
    rows.write(0, 10, 20)
    assert rows.looks(30, 270, 271, 5000) == ["", "", "stuck", ""]
    rows.write(5010)
    assert rows.looks(5011, 5030) == ["back", ""]


def test_before_the_first_row_and_in_a_pause_no_engine_is_stuck(rows):
    assert rows.pulse.paused
    assert rows.looks(0, 9000) == ["", ""]
    rows.write(9000, 9010)
    assert not rows.pulse.paused
    rows.pulse.pause()
    assert rows.pulse.paused
    assert rows.looks(9020, 20_000) == ["", ""]
    rows.write(20_000)
    assert not rows.pulse.paused
    rows.write(20_010)
    assert rows.looks(20_100, 20_261) == ["", "stuck"]  # the pause is no frame period


def test_a_pause_takes_back_that_an_engine_was_stuck(rows):
    rows.write(0, 10)
    assert rows.looks(300) == ["stuck"]
    rows.pulse.pause()
    assert not rows.pulse.stuck
    rows.write(900, 910)
    assert rows.looks(920) == [""]


def test_a_film_of_two_frames_a_second_has_four_periods_of_time_and_its_first_row_has_no_limit(rows):
    rows.write(0)
    assert rows.looks(499, 3000) == ["", ""]
    rows.write(500)
    assert rows.looks(900, 2500, 2501) == ["", "", "stuck"]
