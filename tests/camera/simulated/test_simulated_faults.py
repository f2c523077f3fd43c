"""A simulated camera has the trouble that a file asks for, and is well again without it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lalelu.camera.port import ADAPTERS
from lalelu.camera.simulated.camera import SimulatedCamera
from lalelu.camera.simulated.faults import Fault, fault_in
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import from_uri
from lalelu.types import Frame

SLOTS = 8


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """The file in which the trouble stands."""
    return tmp_path / "faults"


@pytest.fixture
def camera(tmp_path: Path, faults: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedCamera]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    made = from_uri("camera", ADAPTERS, f"sim:?size=320x240&slots={SLOTS}&faults={faults}")
    assert isinstance(made, SimulatedCamera)
    yield made
    made.close()


def _frames_with(camera: SimulatedCamera, faults: Path, word: str, count: int = 6) -> list[Frame]:
    """Return frames that were filmed with the trouble, their pictures copied."""
    faults.write_text(word)
    for _ in range(3 * SLOTS):  # what was rendered ahead
        camera.read()
    kept = []
    for _ in range(count):
        frame = camera.read()
        kept.append(Frame(frame.seq, frame.captured_ns, frame.arrived_ns, frame.skipped, frame.image.copy()))
    return kept


def test_each_trouble_shows_in_the_pictures_and_ends_with_its_word(
    camera: SimulatedCamera, faults: Path
) -> None:
    camera.open()
    black = _frames_with(camera, faults, "black\n")
    assert max(frame.image.max() for frame in black) < 20
    assert not (black[0].image == black[1].image).all()  # a sensor's noise is never the same
    frozen = _frames_with(camera, faults, "frozen")
    assert all((frame.image == frozen[0].image).all() for frame in frozen)
    assert [frame.seq for frame in frozen] == sorted({frame.seq for frame in frozen})
    (away,) = _frames_with(camera, faults, "away", 1)
    room = camera.render(away.seq)
    camera._offline().render(away.seq, room, empty=True)
    assert (away.image == room).all()
    (well,) = _frames_with(camera, faults, "", 1)
    assert (well.image == camera.render(well.seq)).all()
    assert np.abs(well.image.astype(int) - away.image).max() > 50  # the player is back


def test_a_slow_cameras_frames_are_further_apart_and_numbered_without_gaps(
    camera: SimulatedCamera, faults: Path
) -> None:
    camera.open()
    _frames_with(camera, faults, "")
    slow = _frames_with(camera, faults, "slow", 10)
    for earlier, later in pairwise(slow):
        assert later.seq == earlier.seq + 1 + later.skipped
        apart = later.seq - earlier.seq - later.skipped
        assert later.captured_ns - earlier.captured_ns >= 2 * apart * camera.period_ns


def test_an_unplugged_camera_is_lost_and_not_there_until_it_is_plugged_in(
    camera: SimulatedCamera, faults: Path
) -> None:
    camera.open()
    camera.read()
    with pytest.raises(LostError, match="was unplugged"):
        _frames_with(camera, faults, "unplugged", 500)
    with pytest.raises(MissingError, match="is unplugged"):
        camera.open()
    faults.write_text("none")
    camera.open()
    assert camera.read().seq == 0


def test_a_word_that_is_none_is_refused_with_those_that_are(faults: Path) -> None:
    assert fault_in(None) == fault_in(str(faults)) == Fault.NONE
    faults.write_text("blakc")
    with pytest.raises(
        UsageError, match="'blakc'; one of these may stand there: none, unplugged, frozen, black"
    ):
        fault_in(str(faults))
