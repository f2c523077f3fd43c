"""Where a configuration comes from. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """What a configuration was made of, to make it again."""

    path: Path | None  # None = the built-in defaults
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # the command line's, by section

    def with_overrides(self, given: Mapping[str, Mapping[str, Any]]) -> "Source":
        """Return the same with more from the command line; the later wins."""
        merged = {
            section: {**self.overrides.get(section, {}), **given.get(section, {})}
            for section in {**self.overrides, **given}
        }
        return Source(self.path, merged)
