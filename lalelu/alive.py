"""Whether a process runs. Reads /proc."""

from pathlib import Path


def lives(pid: int | None) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    if pid is None:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in "ZX"
