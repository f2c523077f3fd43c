"""Inferences in a row inside the running instrument, beside a bare sleeper. Starts processes, writes files.

What a benchmark's quiet loop shows is not yet what plays: here a camera, a voice and a desk are at work, and a picture
comes every 10 ms.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from lalelu.bench.turns import COLUMNS, WIDTH, Spread, titles
from lalelu.channel import RingReader
from lalelu.doctor import probe
from lalelu.errors import LostError
from lalelu.ledger.reader import read_ledger
from lalelu.realtime import choose_core
from lalelu.session import Session, sessions

CAMERA: Final = "sim:?groove=rock&seed=1"
SETTLED: Final = 200  # frames at the start that do not count: the film begins, the crop finds the player ...
SLEEPER_AT: Final = 50  # ... and from this one on the sleeper starts
PRIORITY: Final = 90  # the sleeper's: above the engine's and the voice's
PERIOD_MS: Final = 10.0  # the sleeper's, as the camera's
START_S: Final = 180.0  # the instrument plays by then, on the slowest machine
PATIENCE_S: Final = 10.0  # without a frame: the instrument stands still
_POLL_S: Final = 0.05
_END_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Playing:
    """What consecutive frames of the running instrument took."""

    model: str
    core: int | None  # the engine's
    inference: Spread  # the network alone
    pose: Spread  # from the picture in hand to its keypoints: crop, network, decoding
    skipped: int  # frames that the camera delivered meanwhile and nobody took
    inference_ms: tuple[float, ...]  # one after the other
    sleeper: probe.Lateness
    scheduling: str  # the sleeper's
    refused: tuple[str, ...]  # what the engine asked of the machine in vain

    def as_json(self) -> dict[str, Any]:
        """Return it as plain dicts and lists."""
        return asdict(self)


def play(model: str, frames: int, progress: Callable[[str], None]) -> Playing:
    """Let the simulated drummer play until `frames` frames are inferred, and return them.

    The configuration is the installed one's default, with the network on every frame. Raises LostError when the
    instrument ends by itself or stands still.
    """
    progress(f"{model}: {frames} frames in the running instrument")
    core = choose_core("auto")
    with tempfile.TemporaryDirectory(prefix="lalelu-bench-") as name, tempfile.TemporaryFile("w+") as said:
        folder = Path(name)
        config = {"pose": {"model": model, "flow": "off"}, "midi": {"outputs": ["memory:"]}}
        (folder / "lalelu.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML, too
        command = [sys.executable, "-m", "lalelu", "run", "--config", str(folder / "lalelu.yaml")]
        command += ["--camera", CAMERA, "--log", str(folder / "ledger")]
        with subprocess.Popen(command, stdout=said, stderr=said) as process:
            try:
                _wait(process, said, SLEEPER_AT)
                sleeper = probe.start(
                    probe.Probe(core, period_ms=PERIOD_MS, priority=PRIORITY, until_stdin_closes=True)
                )
                try:
                    _wait(process, said, SETTLED + frames)
                finally:
                    slept = probe.finish(sleeper)
                process.terminate()
                process.wait(_END_S)
            finally:
                process.kill()
        ledger = read_ledger(folder / "ledger")
    rows = ledger.frames[SETTLED : SETTLED + frames]
    inference_ns = rows["inferred_ns"] - rows["prepared_ns"]
    refused = [
        each["request"]
        for each in ledger.header.get("requests", ())
        if each["process"] == "engine" and not each["granted"]
    ]
    return Playing(
        model,
        core,
        Spread.of(inference_ns),
        Spread.of(rows["posed_ns"] - rows["decoded_ns"]),
        int(rows["skipped"].sum()),
        tuple(np.round(inference_ns * 1e-6, 3).tolist()),
        slept.lateness,
        slept.scheduling,
        tuple(refused),
    )


def _wait(process: subprocess.Popen[bytes], said: IO[str], frames: int) -> None:
    """Wait until the instrument has inferred so many frames. Raises LostError when it does not."""
    ring: RingReader | None = None
    before, at_s, patience_s = 0, time.monotonic(), START_S
    while True:
        if ring is None and (session := _session(process.pid)) is not None:
            ring = RingReader(session / "frames")
        done = 0 if ring is None else ring.head
        if done >= frames:
            return
        if done > before:
            before, at_s, patience_s = done, time.monotonic(), PATIENCE_S
        if process.poll() is not None or time.monotonic() - at_s > patience_s:
            said.seek(0)
            last = [line.strip() for line in said if line.strip()][-1:] or ["it said nothing"]
            raise LostError(
                f"the instrument has played {done} of {frames} frames and "
                f"{'stands still' if process.poll() is None else 'ended'}: {last[0]}; start the benchmark again"
            )
        time.sleep(_POLL_S)


def _session(leader: int) -> Session | None:
    return next((session for session in sessions(os.environ) if session.leader == leader), None)


def table(plays: list[Playing]) -> str:
    """Return what was played as text for people; ms."""
    lines = [
        f"inside the running instrument, core {plays[0].core}: frames in a row from a camera of 100 a second; ms",
        f"{'':<26}{titles(COLUMNS)}",
    ]
    for each in plays:
        late = each.sleeper
        slept = (late.mean_ms, late.max_ms, late.sd_ms, late.p50_ms, late.p99_ms)
        mean, *others = (f"{value:{WIDTH}.2f}" for value in slept)
        lines += [
            f"{f'{each.model}, inference':<26}{each.inference.cells()}",
            f"{f'{each.model}, picture to pose':<26}{each.pose.cells()}",
            f"{'sleeper, late':<26}{mean}{'-':>{WIDTH}}{''.join(others)}",
        ]
        lines.append(
            f"{each.model}: {each.inference.count} frames, {each.skipped} of the camera's skipped; "
            f"refused to the engine: {', '.join(each.refused) or 'nothing'}; "
            f"sleeper: {each.scheduling}, {late.wakings} times {PERIOD_MS:g} ms"
        )
    return "\n".join(lines)
