"""The findings' settings as a shell script for people to read, cut and run. Pure."""

from collections.abc import Sequence
from typing import Final

from lalelu.doctor.finding import Finding, Lasts, State

HEAD: Final = """\
#!/bin/sh
# Settings that make this machine a better instrument, by `lalelu doctor --apply`. Nothing of it has been done.
# Read it, take out what you do not want, and run the rest as root: `sudo sh FILE`. A line that begins with # is not
# run; a setting that ends with the machine's next start has a line below it that keeps it: take its # away.
set -eu"""


def script(findings: Sequence[Finding]) -> str:
    """Return the script: a block a finding, what needs a start of the machine last, then what no line can do."""
    settings = [finding for finding in findings if finding.script]
    now = [finding for finding in settings if finding.lasts is not Lasts.FROM_BOOT]
    later = [finding for finding in settings if finding.lasts is Lasts.FROM_BOOT]
    blocks = [HEAD, *(_block(finding) for finding in [*now, *later])]
    if not settings:
        blocks.append("# There is nothing to set.")
    if later:
        blocks.append("echo 'Start the machine anew when it suits you: the last changes wait for that.' >&2")
    by_hand = [
        finding
        for finding in findings
        if finding.remedy and not finding.script and finding.state in (State.BAD, State.COULD_BE_BETTER)
    ]
    if by_hand:
        told = [_comment(f"{finding.name}: {finding.remedy}") for finding in by_hand]
        blocks.append("\n".join(["# --- What is for you to do, not for a script:", *told]))
    return "\n\n".join(blocks) + "\n"


def _block(finding: Finding) -> str:
    lines = [_comment(f"--- {finding.name}: {finding.found}")]
    if finding.cost:
        lines.append(_comment(f"costs: {finding.cost}"))
    is_kept = any(not line.startswith("#") for line in finding.keep)  # the others are remarks
    lines.append(_comment(f"in force {finding.lasts}{'; the last line keeps it' if is_kept else ''}"))
    if finding.lasts is Lasts.FROM_BOOT:
        lines.append(
            "# (where GRUB starts the machine; elsewhere its boot loader has a file of its own for this)"
        )
    lines += finding.script
    lines += [line if line.startswith("#") else f"#{line}" for line in finding.keep]
    return "\n".join(lines)


def _comment(text: str) -> str:
    """Return the text as one comment, whatever line ends a device's name brought into it."""
    return f"# {' '.join(text.split())}"
