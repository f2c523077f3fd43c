"""Which MIDI system another program hears through, and what is said where there is none."""

import pytest

from lalelu.errors import LostError, MissingError
from lalelu.selftest import listening
from lalelu.selftest.listening import Listener, choose

NO_SERVER = "no JACK server answers"
NO_SEQUENCER = "there is no ALSA sequencer"


@pytest.fixture
def machine(monkeypatch):
    """Say what is here: `machine(client=..., jackd=..., jack=..., alsa=...)`."""

    def has(*, client=True, jackd=False, jack=False, alsa=False):
        answers = {"jack": None if jack else NO_SERVER, "alsa": None if alsa else NO_SEQUENCER}
        monkeypatch.setattr(listening, "find_spec", lambda name: object() if client else None)
        monkeypatch.setattr(listening.shutil, "which", lambda name: "/usr/bin/jackd" if jackd else None)
        monkeypatch.setattr(listening, "why_unavailable", answers.__getitem__)

    return has


@pytest.mark.parametrize(
    ("here", "chosen"),
    [
        ({"jack": True, "alsa": True}, ("jack", False)),
        ({"jackd": True, "alsa": True}, ("jack", True)),
        ({"alsa": True}, ("alsa", False)),
        ({"client": False, "jack": True, "jackd": True, "alsa": True}, ("alsa", False)),
    ],
)
def test_a_running_jack_goes_before_one_of_our_own_and_that_before_alsa(machine, here, chosen):
    machine(**here)
    assert choose() == chosen


def test_without_any_midi_system_it_says_what_to_install(machine):
    machine()
    with pytest.raises(MissingError, match=rf"{NO_SERVER}, and jackd is not installed .* {NO_SEQUENCER}"):
        choose()


def test_without_the_extra_it_says_how_to_install_it(machine):
    machine(client=False, jack=True)
    with pytest.raises(MissingError, match=r"pip install 'lalelu\[selftest\]'"):
        choose()


def test_a_listener_that_cannot_start_says_why(monkeypatch):
    listener = Listener("jack", "lalelu:out")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "lalelu-nobody")
    with pytest.raises(MissingError, match="the listener does not start: "):
        listener.open()
    listener.close()


def test_a_listener_that_dies_is_told():
    listener = Listener("jack", "lalelu:out")
    listener._command = ["sh", "-c", "echo ready; echo gone with the wind >&2; exit 3"]
    listener.open()
    with pytest.raises(LostError, match="the listener has died: gone with the wind"):
        listener.heard()
    listener.close()
