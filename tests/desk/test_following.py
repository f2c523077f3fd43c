"""The desk's loop between what it reloads and who listens to the pedals."""

import os
from types import SimpleNamespace
from unittest.mock import MagicMock

from lalelu.desk import process


def test_the_pedals_are_told_of_a_plan_once_for_each_that_is_played(monkeypatch):
    start, other = (
        SimpleNamespace(name=name, source=object(), config=MagicMock()) for name in ("start", "other")
    )
    reading, writing = os.pipe()
    reloader = MagicMock(running=start)
    looks = iter([start, start, other, other, other])

    def step(_at_ns):
        reloader.running = next(looks, None) or other
        if reloader.step.call_count == 5:
            os.close(writing)

    reloader.step.side_effect = step
    remote = MagicMock(problem=None)
    remote.lines.return_value = []
    remote.__enter__.return_value = remote
    desk = MagicMock(finished=False)
    desk.step.return_value = process.BUSY_ROWS  # so that it does not wait
    monkeypatch.setattr(process, "Desk", lambda *_: desk)
    monkeypatch.setattr(process, "OrderWriter", MagicMock())
    for name in ("PageDoor", "Recorder"):
        monkeypatch.setattr(process, name, MagicMock())
    monkeypatch.setattr(process, "Reloader", lambda *_: reloader)
    monkeypatch.setattr(process, "remote_of", lambda *_: remote)
    assert process.run(MagicMock(), start, MagicMock(), reading, None) == 0
    os.close(reading)
    assert [call.args[0].name for call in remote.follow.call_args_list] == ["other"]
