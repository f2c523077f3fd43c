"""What the desk does beside its recording: when it is loaded, and who is told of what."""

import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

from players import Leader

from lalelu.desk import services
from lalelu.desk.services import Services
from lalelu.ledger.layout import FRAME

# Runs a desk; says what it shows, and what it has loaded, in the moment in which it begins to load the rest.
WATCHED = """
import sys
from pathlib import Path
from lalelu.channel import BoardReader
from lalelu.desk import process

folder, ledger = map(Path, sys.argv[1:])

def hear(event, arguments):
    if event == "import" and arguments[0] == "lalelu.desk.services":
        state = BoardReader(folder / "desk").value()["state"]
        print(state, (ledger / "frames").stat().st_size, *sys.modules)

sys.addaudithook(hear)
sys.exit(process.main([str(folder)]))
"""
LATER = {
    *("aiohttp", "importlib.metadata", "mido", "numpy", "pydantic", "rtmidi", "ruamel", "yaml"),
    *("lalelu.config.schema", "lalelu.config.loader", "lalelu.gesture.band", "lalelu.voice.voice"),
    *(f"lalelu.desk.{name}" for name in ("page", "recorder", "reload", "remote", "services")),
}


def test_rows_are_written_before_anything_is_loaded_that_they_do_not_need(tmp_path):
    with Leader(tmp_path, take="run.take") as leader:
        leader.play(5000).wait()
        desk = subprocess.run(
            [sys.executable, "-c", WATCHED, str(leader.session.folder), str(leader.ledger)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        state, size, *modules = desk.stdout.split()
        assert (state, int(size)) == ("recording", 5000 * FRAME.size)
        assert LATER & {*modules} == set()


def test_the_pedals_are_told_of_a_plan_once_for_each_that_is_played(monkeypatch):
    start, other = (
        SimpleNamespace(name=name, source=object(), config=MagicMock()) for name in ("start", "other")
    )
    reloader = MagicMock(running=start)
    looks = iter([start, start, other, other, other])

    def step(_at_ns):
        reloader.running = next(looks)

    reloader.step.side_effect = step
    remote = MagicMock(problem=None)
    remote.lines.return_value = []
    for name in ("OrderWriter", "PageDoor", "Recorder"):
        monkeypatch.setattr(services, name, MagicMock())
    monkeypatch.setattr(services, "Reloader", lambda *_: reloader)
    monkeypatch.setattr(services, "remote_of", lambda *_: remote)
    with Services(MagicMock(plan=start), MagicMock(), MagicMock(), MagicMock()) as beside:
        for _ in range(5):
            beside.step()
    assert [call.args[0].name for call in remote.follow.call_args_list] == ["other"]
