"""`lalelu desk`: tells where the page is, or serves it for a configuration that nobody plays."""

import json
import signal
import urllib.request
from urllib.error import HTTPError

import pytest
from system.stage import finish, lalelu, session_of, stage_plan, start, write_config

from lalelu.bulletin import Bulletin

TOKEN = "sixteen-or-more.."


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return write_config(tmp_path)


def test_without_an_instrument_the_page_is_served_until_it_is_told_to_end(config):
    process = start("desk", "--config", config, "--at", "127.0.0.1:0", "--token", TOKEN)
    try:
        url = process.stdout.readline().strip()
        assert url.endswith(f"/?token={TOKEN}")
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(url) as answer:
            assert "<title>lalelu</title>" in answer.read().decode()
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(url.partition("?")[0])
        with refused.value as answer:
            assert (answer.code, "token" in json.loads(answer.read())["error"]) == (401, True)
    finally:
        process.send_signal(signal.SIGINT)
        told = finish(process)
    assert (told.code, "no instrument plays" in told.err, "Traceback" in told.err) == (0, True, False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "page.at is null"),
        (("--at", "0.0.0.0:0"), "page.token: 0.0.0.0:0 can be reached by others"),
        (("--at", "127.0.0.1"), "page.at is 127.0.0.1; it takes HOST:PORT"),
        (("--at", "example.org:80"), "page.at is example.org:80; it takes HOST:PORT"),
        (("--at", "127.0.0.1:0", "--token", "short"), "page.token is"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_rule(config, arguments, sentence):
    told = lalelu("desk", "--config", config, *arguments)
    assert told.code == 2
    assert sentence in told.err


def test_the_token_stands_in_no_ledger(config):
    config.write_text(config.read_text().replace("at: null", f"at: 127.0.0.1:0, token: {TOKEN}"))
    from lalelu.config.loader import load_config

    loaded = load_config(config)
    assert loaded.config.page.token == TOKEN
    assert TOKEN not in json.dumps(loaded.effective)


@pytest.fixture
def instrument(config, tmp_path):
    """An instrument that plays, and its page's address."""
    with session_of(stage_plan(tmp_path, take=False), tmp_path / "run") as (session, _):
        Bulletin(session / "desk").tell(page="http://127.0.0.1:8765/")
        yield "http://127.0.0.1:8765/"


def test_an_instrument_s_page_is_told_and_options_for_another_one_are_not_dropped(config, instrument):
    assert lalelu("desk").out == f"{instrument}\n"
    for options in (("--config", config), ("--token", TOKEN)):
        told = lalelu("desk", *options)
        assert (told.code, told.out) == (2, "")
        assert f"its own page is at {instrument}; --config and --token are for another page" in told.err


def test_another_page_beside_an_instrument_s_says_where_that_is(config, instrument):
    process = start("desk", "--config", config, "--at", "127.0.0.1:0")
    try:
        assert f"an instrument plays, but its own page is at {instrument}" in process.stderr.readline()
    finally:
        process.send_signal(signal.SIGINT)
        assert finish(process).out.strip() != instrument
