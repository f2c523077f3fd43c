from typing import Annotated

import pytest
from pydantic import Field

from lalelu import registry
from lalelu.errors import MissingError, UsageError
from lalelu.registry import AdapterOptions


class Drum:
    class Options(AdapterOptions):
        size: Annotated[int, Field(ge=1, le=30)] = 14

    def __init__(self, options: Options) -> None:
        self.options = options


ADAPTERS = {"drum": f"{__name__}:Drum", "robot": "a_vendor_that_nobody_has:Robot"}


def test_an_address_is_split_into_name_target_and_options():
    assert registry.parse_uri("v4l2:/dev/video0?size=640x480&fps=100") == (
        "v4l2",
        "/dev/video0",
        {"size": "640x480", "fps": "100"},
    )
    assert registry.parse_uri("file:my%3Fsong.mid") == ("file", "my?song.mid", {})


@pytest.mark.parametrize("uri", ["sim", "", ":x"])
def test_an_address_without_a_name_and_colon_is_refused(uri):
    with pytest.raises(UsageError, match="NAME:TARGET"):
        registry.parse_uri(uri)


def test_an_option_given_twice_is_refused():
    with pytest.raises(UsageError, match="twice"):
        registry.parse_uri("sim:?bpm=1&bpm=2")


def test_an_adapter_gets_its_target_and_typed_options():
    drum = registry.from_uri("drum", ADAPTERS, "drum:snare?size=13")
    assert (drum.options.target, drum.options.size) == ("snare", 13)


def test_all_wrong_options_are_named_at_once_with_the_nearest_known_one():
    with pytest.raises(UsageError) as caught:
        registry.from_uri("drum", ADAPTERS, "drum:snare?size=31&sise=13")
    message = str(caught.value)
    assert "size is '31'" in message
    assert "less than or equal to 30" in message
    assert "unknown option 'sise'" in message
    assert 'did you mean "size"?' in message


def test_an_unknown_adapter_is_refused_with_the_nearest_one():
    with pytest.raises(UsageError, match='did you mean "drum"'):
        registry.load("drum", ADAPTERS, "drun")


def test_an_adapter_whose_vendor_is_not_installed_says_which_extra_brings_it():
    with pytest.raises(MissingError, match=r"a_vendor_that_nobody_has.*lalelu\[robot\]"):
        registry.load("drum", ADAPTERS, "robot")
