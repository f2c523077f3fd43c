"""The shell lines that change a machine's settings, now and at each of its starts. Pure."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from lalelu.doctor.finding import Finding, Lasts

GROUP: Final = "lalelu"  # those who may play in real time, as the service's user does


def with_settings(finding: Finding, settings: Mapping[str, str | int]) -> Finding:
    """Return the finding with what writes `settings` (a kernel's file -> its value); a remedy of its own stays."""
    by_hand = " ; ".join(f"echo {value} | sudo tee {path}" for path, value in settings.items())
    return dataclasses.replace(
        finding,
        remedy=finding.remedy or by_hand,
        script=tuple(f"echo {value} > {path}" for path, value in settings.items()),
        keep=(
            written(
                f"/etc/tmpfiles.d/lalelu-{_file_name(finding.name)}.conf",
                [f"w {path} - - - - {value}" for path, value in settings.items()],
            ),
        ),
        lasts=Lasts.UNTIL_BOOT,
    )


def with_kernel_options(finding: Finding, options: Mapping[str, str]) -> Finding:
    """Return the finding with the edit of GRUB's file: `options` replace what the command line said of them."""
    mark = f"# lalelu: {_file_name(finding.name)}"
    words = " ".join(f"{name}={value}" for name, value in options.items())
    names = "|".join(options)
    return dataclasses.replace(
        finding,
        script=(
            "[ -e /etc/default/grub.before-lalelu ] || cp /etc/default/grub /etc/default/grub.before-lalelu",
            f"sed -i -E -e '/{mark}$/d' -e '/^GRUB_CMDLINE_LINUX/s/\\b({names})=[[:alnum:]_,:-]*//g' /etc/default/grub",
            f"echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {words}\"  {mark}' >> /etc/default/grub",
            "update-grub",
        ),
        lasts=Lasts.FROM_BOOT,
    )


def with_group_right(finding: Finding, file: str, line: str, *after: str) -> Finding:
    """Return the finding with what writes `line` into `file`, for the group that you then belong to."""
    script = (
        f"groupadd --system --force {GROUP}",
        f'usermod -aG {GROUP} "${{SUDO_USER:-root}}"',
        written(file, [line]),
        *after,
    )
    return dataclasses.replace(finding, script=script, lasts=Lasts.FROM_LOGIN)


def written(file: str, lines: Sequence[str]) -> str:
    """Return the shell line that makes `file` of `lines`, none of which has a single quote."""
    quoted = " ".join(f"'{line}'" for line in lines)
    return f"printf '%s\\n' {quoted} > {file}"


def cores_text(cores: Collection[int]) -> str:
    """Return cores as the kernel writes them: `0-3,7`."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
