"""Tell how well the detector's tuning holds on takes that it was not tuned on. Reads files, starts processes.

python tools/cross_validate.py [FOLDERS of *.take.gz with *.truth.jsonl; default ../shared/takes] [--kit rock]
    [--knobs kit.min_speed,strike.FALL_NOISES,...] [--changes 2] [--lead MS] [--same REGEX]

Every take is scored with every setting: each knob as it is, a third less or half as much again, so many knobs changed
at a time. Then each performance is held out in turn: the setting with the best F1 on all other takes is chosen (of
equals the one with the least timing SD, then with the fewest changes), and scored on the one held out. A gap above 0
is what the shipped constants owe to having seen the take; below 0, they give away what others would have found.
"""

import argparse
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib import import_module
from itertools import combinations, product
from multiprocessing import get_context
from os import sched_getaffinity
from pathlib import Path
from typing import Final, TypeAlias

from score_takes import TAKES, detect, takes_of, truth_of, window_ms

from lalelu.analysis.scoring import score
from lalelu.config.kit import KitConfig, StrikeSection
from lalelu.config.loader import load_kit
from lalelu.take import Take, read_take
from lalelu.tuning.outcome import Outcome, together

KIT: Final = "kit"
# kit.NAME is an option of the kit's strike section, MODULE.NAME a constant of lalelu.gesture.
KNOBS: Final = (
    "kit.min_speed",
    "kit.min_height",
    "strike.FALL_NOISES",
    "strike.SLOPE_NOISES",
    "strike.SLOPE_SHARE",
    "strike.RISE_SHARE",
    "strike.RISE_NOISES",
)
FACTORS: Final = (2 / 3, 1.5)  # of the shipped value
# What one performance's takes have in common: seen twice, it must be held out twice.
SAME: Final = r"airdrum_[a-z]+"

Setting: TypeAlias = tuple[tuple[str, float], ...]  # knob and factor; () is what is shipped
Job: TypeAlias = tuple[Path, Setting]


@contextmanager
def other_constants(values: Mapping[str, float]) -> Iterator[None]:
    """Let lalelu.gesture play with other constants (MODULE.NAME) in this process, inside the block.

    A module that has imported such a constant by its name keeps the shipped one.
    """
    places = {knob: _place(knob) for knob in values}
    shipped = {knob: getattr(*place) for knob, place in places.items()}
    try:
        for knob, value in values.items():
            setattr(*places[knob], value)
        yield
    finally:
        for knob, value in shipped.items():
            setattr(*places[knob], value)


def _place(knob: str) -> tuple[object, str]:
    module, _, name = knob.rpartition(".")
    return import_module(f"lalelu.gesture.{module}"), name


def shipped_value(knob: str, kit: KitConfig) -> float:
    """Return a knob's value; ends the program with a sentence when there is none."""
    owner, _, name = knob.rpartition(".")
    try:
        value = getattr(kit.strike, name) if owner == KIT else getattr(*_place(knob))
    except (AttributeError, ModuleNotFoundError):
        value = None
    if not isinstance(value, int | float):
        options = ", ".join(f"{KIT}.{option}" for option in StrikeSection.model_fields)
        sys.exit(
            f"--knobs has {knob!r}, which is no number; write MODULE.NAME of a constant in lalelu/gesture, "
            f"or one of {options}"
        )
    return value


def settings_of(knobs: Sequence[str], changes: int) -> list[Setting]:
    """Return all settings with at most so many changed knobs, the fewest first."""
    return [
        tuple(zip(changed, factors, strict=True))
        for count in range(changes + 1)
        for changed in combinations(knobs, count)
        for factors in product(FACTORS, repeat=count)
    ]


@lru_cache(maxsize=4)
def _take(path: Path) -> Take:
    return read_take(path)


def play(job: Job, kit: KitConfig, lead_ms: float) -> Outcome:
    """Return what a setting gives on a take."""
    path, setting = job
    values = {knob: factor * shipped_value(knob, kit) for knob, factor in setting}
    options = {
        knob.removeprefix(f"{KIT}."): values.pop(knob) for knob, _ in setting if knob.startswith(f"{KIT}.")
    }
    changed = kit.model_copy(update={"strike": kit.strike.model_copy(update=options)})
    with other_constants(values):
        found = detect(_take(path), changed, lead_ms=lead_ms)
    result = score(found, truth_of(path), window_ms=window_ms(path.name))
    squares = 0.0 if result.error_ms is None else result.matched * result.error_ms.sd**2
    return Outcome(result.matched, result.found, result.true, squares)


def play_all(jobs: Sequence[Job], kit: KitConfig, lead_ms: float) -> dict[Job, Outcome]:
    """Return the outcome of every job, worked on by all cores that this process may use."""
    workers = len(sched_getaffinity(0))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        outcomes = pool.map(partial(play, kit=kit, lead_ms=lead_ms), jobs, chunksize=8)
        return dict(zip(jobs, outcomes, strict=True))


def sd_of(outcome: Outcome) -> float:
    """Return the timing's standard deviation in ms, infinite where no hit is true."""
    return math.inf if outcome.sd_ms is None else outcome.sd_ms


def best(paths: Sequence[Path], settings: Sequence[Setting], outcomes: Mapping[Job, Outcome]) -> Setting:
    """Return the setting with the best F1 on these takes, of equals the one with the least timing SD."""

    def rank(setting: Setting) -> tuple[float, float]:
        outcome = together([outcomes[path, setting] for path in paths])
        return -outcome.f1, sd_of(outcome)

    return min(settings, key=rank)  # the first of equals: that with the fewest changes


def performance_of(path: Path, same: str) -> str:
    """Return what a take has in common with the others of its performance: its name, or the part that `same` finds."""
    part = re.search(same, path.name)
    return part.group() if part else path.name


def report(
    paths: Sequence[Path],
    settings: Sequence[Setting],
    outcomes: Mapping[Job, Outcome],
    kit: KitConfig,
    same: str,
) -> list[str]:
    """Return the lines of the table."""

    def words(setting: Setting) -> str:
        knobs = [f"{knob} {factor * shipped_value(knob, kit):.3g}" for knob, factor in setting]
        return ", ".join(knobs) or "as shipped"

    width = max(len(path.name) for path in paths) - len(".take.gz")
    lines = [f"{'held out':{width}}  F1 shipped  chosen without it     gap      false  chosen"]
    pairs = []
    gaps = []
    for path in paths:
        others = [other for other in paths if performance_of(other, same) != performance_of(path, same)]
        chosen = best(others, settings, outcomes)
        shipped, without = outcomes[path, ()], outcomes[path, chosen]
        pairs.append((shipped, without))
        figures = f"{'-':>10}  {'-':>17}  {'-':>6}"  # nothing was played: only what is false counts
        if shipped.true:
            gaps.append(shipped.f1 - without.f1)
            figures = f"{shipped.f1:10.3f}  {without.f1:17.3f}  {gaps[-1]:+6.3f}"
        lines.append(
            f"{path.name.removesuffix('.take.gz'):{width}}  {figures}  {shipped.false:3d} ->{without.false:3d}  "
            f"{words(chosen)}"
        )
    if gaps:
        lines.append(f"{'mean of takes':{width}}  {'':10}  {'':17}  {sum(gaps) / len(gaps):+6.3f}")
    everywhere = best(paths, settings, outcomes)
    for title, whole in (
        ("as shipped", together([shipped for shipped, _ in pairs])),
        ("chosen without each take", together([without for _, without in pairs])),
        (f"chosen on all: {words(everywhere)}", together([outcomes[path, everywhere] for path in paths])),
    ):
        lines.append(
            f"all hits together: F1 {whole.f1:.3f}, {whole.false} false, "
            f"{whole.true - whole.matched} of {whole.true} missed, timing SD {sd_of(whole):.1f} ms: {title}"
        )
    return lines


def main() -> None:
    """Print a row for each take."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--kit", default="rock", help="a kit's name or file (%(default)s)")
    parser.add_argument("--knobs", default=",".join(KNOBS), help="what is tuned (%(default)s)")
    parser.add_argument(
        "--changes", type=int, default=2, help="this many knobs changed at a time, at most (%(default)s)"
    )
    parser.add_argument("--lead", type=float, default=0.0, metavar="MS", help="timing.lead_ms (%(default)g)")
    parser.add_argument(
        "--same",
        default=SAME,
        metavar="REGEX",
        help="takes whose names agree in it are held out together (%(default)s)",
    )
    args = parser.parse_args()
    kit = load_kit(args.kit, None)
    knobs = [knob for knob in args.knobs.split(",") if knob]
    for knob in knobs:
        shipped_value(knob, kit)
    folders = args.folders or [TAKES]
    paths = [path for folder in folders for _, path in takes_of(folder)]
    if len({performance_of(path, args.same) for path in paths}) < 2:
        sys.exit(
            f"{', '.join(map(str, folders))}: takes of {'one performance' if paths else 'none'}; "
            "two are needed, one to tune on"
        )
    settings = settings_of(knobs, args.changes)
    print(f"{len(settings)} settings on {len(paths)} takes", file=sys.stderr)
    outcomes = play_all(list(product(paths, settings)), kit, args.lead)
    print("\n".join(report(paths, settings, outcomes, kit, args.same)))


if __name__ == "__main__":
    main()
