"""`lalelu desk`: tells where the page is, or serves it for a configuration that nobody plays."""

import json
import signal
import urllib.request
from urllib.error import HTTPError

import pytest
from system.stage import finish, lalelu, start, write_config

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
