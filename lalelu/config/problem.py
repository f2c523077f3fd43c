"""What is wrong in a configuration file, and where. Pure data."""

from dataclasses import dataclass

from lalelu.errors import UsageError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right, as `FILE:LINE:COLUMN: message`."""

    file: str  # as the user named it
    line: int  # from 1; 0 = the file as a whole
    column: int  # from 1
    path: str  # the option, as in midi.outputs[0]; empty = the file as a whole
    message: str  # a sentence that names the option, its value, the rule and the remedy

    def __str__(self) -> str:
        """Return the line that editors and terminals make clickable."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class ConfigError(UsageError):
    """Configuration files with problems, all of them at once (exit 2)."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
