"""Another configuration in the engine: taken over between two frames, told in order, refused where it is none."""

from contextlib import contextmanager

import numpy as np
import pytest
from system.stage import orders_of, poses, session_of, stage_plan

from lalelu import renewal
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.cues import DeskCues
from lalelu.gesture.band import Band
from lalelu.offer import OfferReader, OfferWriter, Performance, pieces
from lalelu.orders import RELOAD, Order, OrderWriter
from lalelu.renewal import Renewal
from lalelu.session import EPOCH, PLAY, RELEASE
from lalelu.skeleton import COCO17
from lalelu.types import Frame
from lalelu.wire import EngineRings

IMAGE = np.zeros((1, 1, 3), np.uint8)
WIDE = {"half_plane": [0, -5, 90]}
TONE = {"tone": {"gesture": "chord", "by": {"y": "left_wrist"}, "between": [-2, 1], "pads": ["organ"]}}
HELD = KitConfig.model_validate(
    {
        "name": "held",
        "pads": {"drum": {"note": 38, "zone": WIDE}, "organ": {"note": 60, "note_ms": "hold"}},
        "gestures": TONE,
    }
)
OTHER = KitConfig.model_validate(
    {"name": "other", "pads": {f"p{n}": {"note": 40 + n, "zone": WIDE} for n in range(3)}}
)


class Engine:
    """The engine's loop but for camera and network, and the desk's end."""

    def __init__(self, session, bell):
        self.session = session
        self._board = Bulletin(session / "engine")
        self.recorded = []
        record = lambda kind, text: self.recorded.append((kind, text))  # noqa: E731 - one line is clearer
        self.rings = EngineRings(session, bell, kits=[HELD], skeleton=COCO17, keeps_poses=False)
        self.band = Band([HELD], skeleton=COCO17)
        self.cues = DeskCues(session, ["held"], self._board, record)
        self.cues.renew_by(Renewal(OfferReader(session), self.rings, COCO17, self._board, record))
        self.offers, self.orders = OfferWriter(session), OrderWriter(session)
        self._film = iter(poses(20.0, hz=2.0))

    @property
    def shown(self):
        return BoardReader(self.session / "engine").value()

    def play(self, frames):
        """Play frames, and do what the desk asks for after each; how many frames had something to do."""
        busy = 0
        for _ in range(frames):
            pose = next(self._film)
            self.rings.send(self.band.frame(pose.seq, pose.captured_ns, [pose]))
            if self.cues.waiting:
                busy += 1
                frame = Frame(pose.seq, pose.captured_ns, 0, 0, IMAGE)
                self.rings.send(self.cues.take(self.band, frame))
            self.last_ns = pose.captured_ns
        return busy

    def reload(self, epoch, *kits, config=None):
        first = self.offers.write(pieces(Performance.of(epoch, config or Config(), kits)))
        self.orders.write(Order(RELOAD, first))


@pytest.fixture
def engine(tmp_path):
    with session_of(stage_plan(tmp_path), tmp_path) as (session, bell):
        yield Engine(session, bell)


def test_what_is_held_ends_by_the_old_numbers_before_the_new_ones_begin(engine):
    engine.play(150)
    engine.reload(1, OTHER)
    engine.play(300)
    assert not engine.cues.waiting
    told = orders_of(engine.session)
    (border,) = (place for place, order in enumerate(told) if order[4] == EPOCH)
    assert [order[4] for order in told[:border]].count(RELEASE) == 1
    assert told[border - 1][4] == RELEASE  # the last word of the old kit
    assert {order[8] for order in told[:border]} == {0}
    assert {order[8] for order in told[border:]} == {1}
    assert PLAY in [order[4] for order in told[border:]]
    assert {order[7] for order in told[border:] if order[4] == PLAY} <= {1, 2, 3}
    assert engine.recorded == [("config", "epoch 1 plays")]
    assert (engine.shown["epoch"], engine.shown["kit"], engine.shown["kits"]) == (1, "other", ["other", {}])
    hits = [order for order in told if order[4] == PLAY]
    from_ns = engine.shown["epoch_from_ns"]
    assert [order[8] for order in hits] == [int(order[1] >= from_ns) for order in hits]


def test_it_is_done_in_many_small_slices(engine, monkeypatch):
    monkeypatch.setattr(renewal, "SLICE_NS", 0)  # a step a frame
    engine.play(10)
    engine.reload(1, OTHER)
    assert engine.play(10) == 10
    assert engine.shown.get("epoch") is None
    assert 5 < engine.play(100) < 100
    assert engine.shown["epoch"] == 1


def test_a_delay_alone_ends_nothing_and_changes_no_number(engine):
    engine.play(150)
    engine.reload(1, config=Config.model_validate({"timing": {"delay_ms": 30}}))
    engine.play(100)
    kinds = [order[4] for order in orders_of(engine.session)]
    assert (kinds.count(EPOCH), kinds.count(RELEASE)) == (1, 0)
    assert engine.shown["epoch"] == 1


def feet(number):
    """A kit that can be played but for its last pad."""
    pads = {f"p{n}": {"note": 40 + n, "zone": WIDE} for n in range(3)}
    pads["last"] = {"note": 50, "zone": WIDE, "limbs": ["right_heel"]}
    return KitConfig.model_validate({"name": f"feet {number}", "pads": pads})


@pytest.mark.parametrize("frames", [2, 8, 16, 30, 60])
def test_what_is_given_up_half_made_is_freed_without_the_collector(engine, monkeypatch, no_garbage, frames):
    monkeypatch.setattr(renewal, "SLICE_NS", 0)  # a step a frame
    engine.play(100)
    with no_garbage():
        engine.reload(1, HELD, OTHER)
        engine.play(frames)
        engine.reload(2, OTHER, feet(1))
        engine.play(300)
        assert not engine.cues.waiting
        assert "'right_heel'" in engine.shown["refused"][1]


def test_an_offer_that_is_asked_for_again_is_taken_over_once(engine, monkeypatch):
    monkeypatch.setattr(renewal, "SLICE_NS", 0)
    engine.play(10)
    engine.reload(1, OTHER)
    for _ in range(30):
        engine.play(5)
        engine.orders.write(Order(RELOAD, 0))
    engine.play(5)
    assert [order[4] for order in orders_of(engine.session)].count(EPOCH) == 1


@contextmanager
def refusal(engine):
    engine.play(20)
    yield
    engine.play(200)
    assert not engine.cues.waiting
    assert EPOCH not in [order[4] for order in orders_of(engine.session)]
    assert "epoch" not in engine.shown


def test_a_kit_that_it_cannot_play_is_refused_and_the_old_one_played_on(engine):
    limbs = KitConfig.model_validate(
        {"name": "feet", "pads": {"p": {"note": 40, "zone": WIDE, "limbs": ["right_heel"]}}}
    )
    with refusal(engine):
        engine.reload(1, limbs)
    first, why = engine.shown["refused"]
    assert (first, "'right_heel'" in why) == (0, True)
    assert PLAY in [order[4] for order in orders_of(engine.session)]


def test_an_order_for_what_is_no_offer_is_refused(engine):
    with refusal(engine):
        engine.orders.write(Order(RELOAD, 5))
    assert "no beginning" in engine.shown["refused"][1]
