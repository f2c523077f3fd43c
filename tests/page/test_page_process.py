"""The page of a running instrument: comes when somebody knocks, may die, and is never in the way."""

import asyncio
import errno
import json
import os
import signal
from pathlib import Path

import aiohttp
import psutil
from system.played import gone, wait_until

from lalelu.channel import BoardReader, RingReader
from lalelu.page import process


def pages(played):
    return psutil.Process(played.pid("desk")).children()


def messages(at, count):
    """The first messages of the live socket: the greeting, and what follows."""

    async def look():
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(f"{at}live", origin=at.rstrip("/")) as socket,
        ):
            return [await socket.receive_bytes(timeout=20) for _ in range(count)]

    found = []
    for data in asyncio.run(look()):
        length = int.from_bytes(data[:4], "little")
        found.append((json.loads(data[4 : 4 + length]), data[4 + length :]))
    return found


def order(at, what):
    async def post():
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{at}api/order", json={"order": what}) as answer,
        ):
            return answer.status

    return asyncio.run(post())


def test_what_is_played_is_told_and_nobody_pays_before_somebody_looks(played):
    at = played.url
    assert pages(played) == []
    (greeting, _), *told = messages(at, 40)
    assert len(pages(played)) == 1
    assert greeting["state"]["kit"] == "stage"
    assert [(pad["name"], pad["frame"]) for pad in greeting["scene"]["kits"]["stage"]["pads"]] == [
        ("left", "body"),
        ("right", "body"),
    ]
    heads = [head for head, _ in told]
    traces = [trace for head in heads for trace in head.get("traces", {}).items()]
    assert {limb for limb, _ in traces} == {"0:left_wrist", "0:right_wrist"}
    times = [at_s for limb, points in traces if limb == "0:left_wrist" for at_s, *_ in points]
    assert times == sorted(times)
    assert 1.0 < times[-1] - times[0] < 30.0
    players = [player for head in heads for player in head.get("players", [])]
    assert {len(player["xy"]) for player in players} == {17}
    assert all(player["frame"]["side"] == -1.0 for player in players)
    strokes = [each for head in heads for each in head.get("verdicts", []) if each["rule"] is None]
    notes = [note for head in heads for note in head.get("notes", [])]
    assert {stroke["pad"] for stroke in strokes} == {note["pad"] for note in notes} == {"left", "right"}
    assert {head["state"]["state"] for head in heads} == {"playing"}


def test_standby_is_asked_of_the_instrument(played):
    at = played.url
    engine = BoardReader(played.session / "engine")
    for what, silent in (("standby", True), ("play", False)):
        assert order(at, what) == 200
        played.wait(lambda: engine.value()["standby"] is silent)  # noqa: B023 - called in this turn


def test_a_page_that_is_killed_comes_again_and_the_engine_does_not_care(played):
    at = played.url
    messages(at, 2)
    (page,) = pages(played)
    heard = [each for each in page.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    assert [each.laddr.ip for each in heard] == ["127.0.0.1"]
    frames = RingReader(played.session / "frames")
    page.kill()
    before = frames.head
    wait_until(lambda: page not in pages(played))
    played.wait(lambda: frames.head > before + 10)
    assert pages(played) == []
    assert len(messages(at, 3)) == 3
    lines = BoardReader(played.session / "desk").value()["lines"]
    assert any(line.startswith("page: it has ended (killed by signal 9)") for line in lines)
    assert len(pages(played)) == 1


def test_a_desk_that_is_killed_takes_the_page_along_and_the_next_one_serves_on(played):
    at = played.url
    messages(at, 2)
    page = pages(played)[0].pid
    os.kill(played.pid("desk"), signal.SIGKILL)
    wait_until(lambda: gone([page]))
    played.wait(lambda: played.lead()["restarts"]["desk"] == 1)
    assert len(messages(played.url, 3)) == 3


def test_an_instrument_that_ends_leaves_no_page(played):
    messages(played.url, 2)
    page = pages(played)[0].pid
    assert played.end().code == 0
    assert gone([page])


def test_a_sandbox_in_which_nobody_may_step_back_has_a_page_all_the_same(monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "not here")

    for name in ("setpriority", "sched_setaffinity"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(process, "OOM_SCORE", int(Path("/proc/self/oom_score_adj").read_text()))
    process._step_back(min(os.sched_getaffinity(0)))
