"""`lalelu selftest` through a real JACK graph, with the real network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from system.stage import finish, lalelu, start

from lalelu.ledger.reader import read_ledger
from lalelu.selftest.chain import DURATIONS

FILM = "sim:?size=320x240"  # renders quicker, for busy machines
NOBODY = {"JACK_DEFAULT_SERVER": "lalelu-nobody"}


@pytest.fixture(autouse=True)
def needs_jack(expect, one_jack):
    if shutil.which("jackd") is None:
        expect("jack", "jackd is not installed")
    try:
        import jack  # noqa: F401
    except (ImportError, OSError) as exc:
        expect("jack", str(exc))


@pytest.mark.model
def test_notes_of_true_hits_arrive_through_a_server_of_its_own(tmp_path, lightning_files):
    process = start(
        "selftest",
        "--seconds",
        "5",
        "--camera",
        FILM,
        "--json",
        "--log",
        tmp_path / "ledger",
        environment=NOBODY,
    )
    told = finish(process, 120)
    assert told.code == 0, told.err
    assert "one of our own runs meanwhile" in told.err
    found = json.loads(told.out)
    assert found["api"] == "jack"
    assert found["period_ms"] > 0
    assert found["hits"]["found"] > 0
    assert found["hits"]["found"] + found["hits"]["missed"] == found["hits"]["played"]
    assert list(found["durations_ms"]) == list(DURATIONS)
    measured = found["hits"]["found"] - found["hits"]["late_film"]
    assert {each["count"] for each in found["durations_ms"].values()} == {measured}
    assert found["sleeper"]["lateness"]["wakings"] > 0
    assert len(read_ledger(tmp_path / "ledger").notes) >= found["hits"]["found"]


@pytest.mark.model
def test_a_running_server_is_used_and_a_broken_budget_ends_it_with_1(jack_server, lightning_files):
    process = start("selftest", "--seconds", "5", "--camera", FILM, "--budget", "chain.min=1us")
    told = finish(process, 120)
    assert told.code == 1, told.err
    assert "one of our own" not in told.err
    assert "budget chain.min=1us: " in told.err
    names = {line.split()[0] for line in told.out.splitlines() if line.strip()}
    assert names >= {*DURATIONS, "sleeper", "hits:", "JACK:"}


@pytest.mark.model
def test_the_sound_of_a_synthesiser_is_heard_after_its_notes(jack_server, lightning_files):
    program = Path(__file__).parents[1] / "selftest" / "synthesiser.py"
    with subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as synthesiser:
        assert synthesiser.stdout.readline() == "ready\n"
        process = start(
            *(
                "selftest",
                "--seconds",
                "5",
                "--camera",
                FILM,
                "--json",
                "--sound",
                "clicker:in",
                "clicker:out",
            )
        )
        told = finish(process, 120)
        synthesiser.stdin.close()
    assert told.code == 0, told.err
    found = json.loads(told.out)
    sound = found["durations_ms"]["sound"]
    assert sound["count"] >= found["hits"]["found"] > 0
    assert (
        sound["p50"] > 0.5 * found["period_ms"]
    )  # it clicks a period late; the next note may come meanwhile


def test_sound_needs_a_server_that_runs(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "lalelu-nobody")
    told = lalelu("selftest", "--sound", "a:in", "b:out")
    assert told.code == 3
    assert "to hear sound, a JACK server must run" in told.err


def test_another_camera_than_the_simulated_one_has_no_truth(tmp_path):
    told = lalelu("selftest", "--camera", "opencv:0")
    assert told.code == 2
    assert "no simulated drummer" in told.err


def test_an_earlier_ledger_is_not_replaced(tmp_path):
    told = lalelu("selftest", "--log", tmp_path)
    assert told.code == 2
    assert "is there already" in told.err
