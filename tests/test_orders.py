import pytest

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.orders import KIT, PLAY, STANDBY, TOGGLE_STANDBY, Order, OrderReader, OrderWriter
from lalelu.session import Plan, Recording, create_session

PADS = {"snare": {"note": 38, "zone": {"box": [-1, -1, 1, 1]}}}


@pytest.fixture
def session(tmp_path):
    plan = Plan(Config(), (KitConfig(name="one", pads=PADS),), Recording(), core=0)
    session, lock = create_session(plan, {"XDG_RUNTIME_DIR": str(tmp_path)}, keypoints=17)
    yield session
    lock.close()


def test_orders_are_read_once_in_the_order_in_which_they_were_given(session):
    reader, writer = OrderReader(session), OrderWriter(session)
    assert not reader.pending
    assert reader.read() == []
    given = [
        Order(TOGGLE_STANDBY, at_ns=1),
        Order(STANDBY, at_ns=2),
        Order(PLAY, at_ns=1 << 62),
        Order(KIT, 127, 4),
    ]
    for order in given:
        writer.write(order)
    assert reader.pending
    assert reader.read() == given
    assert not reader.pending
    assert reader.read() == []


def test_orders_that_were_given_before_the_reader_came_are_over(session):
    writer = OrderWriter(session)
    writer.write(Order(KIT, 1))
    reader = OrderReader(session)
    assert not reader.pending
    writer.write(Order(KIT, 2))
    assert reader.read() == [Order(KIT, 2)]


def test_a_new_writer_goes_on_where_a_dead_one_stopped(session):
    reader = OrderReader(session)
    OrderWriter(session).write(Order(KIT, 1))
    OrderWriter(session).write(Order(KIT, 2))
    assert reader.read() == [Order(KIT, 1), Order(KIT, 2)]


def test_of_more_orders_than_the_ring_holds_the_newest_are_read(session):
    reader, writer = OrderReader(session), OrderWriter(session)
    for number in range(200):
        writer.write(Order(KIT, number))
    read = reader.read()
    assert read == [Order(KIT, number) for number in range(200 - len(read), 200)]
    assert 32 < len(read) < 200
    assert not reader.pending
