"""Which options change while playing: each is of one class, the shipped file says which, and only those change."""

import pytest

from lalelu.config.live import LIVE, RESTART, changed_live, options
from lalelu.config.loader import load_again, load_config, shipped_dir, with_overrides
from lalelu.config.schema import Config


def test_every_option_either_changes_while_playing_or_needs_a_restart():
    assert {*LIVE, *RESTART} == set(options())
    assert not LIVE & RESTART


def test_the_shipped_configuration_marks_the_live_options():
    marked, section = set(), ""
    for line in (shipped_dir() / "lalelu.yaml").read_text().splitlines():
        if line[:1].isalpha():
            section = line.split(":")[0]
        if "# (live)" in line:
            name = line.split(":")[0].strip()
            marked.add(f"{section}.{name}" if line.startswith(" ") else name)
    assert marked == LIVE


def test_what_needs_a_restart_stays_and_is_named():
    wanted = Config.model_validate(
        {
            "camera": {"uri": "opencv:0"},
            "pose": {"heatmap": {"mean": [0.5, 0.5, 0.5]}, "threads": 2},
            "timing": {"delay_ms": "auto"},
            "kit": "latin",
            "player": {"kits": {1: "latin"}, "min_size": 0.1},
        }
    )
    config, left = changed_live(Config(), wanted)
    assert left == ("camera.uri", "pose.threads", "pose.heatmap.mean", "player.min_size")
    assert (config.kit, config.timing.delay_ms, config.player.kits) == ("latin", "auto", {1: "latin"})
    assert (config.camera, config.pose) == (Config().camera, Config().pose)


@pytest.mark.parametrize("config", [Config(), Config(left_handed=True)])
def test_nothing_changes_where_nothing_has_changed(config):
    assert changed_live(config, config) == (config, ())


def test_read_again_a_configuration_keeps_what_the_command_line_has_asked_for(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("kit: rock\n")
    loaded = with_overrides(load_config(path), camera="opencv:3")
    loaded = with_overrides(loaded, midi=["memory:"])
    path.write_text("kit: latin\ncamera: {rotate: 90}\n")
    again = load_again(loaded.source)
    assert (again.config.kit, again.kit.name) == ("latin", "latin")
    assert (again.config.camera.uri, again.config.camera.rotate) == ("opencv:3", 90)
    assert again.config.midi.outputs == ("memory:",)
    assert again.source == loaded.source
