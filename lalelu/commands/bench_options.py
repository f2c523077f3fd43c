"""Options that several benchmarks read alike: a core, names by commas."""

import os
from collections.abc import Collection, Iterable

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean


def core_of(asked: int | None) -> int:
    """Return the core to measure on: the one asked for, else the last allowed. Raises UsageError for another's."""
    allowed = os.sched_getaffinity(0)
    if asked is None:
        return max(allowed)
    if asked not in allowed:
        raise UsageError(f"--core is {asked}; this process may use {sorted(allowed)}")
    return asked


def names_in(text: str) -> list[str]:
    """Return names that commas part, each once, in their order. Raises UsageError for none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"a list of names is {text!r}; write one name or more, with commas between")
    return list(dict.fromkeys(names))


def check_names(option: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise UsageError for a name that is not known, with those that are."""
    for name in names:
        if name not in known:
            raise UsageError(
                f"{option} has {name!r}; known are {', '.join(known)}{did_you_mean(name, known)}"
            )
