"""Which options change while playing, and which need a restart. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final

from lalelu.config.schema import Config
from lalelu.config.section import Section

LIVE: Final = frozenset(
    {
        "kit",
        "more_kits",
        "left_handed",
        "player.kits",
        "player.channels",
        "midi.note_map",  # it has become notes when the kits are read
        "midi.standby_controller",
        "midi.error_note",
        "timing.delay_ms",
        "timing.lead_ms",
        "timing.choke",
        "takes.film",
    }
)
# A device, a network, a port or a processor is opened or asked for by these at the start.
RESTART: Final = frozenset(
    {
        "camera.uri",
        "camera.rotate",
        "camera.mirror",
        "camera.readout_ms",
        "camera.wait",
        "pose.model",
        "pose.runtime",
        "pose.device",
        "pose.precision",
        "pose.threads",
        "pose.crop",
        "pose.hands",
        "pose.fingers",
        "pose.flow",
        "pose.every",
        "pose.lag",
        "pose.heatmap.file",
        "pose.heatmap.skeleton",
        "pose.heatmap.colours",
        "pose.heatmap.mean",
        "pose.heatmap.deviation",
        "pose.heatmap.cells_at",
        "pose.tensorrt.workspace_mib",
        "pose.tensorrt.verbose",
        "player.players",
        "player.region",
        "player.min_size",
        "player.lost_ms",
        "midi.outputs",
        "midi.wait",
        "midi.input",
        "realtime.core",
        "realtime.priority",
        "realtime.lock_memory",
        "realtime.cpu_latency",
        "realtime.required",
        "ledger.dir",
        "ledger.rotate_hours",
        "ledger.keep_mb",
        "page.at",
        "page.token",
        "takes.dir",
    }
)


def options(section: type[Section] = Config, prefix: str = "") -> Iterator[str]:
    """Yield the name of every option, as in `camera.uri`, in the schema's order."""
    for name, field in section.model_fields.items():
        if isinstance(field.default, Section):
            yield from options(type(field.default), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def changed_live(running: Config, wanted: Config) -> tuple[Config, tuple[str, ...]]:
    """Return `running` with the live options of `wanted`, and the names of the others that differ."""
    data = running.model_dump(mode="json")
    plain = wanted.model_dump(mode="json")
    for name in LIVE:
        _put(data, name, _get(plain, name))
    left = tuple(name for name in options() if name in RESTART and _get(data, name) != _get(plain, name))
    return Config.model_validate_json(json.dumps(data)), left


def _get(data: Any, name: str) -> Any:  # noqa: ANN401 - plain JSON values
    for key in name.split("."):
        data = data[key]
    return data


def _put(data: Any, name: str, value: Any) -> None:  # noqa: ANN401 - plain JSON values
    *sections, last = name.split(".")
    for key in sections:
        data = data[key]
    data[last] = value
