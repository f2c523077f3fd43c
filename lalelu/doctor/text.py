"""The findings as text for people. Pure."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Final

from lalelu.doctor.finding import Finding, State

LEAST_WIDTH: Final = 60  # columns; narrower text is harder to read than a broken line
_INDENT: Final = "      "


def told(findings: Sequence[Finding], width: int) -> str:
    """Return the findings, what is bad first, and their sum; only remedies, to be copied, run over `width`."""
    blocks = []
    for state in (State.BAD, State.COULD_BE_BETTER, State.GOOD, State.NOT_HERE):
        of_state = [finding for finding in findings if finding.state is state]
        if of_state:
            blocks.append("\n".join([f"{state}:", *(_block(finding, width) for finding in of_state)]))
    counts = Counter(finding.state for finding in findings)
    blocks.append(", ".join(f"{counts[state]} {state}" for state in State))
    return "\n\n".join(blocks)


def _block(finding: Finding, width: int) -> str:
    width = max(width, LEAST_WIDTH)
    lines = textwrap.wrap(
        f"{finding.name}: {finding.found}",
        width,
        initial_indent="  ",
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if finding.cost:
        lines += textwrap.wrap(
            f"costs: {finding.cost}", width, initial_indent=_INDENT, subsequent_indent=f"{_INDENT}  "
        )
    if finding.remedy:
        lines.append(f"{_INDENT}fix: {finding.remedy}")
    return "\n".join(lines)
