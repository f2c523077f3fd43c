"""The whole instrument while things break: what it shows, that it goes on, and what the ledger keeps."""

import json
import signal

from system.played import Played, kinds
from system.stage import finish, notes_of, start


def test_conditions_come_and_go_and_everybody_who_asks_is_told(place):
    played = Played(place)
    played.wait_for_notes()

    def conditions():
        return [each["name"] for each in played.lead().get("conditions", [])]

    played.kill("engine", signal.SIGSTOP)
    played.wait(lambda: conditions() == ["engine"])
    (told,) = json.loads(finish(start("status", "--json")).out)["instruments"]
    assert [(each["name"], each["text"]) for each in told["conditions"]] == [
        ("engine", "the engine's loop stands still")
    ]
    assert told["conditions"][0]["for_s"] >= 0
    played.kill("engine", signal.SIGCONT)
    played.wait(lambda: conditions() == [])
    played.kill("voice")
    played.wait(lambda: conditions() == ["voice"])
    played.wait(lambda: conditions() == [])
    played.wait_for_notes()
    end = played.end()
    assert end.code == 0
    lines = end.err.splitlines()
    assert lines.count("the engine's loop stands still") == 1
    assert lines.count("the voice has been killed by SIGKILL; it is started again") == 1
    over = [line.partition(" after ")[0] for line in lines if "all right again" in line]
    assert over == ["engine: all right again", "voice: all right again"]
    ledger = played.ledger()
    assert kinds(ledger) == ["voice died"]
    assert len(notes_of(place / "out.mid")) >= 2  # of the second voice; it is sure that each ends
