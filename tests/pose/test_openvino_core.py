"""On which core the thread that infers runs; in a process of its own, because OpenVINO asks only once."""

import os
import subprocess
import sys

import pytest

from lalelu.errors import MissingError
from lalelu.models import store

# infers on another core than the process began on, and says on which it was meanwhile and is afterwards
CHILD = """
import os, sys, threading
from pathlib import Path
import numpy as np
from lalelu.pose.runtimes.openvino import OpenVINORuntime
runtime = OpenVINORuntime(Path(sys.argv[1]), precision="auto", threads=1)
spec = runtime.open().inputs[0]
picture = np.zeros(spec.shape, spec.dtype)
os.sched_setaffinity(0, {int(sys.argv[2])})
hot, seen, done = threading.get_native_id(), set(), threading.Event()
def watch():
    while not done.wait(0.0005):
        seen.update(os.sched_getaffinity(hot))
watcher = threading.Thread(target=watch)
watcher.start()
for _ in range(60):
    runtime.infer(picture)
done.set()
watcher.join()
print(sorted(seen | os.sched_getaffinity(0)))
"""


@pytest.mark.model
def test_inference_stays_on_the_core_that_its_thread_was_given(expect):
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        expect("two cores", "this process may use only one")
    try:
        path = store.onnx_path("lightning")
    except MissingError as exc:
        expect("model", str(exc))
    began, given = cores[0], cores[-1]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(given)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {began}),
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout == f"[{given}]\n"
