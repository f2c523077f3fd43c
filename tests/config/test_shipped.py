from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from lalelu.config.loader import check_file, load_config, load_kit, shipped_dir, shipped_kits
from lalelu.config.schema import Config
from lalelu.config.section import Section


def names(model: type[BaseModel], prefix=""):
    for name, field in model.model_fields.items():
        if isinstance(field.default, Section):
            yield from names(type(field.default), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def written(data, prefix=""):
    for name, value in data.items():
        if isinstance(value, dict) and value:
            yield from written(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_the_shipped_configuration_holds_every_option_with_its_default():
    path = shipped_dir() / "lalelu.yaml"
    assert load_config(path).config == Config()
    assert list(written(yaml.safe_load(path.read_text()))) == list(names(Config))


def test_every_option_of_the_shipped_configuration_has_its_explanation():
    lines = (shipped_dir() / "lalelu.yaml").read_text().splitlines()
    options = [line for line in lines if ":" in line.partition("#")[0] and not line.strip().startswith("-")]
    leaves = [line for line in options if not line.rstrip().endswith(":")]
    assert len(leaves) == len(list(names(Config)))
    assert [line for line in leaves if len(line.partition("#")[2].strip()) < 20] == []


def test_a_rock_kit_and_a_minimal_one_are_shipped():
    assert {"minimal", "rock"} <= set(shipped_kits())


@pytest.mark.parametrize("name", shipped_kits())
def test_every_shipped_kit_is_valid_and_called_like_its_file(name):
    path: Path = shipped_dir() / "kits" / f"{name}.yaml"
    assert check_file(path) == ()
    assert load_kit(name, None).name == name


def test_only_kits_with_pedals_ask_for_the_players_legs():
    asking = {name for name in shipped_kits() if load_kit(name, None).needs_legs}
    assert asking == {"rock_pedals", "gestures"}
