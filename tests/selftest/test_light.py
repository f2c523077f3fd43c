"""A flash in frames: where the step lies between them, and what is refused."""

import io

import numpy as np
import pytest
from system.stage import lalelu

from lalelu.camera.port import CameraFacts
from lalelu.commands import selftest_flash
from lalelu.errors import MissingError, UsageError
from lalelu.selftest.flash import Led, Terminal, light_of, taken, watch
from lalelu.selftest.light import Watched, look
from lalelu.types import Frame

MS = 1_000_000
PERIOD_NS, EXPOSURE_NS, TRANSFER_NS = 10 * MS, 5 * MS, 8 * MS


def filmed(step_ns, lit_ns, noise=0.3, step=20.0, count=60):
    """The frames of a light that goes on at `step_ns`, told to at `lit_ns`."""
    captured = np.arange(count) * PERIOD_NS + EXPOSURE_NS // 2
    ends = captured + EXPOSURE_NS // 2
    shares = np.clip((ends - step_ns) / EXPOSURE_NS, 0.0, 1.0)
    levels = 40.0 + step * shares + np.random.default_rng(1).normal(0.0, noise, count)
    return Watched(lit_ns, levels, captured, ends + TRANSFER_NS)


@pytest.mark.parametrize("into_ms", [1.0, 2.5, 4.0])
def test_a_step_within_an_exposure_is_placed_by_how_much_of_it_was_lit(into_ms):
    step_ns = 30 * PERIOD_NS + round(into_ms * MS)
    seen = look(filmed(step_ns, step_ns - 3 * MS), EXPOSURE_NS)
    assert seen.seen_ms == pytest.approx(3.0, abs=0.3)  # the noise is 1.5 % of the step


def test_a_step_between_two_exposures_is_placed_in_their_middle():
    step_ns = 30 * PERIOD_NS + 6 * MS
    seen = look(filmed(step_ns, step_ns - 3 * MS), EXPOSURE_NS)
    assert seen.seen_ms == pytest.approx(3.0 + 1.5, abs=0.3)  # nothing tells 5 ms from 10 ms


def test_the_frame_that_shows_half_of_the_light_is_the_first_that_counts():
    early, late = 30 * PERIOD_NS + 1 * MS, 30 * PERIOD_NS + 4 * MS
    arrives = 30 * PERIOD_NS + EXPOSURE_NS + TRANSFER_NS
    assert look(filmed(early, early), EXPOSURE_NS).frame_ms == pytest.approx((arrives - early) / MS)
    assert look(filmed(late, late), EXPOSURE_NS).frame_ms == pytest.approx((arrives + PERIOD_NS - late) / MS)


@pytest.mark.parametrize(("noise", "step"), [(0.3, 0.0), (0.3, 1.0), (10.0, 20.0)])
def test_a_light_that_drowns_in_the_noise_is_not_seen(noise, step):
    step_ns = 30 * PERIOD_NS
    assert look(filmed(step_ns, step_ns, noise, step), EXPOSURE_NS) is None


def test_a_flash_without_frames_after_it_is_not_seen():
    assert look(filmed(10**12, 10**12), EXPOSURE_NS) is None


class Room:
    """A clock, a lamp and a camera that films it: the lamp is on `delay_ns` after it was told to."""

    class Options:
        pass

    def __init__(self, delay_ns=2 * MS):
        self.at_ns = 0
        self.delay_ns = delay_ns
        self.switched = [(0, False)]
        self.closed = 0
        self._seq = 0

    def now(self):
        self.at_ns += MS // 20
        return self.at_ns

    def set(self, *, lit):
        self.switched.append((self.at_ns + self.delay_ns, lit))

    def open(self):
        return CameraFacts("a room", 16, 16, 100.0, EXPOSURE_NS / MS, "the room's own")

    def close(self):
        self.closed += 1

    def read(self):
        self._seq = max(self._seq + 1, self.at_ns // PERIOD_NS)
        begin = self._seq * PERIOD_NS
        moments = begin + np.linspace(0, EXPOSURE_NS, 50)
        lit = np.array([[state for at, state in self.switched if at <= moment][-1] for moment in moments])
        arrived_ns = begin + EXPOSURE_NS + TRANSFER_NS
        self.at_ns = max(self.at_ns, arrived_ns)
        image = np.full((16, 16, 3), round(40 + 100 * lit.mean()), np.uint8)
        return Frame(self._seq, begin + EXPOSURE_NS // 2, arrived_ns, 0, image)


def test_flashes_before_a_camera_tell_the_lamps_own_delay():
    room = Room()
    flashes = watch(room, room, 100.0, 5, room.now)
    seen = [look(flash, EXPOSURE_NS) for flash in flashes]
    assert len(seen) == 5
    assert None not in seen
    assert np.median([each.seen_ms for each in seen]) == pytest.approx(
        2.0, abs=2.5
    )  # between exposures lie 5 ms
    assert min(each.frame_ms for each in seen) >= 2.0 + TRANSFER_NS / MS


def test_a_lamp_is_driven_and_left_as_it_was(tmp_path):
    lamp = tmp_path / "scroll"
    lamp.mkdir()
    (lamp / "brightness").write_text("3\n")
    (lamp / "max_brightness").write_text("7\n")
    with taken(Led("scroll", tmp_path)) as light:
        assert (lamp / "brightness").read_text() == "0"
        light.set(lit=True)
        assert (lamp / "brightness").read_text() == "7"
    assert (lamp / "brightness").read_text() == "3"


def test_a_lamp_that_is_not_there_names_those_that_are(tmp_path):
    (tmp_path / "capslock").mkdir()
    with (
        pytest.raises(MissingError, match=r"scroll cannot be driven .* there are capslock"),
        taken(Led("scroll", tmp_path)),
    ):
        pass


def test_without_a_terminal_none_is_flashed():
    screen = io.StringIO()
    with pytest.raises(MissingError, match="no terminal to flash"), taken(Terminal(screen)):
        pass
    assert screen.getvalue() == ""


@pytest.mark.parametrize("text", ["", "led:", "led:../../x", "sun"])
def test_another_light_is_refused(text):
    with pytest.raises(UsageError, match="write terminal, or led:NAME"):
        light_of(text)


def test_a_camera_that_sees_no_room_is_refused():
    told = lalelu("selftest", "--flash", "terminal", "--camera", "sim:")
    assert told.code == 2
    assert "sees no light of this room" in told.err


def test_a_camera_that_sees_too_few_flashes_fails_the_test(monkeypatch):
    room = Room()
    monkeypatch.setattr(selftest_flash, "light_of", lambda _text: room)
    monkeypatch.setattr(selftest_flash, "from_uri", lambda *_args, **_kw: room)
    monkeypatch.setattr(selftest_flash, "watch", lambda *_args: [])
    told = lalelu("selftest", "--flash", "terminal", "--camera", "opencv:0")
    assert told.code == 1
    assert "saw 0 of 20 flashes" in told.err
    assert room.closed >= 1
