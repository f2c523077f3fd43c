#!/usr/bin/env python3
"""Give lalelu configurations and kits that nobody should write, and see that it takes no nonsense. Writes files.

    tools/fuzz_config.py [--cases 20000] [--seed 1]

Shipped files are damaged by bytes, by lines and by structure, kits are spliced together, and values are made up along
the schema, most of them valid. Each must be refused with reasons, or hold what `judge_config.py` asks of an accepted
file; within CPU time and memory, and never with another exception. Needs hypothesis (`pip install '.[test]'`).
"""

import argparse
import copy
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import judge_config
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from lalelu.config.agreement_of_limbs import KNOWN
from lalelu.config.kit import KitConfig
from lalelu.config.loader import shipped_dir
from lalelu.config.schema import Config

MOST_CPU_S: Final = 20.0  # of one case
MOST_MB: Final = 400.0  # that all cases together may add
BATCH: Final = 500  # cases between two of hypothesis's own beginnings: it remembers what it has made

FILES: Final = {path.name: path.read_bytes() for path in sorted(shipped_dir().rglob("*.yaml"))}
TREES: Final = {name: yaml.safe_load(text) for name, text in FILES.items()}
KITS: Final = sorted(set(FILES) - {judge_config.CONFIG})
NAMES: Final = ("a", "b", "snare")  # few, so that what refers to a name often finds it
LIMB_OPTIONS: Final = ("limb", "limbs", "x", "y", "angle", "distance", "keypoints")
SCRAPS: Final = (
    *("off", "1:30", "036", "0x1F", "1_0", "1e3", "1.0e+999", ".nan", "-.inf", "~", "=", "<<", "true"),
    *("127", "128", "-1", "0", "3.5", "9" * 5000, "0x" + "f" * 5000, "2026-01-31", "2026-01-31T00:00:00Z"),
    *("&a ", "*a", "<<: *a", "!!int x", "!!null 5", "!!binary x", "!!set {}", "!<x>", "!%ff"),
    *("!!python/object/apply:os.system [ls]", "[", "]", "{", "}", "[" * 30, "- ", "? ", ": ", "'", '"'),
    *('"\\ud800"', '"\\U00110000"', "%YAML 9.9\n", "---\n", "...\n", "|\n", ">-\n", "#", "\x00", "\x85"),
    *("\t", "\r", "\n", "  ", "\ufeff", "é", "\u202e", "\U0001f941", "k" * 200, "snare:", "box:"),
    *("~nobody/x.yaml", "/dev/zero", "../../etc/passwd"),
)
# numbers in an order that makes sense, so that most zones are some
SHAPED: Final[Mapping[str, Callable[[list[Any]], list[Any]]]] = {
    "box": lambda ends: sorted(ends, key=_rank),
    "ellipse": lambda parts: [*parts[:2], *(abs(part) if _rank(part) < 0 else part for part in parts[2:])],
    "sector": lambda parts: [*parts[:2], *sorted(parts[2:4], key=_rank), *sorted(parts[4:], key=_rank)],
    "region": lambda ends: sorted(ends, key=_rank),
}


def _rank(value: object) -> float:
    return value if isinstance(value, int | float) and value == value else 0.0


LEAVES: Final = (
    st.none()
    | st.booleans()
    | st.integers(-2, 130)
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(SCRAPS)
    | st.sampled_from(NAMES)
    | st.sampled_from(KNOWN)
)
JUNK: Final = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=6,
)


@st.composite
def bytes_damaged(draw: DrawFn, name: str) -> bytes:
    """Make a shipped file with bytes taken out, put in or in another code."""
    text = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 12) | st.just(len(text)))
        text[at : at + cut] = draw(st.sampled_from(SCRAPS).map(str.encode) | st.binary(max_size=4))
    if draw(st.integers(0, 30)) == 0:
        code = draw(st.sampled_from(["utf-16", "utf-32-le", "utf-8-sig", "utf-7"]))
        return text.decode("utf-8", "replace").encode(code)
    return bytes(text)


@st.composite
def lines_damaged(draw: DrawFn, name: str) -> bytes:
    """Make a shipped file with lines moved, doubled, indented, taken out, or of another file."""
    lines = FILES[name].decode().splitlines()
    others = FILES[draw(st.sampled_from(sorted(FILES)))].decode().splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            del lines[at : at + draw(st.integers(1, 3))]
            lines = lines or [""]
        elif kind == 1:
            lines.insert(draw(st.integers(0, len(lines))), lines[at])
        elif kind == 2:
            lines.insert(at, draw(st.sampled_from(others)))
        elif kind == 3:
            lines[at] = " " * draw(st.integers(0, 6)) + lines[at].lstrip()
        else:
            before, colon, _ = lines[at].partition(":")
            lines[at] = f"{before}{colon} {draw(st.sampled_from(SCRAPS))}"
    return "\n".join(lines).encode()


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where every value below the top stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, below in items for found in [(*path, key), *_places(below, (*path, key))]]


def _at(tree: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401 - YAML's values
    for part in path:
        tree = tree[part]
    return tree


@st.composite
def structure_damaged(draw: DrawFn, name: str) -> bytes:
    """Make a shipped file's values with some taken out, renamed, exchanged, or spliced in from another kit."""
    tree = copy.deepcopy(TREES[name])
    for _ in range(draw(st.integers(1, 3))):
        places = _places(tree)
        if not places:
            break
        path = draw(st.sampled_from(places))
        above, key = _at(tree, path[:-1]), path[-1]
        kind = draw(st.integers(0, 4))
        if kind == 0:
            del above[key]
        elif kind == 1 and isinstance(above, dict):
            above[draw(st.sampled_from(NAMES) | st.text(max_size=6))] = above.pop(key)
        elif kind == 2:
            above[key] = draw(JUNK)
        elif kind == 3:
            number = above[key] if isinstance(above[key], int | float) else 1
            above[key] = draw(st.sampled_from([-number, number * 10, number + 0.5, number // 2, str(number)]))
        else:
            other = TREES[draw(st.sampled_from(KITS))]
            same = [place for place in _places(other) if place[-1] == key] or _places(other)
            above[key] = copy.deepcopy(_at(other, draw(st.sampled_from(same))))
    return judge_config.dumped(tree, flow=draw(st.booleans()))


def made_up(model: type[KitConfig] | type[Config]) -> SearchStrategy[bytes]:
    """Return values along a schema, now and then one that is not."""
    schema = model.model_json_schema()
    return _along(schema, schema, "").map(lambda tree: judge_config.dumped(tree, flow=True))


def _along(node: Mapping[str, Any], root: Mapping[str, Any], option: str) -> SearchStrategy[Any]:
    fitting = _fitting(node, root, option)
    return st.integers(0, 200).flatmap(lambda number: JUNK if number == 200 else fitting)


def _fitting(node: Mapping[str, Any], root: Mapping[str, Any], option: str) -> SearchStrategy[Any]:
    if "$ref" in node:
        return _fitting(root["$defs"][node["$ref"].rpartition("/")[2]], root, option)
    if "const" in node or "enum" in node:
        return st.sampled_from([node["const"]] if "const" in node else node["enum"])
    if members := node.get("anyOf") or node.get("oneOf"):
        return st.one_of([_fitting(member, root, option) for member in members])
    makers: Mapping[str, Callable[[], SearchStrategy[Any]]] = {
        "integer": lambda: st.integers(*_ends(node, int)),
        "number": lambda: st.floats(*_ends(node, float)) | st.integers(*_ends(node, int)),
        "boolean": st.booleans,
        "null": st.none,
        "array": lambda: _list(node, root, option),
        "object": lambda: _mapping(node, root, option),
        "string": lambda: _text(node, option),
    }
    return makers[node["type"]]()


def _ends(node: Mapping[str, Any], kind: type) -> tuple[Any, Any]:
    """Return the ends of a range, rarely beyond; what is open has none."""
    low = node.get("minimum", node.get("exclusiveMinimum", -1000))
    high = node.get("maximum", node.get("exclusiveMaximum", 1000))
    return kind(low), kind(high)


def _list(node: Mapping[str, Any], root: Mapping[str, Any], option: str) -> SearchStrategy[Any]:
    if "prefixItems" in node:
        entries = st.tuples(*(_along(entry, root, option) for entry in node["prefixItems"])).map(list)
        return entries | entries.map(SHAPED.get(option, list))
    return st.lists(_along(node["items"], root, option), min_size=node.get("minItems", 0), max_size=3)


def _mapping(node: Mapping[str, Any], root: Mapping[str, Any], option: str) -> SearchStrategy[Any]:
    known = node.get("properties")
    if known is None:
        entries = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
        keys = st.sampled_from(
            KNOWN if option == "keypoint" else ("0", "1", "5") if option == "kits" else NAMES
        )
        inner = "keypoint" if option == "keypoints" else option
        least = node.get("minProperties", 0)
        return st.dictionaries(keys, _along(entries, root, inner), min_size=least, max_size=3)
    entries = {key: _along(below, root, key) for key, below in known.items()}
    # a pad without a zone is rarely played
    required = {
        key: entries.pop(key)
        for key in (*node.get("required", ()), *({"zone"} & known.keys()))
        if key in entries
    }
    return st.fixed_dictionaries(required, optional=entries)


def _text(node: Mapping[str, Any], option: str) -> SearchStrategy[Any]:
    if option in LIMB_OPTIONS:
        return st.sampled_from(KNOWN)
    if option in ("uri", "outputs", "input"):
        return st.sampled_from(
            ["sim:", "take:a.take", "virtual:a", "file:a.mid", "osc:localhost:9000", "memory:"]
        )
    if option in ("kit", "more_kits", "kits"):
        return st.sampled_from([*(name.removesuffix(".yaml") for name in KITS), "minimal", "rock"])
    if "pattern" in node and "a pitch" in node.get("description", ""):
        return st.sampled_from(["C4", "F#3", "Bb2", "G9", "A9"])
    if "osc" in option:
        return st.sampled_from(["/a", "/voice/pitch", "/a/", "a"])
    return st.sampled_from(NAMES)


@cache
def cases() -> SearchStrategy[tuple[str, bytes, bool]]:
    """Return how a file was made, the file, and whether it is a kit."""
    kinds: list[SearchStrategy[tuple[str, bytes, bool]]] = []
    for kind, make in (("bytes", bytes_damaged), ("lines", lines_damaged), ("structure", structure_damaged)):
        of_kits = st.sampled_from(KITS).flatmap(make)
        kinds.append(of_kits.map(lambda text, kind=kind: (kind, text, True)))
        kinds.append(make(judge_config.CONFIG).map(lambda text, kind=kind: (kind, text, False)))
    kinds.append(made_up(KitConfig).map(lambda text: ("schema", text, True)))
    kinds.append(made_up(Config).map(lambda text: ("schema", text, False)))
    return st.one_of(kinds)


class HangError(BaseException):  # no `except Exception` may take it for one of its own
    """A case took too long."""


def _hangs(*_: object) -> None:
    raise HangError(f"a case took more than {MOST_CPU_S:g} s of CPU time")


def run(count: int, number: int) -> Counter[str]:
    """Judge `count` cases from the seed `number` and count how each came out; raises at the first wrong one."""
    outcomes: Counter[str] = Counter()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    handler = signal.signal(signal.SIGPROF, _hangs)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:  # noqa: S108

        def case(made: tuple[str, bytes, bool]) -> None:
            kind, text, is_kit = made
            signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
            try:
                outcome = judge_config.judge(Path(name), text, is_kit=is_kit)
            except HangError:
                sys.stderr.buffer.write(text + b"\n")
                raise
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
            assert grown < MOST_MB, f"memory has grown by {grown:.0f} MB"
            outcomes[f"{kind:<10} {'kit' if is_kit else 'config':<7} {outcome}"] += 1

        plain = settings(
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        try:
            for first in range(0, count, BATCH):
                limited = settings(plain, max_examples=min(BATCH, count - first))
                seed(number * 1_000_003 + first)(limited(given(cases())(case)))()
        finally:
            signal.signal(signal.SIGPROF, handler)
    return outcomes


def main() -> int:
    """Run the cases and print how many came out in which way; the first wrong one is raised, made small."""
    parser = argparse.ArgumentParser(description="Fuzz configurations and kits.", allow_abbrev=False)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    outcomes = run(args.cases, args.seed)
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome:<52} {count:6}")
    print(f"{sum(outcomes.values())} files: none raised anything but its reasons, no nonsense was accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
