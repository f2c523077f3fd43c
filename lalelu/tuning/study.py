"""Search the values of a kit's parameters that play its lessons best, with Optuna's TPE. Asks the time."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import ValidationError

from lalelu.config.kit import KitConfig
from lalelu.errors import MissingError
from lalelu.tuning.outcome import Outcome, goodness, is_worse, together
from lalelu.tuning.parameters import Parameter, changed, changes, with_values


class Workers(Protocol):
    """Who plays: so many kits at a time as `count`."""

    count: int

    def play(self, kits: Sequence[KitConfig]) -> list[list[tuple[Outcome, Outcome]]]:
        """Return, for each kit, what it gives on every lesson: the part tuned on, and the one held back."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The kit as it was and the best one found, and what each gives on every lesson, in order."""

    before: list[tuple[Outcome, Outcome]]
    after: list[tuple[Outcome, Outcome]]
    kit: KitConfig
    trials: int  # played

    @property
    def is_worse(self) -> bool:
        """Whether the kit found is worse on the parts that were held back."""
        after, before = (together([held for _, held in parts]) for parts in (self.after, self.before))
        return is_worse(after, before)


def search(
    kit: KitConfig,
    parameters: Sequence[Parameter],
    workers: Workers,
    *,
    window_ms: float,
    trials: int,
    seconds: float | None = None,
    seed: int = 0,
    advance: Callable[[int, float, float], None] = lambda _done, _before, _best: None,
) -> Tuned:
    """Return the kit that is best on the parts that are tuned on; the kit as it is takes part.

    Ends after so many trials or seconds, what comes first. The same seed and number of workers find the same kit,
    where no time ends the search. `advance` is told the trials done, F1 before and the best F1.
    Raises MissingError without Optuna.
    """
    optuna = _optuna()
    ends = None if seconds is None else time.monotonic() + seconds
    before = workers.play([kit])[0]
    best_kit, best, best_value = kit, before, goodness(_tuned_on(before), window_ms)
    first_f1 = _tuned_on(before).f1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    ranges = {one.name: optuna.distributions.FloatDistribution(one.low, one.high) for one in parameters}
    study.add_trial(
        optuna.trial.create_trial(
            params={one.name: one.now for one in parameters}, distributions=ranges, value=best_value
        )
    )
    done = 0
    while done < trials and (ends is None or time.monotonic() < ends):
        asked = [study.ask(ranges) for _ in range(min(workers.count, trials - done))]
        done += len(asked)
        kits = [_kit_of(kit, trial.params) for trial in asked]
        played = iter(workers.play([each for each in kits if each is not None]))
        for trial, candidate in zip(asked, kits, strict=True):
            if candidate is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            outcome = next(played)
            value = goodness(_tuned_on(outcome), window_ms)
            study.tell(trial, value)
            if value > best_value:
                best_kit, best, best_value = candidate, outcome, value
        advance(done, first_f1, _tuned_on(best).f1)
    return Tuned(before, best, best_kit, done)


def spared(kit: KitConfig, tuned: Tuned, workers: Workers) -> Tuned:
    """Return what a search has found without the changes that do not help: those options stay as they are in `kit`.

    One after the other is taken back, unless the parts that are tuned on become worse than with all of them.
    """
    found, best, goal = changes(kit, tuned.kit), tuned, _tuned_on(tuned.after)
    for where in tuple(found):
        rest = {other: value for other, value in found.items() if other != where}
        try:
            candidate = changed(kit, rest)
        except ValidationError:  # it goes only together with another change
            continue
        outcome = workers.play([candidate])[0]
        if not is_worse(_tuned_on(outcome), goal):
            found, best = rest, replace(best, after=outcome, kit=candidate)
    return best


def _tuned_on(parts: Sequence[tuple[Outcome, Outcome]]) -> Outcome:
    return together([part for part, _ in parts])


def _kit_of(kit: KitConfig, values: Mapping[str, float]) -> KitConfig | None:
    """Return the kit with these values; None where they contradict each other."""
    try:
        return with_values(kit, values)
    except ValidationError:
        return None


def _optuna() -> Any:  # noqa: ANN401 - a vendor's module
    try:
        import optuna
    except ModuleNotFoundError as exc:
        raise MissingError(
            "tuning needs the module 'optuna', which is not installed; `pip install 'lalelu[tune]'` brings it"
        ) from exc
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
