"""Kits on their way from the desk to engine and voice: whole, in small pieces, and never half."""

import pytest

from lalelu.channel import create_ring
from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit, shipped_kits
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.offer import BEGIN, RING, OfferReader, OfferWriter, Performance, pieces
from lalelu.session import PIECE_BYTES, PIECES, Session

CONFIG = Config.model_validate(
    {
        "kit": "rock",
        "more_kits": ["latin"],
        "player": {"kits": {1: "latin"}, "channels": [None, 11]},
        "timing": {"delay_ms": "auto", "lead_ms": 20, "choke": True},
        "left_handed": True,
    }
)


@pytest.fixture
def session(tmp_path):
    create_ring(tmp_path / RING, PIECE_BYTES, PIECES)
    return Session(tmp_path)


def taken(steps):
    """What a reader has got in the end, and in how many steps."""
    count = 0
    try:
        while True:
            next(steps)
            count += 1
    except StopIteration as exc:
        return exc.value, count


def kit(pads, **more):
    section = {"note": 38, "zone": {"box": [-1, -1, 1, 0]}}
    return KitConfig.model_validate({"name": "k", "pads": {f"p{n}": section for n in range(pads)}, **more})


def plain(performance):
    return [{**kit.model_dump(), "description": ""} for kit in performance.kits]


def test_every_shipped_kit_arrives_as_it_was(session):
    sent = Performance.of(3, CONFIG, tuple(load_kit(name, None) for name in shipped_kits()))
    reader = OfferReader(session)
    first = OfferWriter(session).write(pieces(sent))
    got, steps = taken(reader.performance(first))
    assert plain(got) == plain(sent)
    told = [
        (p.epoch, p.player_kits, p.left_handed, p.lead_ms, p.choke, p.channels, p.delay_ms)
        for p in (got, sent)
    ]
    assert told[0] == told[1] == (3, {1: 1}, True, 20.0, True, (None, 11), None)
    assert steps > sum(len(kit.pads) for kit in sent.kits)  # never more than a pad at a step
    assert not reader.pending


def test_a_learned_detector_arrives_in_parts(session):
    trees = "ab+/" * 5000  # of 20 kB
    own = {"file": "x.onnx", "sha256": "0" * 64, "trees": trees}
    sent = Performance.of(1, Config(), (kit(1, detector="learned", learned=own), kit(1)))
    reader = OfferReader(session)
    got, steps = taken(reader.performance(OfferWriter(session).write(pieces(sent))))
    assert plain(got) == plain(sent)
    assert steps > len(trees) / PIECE_BYTES


def test_a_reader_waits_for_pieces_that_are_still_being_written(session):
    records = pieces(Performance.of(1, Config(), (kit(2),)))
    reader, writer = OfferReader(session), OfferWriter(session)
    writer.write(records[:2])
    epoch, kind, options = reader.step()
    assert (epoch, kind) == (1, BEGIN)
    steps = reader.rest(epoch, options)
    for _ in range(10):
        next(steps)
    writer.write(records[2:])
    got, _ = taken(steps)
    assert list(got.kits[0].pads) == ["p0", "p1"]


def test_an_offer_that_another_one_interrupts_is_given_up(session):
    reader, writer = OfferReader(session), OfferWriter(session)
    records = pieces(Performance.of(1, Config(), (kit(2),)))
    first = writer.write(records[:2])
    writer.write(pieces(Performance.of(2, Config(), (kit(1),))))
    with pytest.raises(UsageError, match="epoch 1 is not whole"):
        taken(reader.performance(first))
    again = writer.write(records[:2])
    writer.write(records)
    with pytest.raises(UsageError, match="no part of a kit"):
        taken(reader.performance(again))
    with pytest.raises(UsageError, match="is no beginning"):
        taken(reader.performance(again + 1))


def test_what_is_too_large_to_be_taken_over_is_refused_by_its_name():
    with pytest.raises(UsageError, match=r"have 325 pads, gestures and parts"):
        pieces(Performance.of(1, Config(), tuple(kit(64) for _ in range(5))))
    limbs = [f"limb{n}" + "x" * 24 for n in range(200)]
    own = {name: {"left_wrist": 1.0} for name in limbs[:1]}
    big = kit(1, keypoints=own).model_copy(
        update={"pads": {"p0": kit(1).pads["p0"].model_copy(update={"limbs": tuple(limbs)})}}
    )
    with pytest.raises(UsageError, match=r"kit 'k': pads\.p0 is \d+ bytes long"):
        pieces(Performance.of(1, Config(), (big,)))
