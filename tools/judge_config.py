"""What `fuzz_config.py` holds against a configuration or kit that lalelu accepts. Reads and writes files.

An accepted file must say what lalelu took from it, keep every documented range, come back the same when it is written
out, and play. None of this asks the schema: ranges of lalelu.yaml are those that its comments tell, those of a kit
are written down here a second time, and what a kit plays must be MIDI.
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml

from lalelu.commands.replay import hand
from lalelu.config.loader import Loaded, check_file, load_config, load_kit, shipped_dir
from lalelu.config.problem import ConfigError
from lalelu.errors import LaleluError
from lalelu.gesture.band import Band
from lalelu.numbering import Numbers
from lalelu.take import Take, read_take
from lalelu.types import Event
from lalelu.voice.outputs.memory import MemoryOutput
from lalelu.voice.voice import Voice

GOLDEN: Final = Path(__file__).parents[1] / "tests" / "golden" / "rock_100.take.gz"
FIRST_FRAME: Final = 30  # of the take
FRAMES: Final = 48  # in which both hands strike
AFTER_NS: Final = 20_000_000_000  # longer than any note of a kit
KIT: Final = "mine.yaml"
CONFIG: Final = "lalelu.yaml"
DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml is ten times as fast


class _Dateless(yaml.SafeLoader):
    """PyYAML's own constructor, but that a date is text: a kit may be called so."""


_Dateless.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith(":timestamp")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_RANGE: Final = re.compile(r"(-?[0-9.]*[0-9])\.\.(-?[0-9.]*[0-9])")
# by the option's name, wherever it stands in a kit
KIT_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "channel": (1, 16),
    "note": (0, 127),
    "velocity": (1, 127),
    "note_ms": (5, 10_000),
    "players": (0, 5),
    "min_speed": (0, 20),
    "min_height": (0, 2),
    "mask_ms": (10, 2000),
    "full_speed": (0, 50),
    "min_score": (0, 1),
    "threshold": (0, 20),
    "sensitivity": (0.1, 4),
    "scan_ms": (0, 100),
    "retrigger": (0, 1),
    "crosstalk": (0, 1),
    "curve": (0, 127),
    "box": (-10, 10),
    "ellipse": (-10, 10),
    "half_plane": (-360, 360),
    "sector": (-360, 360),
    "between": (-360, 360),
    "controller": (0, 119),
    "bend": (1, 24),
    "height": (0, 2),
    "open_at": (0, 1),
    "closed_at": (0, 1),
    "hysteresis": (0, 0.5),
    "margin": (0, 1),
    "min_cutoff_hz": (0, 50),
    "beta": (0, 50),
    "hold_ms": (100, 10_000),
}


def judge(folder: Path, text: bytes, *, is_kit: bool) -> str:
    """Have lalelu read `text` and return what came of it. Raises AssertionError for anything it should not do."""
    path = folder / (KIT if is_kit else CONFIG)
    path.write_bytes(text)
    try:
        taken = load_kit(KIT, folder) if is_kit else load_config(path)
    except ConfigError as exc:
        _explained(exc)
        return "refused"
    plain = (taken.config if isinstance(taken, Loaded) else taken).model_dump(mode="json")
    said = yaml.load(text.decode("utf-8-sig"), Loader=_Dateless) or {}  # noqa: S506 - a SafeLoader
    _agree(said, plain, "")
    _in_range(plain, is_kit=is_kit)
    path.write_bytes(dumped(plain))
    again = load_kit(KIT, folder) if is_kit else load_config(path).config
    assert again == (taken.config if isinstance(taken, Loaded) else taken), "written out, it reads otherwise"
    if is_kit:
        assert check_file(path) == (), "`lalelu check` refuses what the loader accepts"
        (folder / CONFIG).write_text(f"kit: {KIT}\n", encoding="utf-8")
        try:
            taken = load_config(folder / CONFIG)
        except ConfigError as exc:  # it names a kit that a configuration with this one alone has not
            _explained(exc)
            return "accepted"
    assert isinstance(taken, Loaded)
    return _played(taken)


def dumped(tree: object, *, flow: bool = False) -> bytes:
    """Return values as YAML."""
    text: str = yaml.dump(tree, Dumper=DUMPER, allow_unicode=True, default_flow_style=flow)
    return text.encode("utf-8", "surrogatepass")


def _explained(exc: ConfigError) -> None:
    assert exc.problems, "refused without a reason"
    for problem in exc.problems:
        assert problem.message.strip(), "a problem without words"
        assert problem.line >= 0
        str(problem).encode()  # can be printed


def _agree(said: object, taken: object, where: str) -> None:
    """Every value of the file stands in what was taken from it: no key is left out, no value becomes another."""
    if isinstance(said, dict):
        assert isinstance(taken, dict), f"{where} is {said}, taken as {taken}"
        for key, below in said.items():
            assert str(key) in taken, f"{where}.{key} is accepted and not known"
            _agree(below, taken[str(key)], f"{where}.{key}")
    elif isinstance(said, list):
        assert isinstance(taken, list), f"{where} is {said}, taken as {taken}"
        for index, (one, other) in enumerate(zip(said, taken, strict=True)):
            _agree(one, other, f"{where}[{index}]")
    elif isinstance(said, str) and re.search(r"\.note(\[[0-9]\])?$", where):
        assert type(taken) is int, f"{where} is {said}, taken as {taken}"  # a pitch or a sound by its name
    elif not (said is False and taken == "off") and not (said is None and isinstance(taken, dict)):
        same = (
            isinstance(said, bool) == isinstance(taken, bool) and said == taken
        )  # 3 is 3.0, but true is not 1
        assert same, f"{where} is {said!r}, taken as {taken!r}"


def _in_range(plain: Mapping[str, Any], *, is_kit: bool) -> None:
    for path, value in _numbers(plain, ()):
        assert math.isfinite(value), f"{path} is {value}"
        allowed = KIT_RANGES.get(path[-1]) if is_kit else documented().get(path)
        assert allowed is None or allowed[0] <= value <= allowed[1], (
            f"{path} is {value}; documented: {allowed}"
        )


def _numbers(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _numbers(below, (*path, key))
    elif isinstance(value, list):
        for below in value:
            yield from _numbers(below, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


@cache
def documented() -> Mapping[tuple[str, ...], tuple[float, float]]:
    """Return the ranges that the comments of lalelu.yaml tell, LOW..HIGH behind the option."""
    ranges: dict[tuple[str, ...], tuple[float, float]] = {}
    above: list[tuple[int, str]] = []
    for line in (shipped_dir() / CONFIG).read_text(encoding="utf-8").splitlines():
        option, _, comment = line.partition(" #")
        name, colon, _ = option.partition(":")
        if not colon or not name.strip().isidentifier():
            continue
        indent = len(name) - len(name.lstrip())
        above = [*(outer for outer in above if outer[0] < indent), (indent, name.strip())]
        if (found := _RANGE.search(comment)) is not None and "addresses" not in comment:
            ranges[tuple(outer for _, outer in above)] = (float(found[1]), float(found[2]))
    return ranges


@cache
def _take() -> Take:
    return read_take(GOLDEN)


def _played(loaded: Loaded) -> str:
    """Play some frames, and see that what comes out is MIDI and that no note is left."""
    config, take = loaded.config, _take()
    aspect = take.header.width / take.header.height
    try:
        band = Band(
            loaded.kits,
            skeleton=take.header.keypoints,
            player_kits=config.player_kits,
            left_handed=config.left_handed,
            lead_ms=config.timing.lead_ms,
            chokes=config.timing.choke,
            aspect=aspect,
        )
    except LaleluError:  # this network shows other keypoints: the start says so
        return "accepted, not with this network"
    output = MemoryOutput()
    now_ns = 0
    delay = config.timing.delay_ms
    voice = Voice(
        [output],
        loaded.kits,
        now_ns=lambda: now_ns,
        channels=config.player.channels or (),
        delay_ns=0 if delay == "auto" else round(delay * 1e6),
        needs_osc=False,
    )
    voice.open()
    numbers = Numbers(loaded.kits)
    events: list[Event] = []
    for frame in islice(take.frames, FIRST_FRAME, FIRST_FRAME + FRAMES):
        now_ns = frame.captured_ns
        events = list(band.frame(frame.seq, frame.captured_ns, frame.poses))
        for event in events:
            hand(voice, event, numbers)
        voice.advance(now_ns)
    for event in list(band.rest(frame.seq, now_ns)):
        hand(voice, event, numbers)
    now_ns += AFTER_NS
    voice.advance(now_ns)
    voice.close()
    for _, message in output.sent:
        assert message[0] & 0x80, f"{message.hex()} is no MIDI message"
        assert all(byte < 0x80 for byte in message[1:]), f"{message.hex()} is no MIDI message"
    assert all(0.0 <= value <= 1.0 for _, value in output.values)
    assert output.sounding == set(), "a note is left hanging"
    return "accepted, played" if output.sent else "accepted, silent"
