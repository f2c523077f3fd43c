"""The system bench boots a machine for minutes; here only that its parts fit together."""

import ast
import json
import sys
import tarfile
from pathlib import Path

import pytest

BENCH = Path(__file__).parent / "bench"


def functions_of(path):
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("film", "image", "machine", "run"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_every_check_of_the_plans_is_one_that_the_guest_has(bench):
    import run

    known = {"reboot"}.union(*(functions_of(path) for path in BENCH.glob("guest/bench_*.py")))
    assert {check for _, checks in run.PLANS.values() for check in checks.split()} - known == set()


def test_the_job_brings_the_agent_its_checks_and_their_files(bench, tmp_path):
    import machine

    film = tmp_path / "film"
    film.write_bytes(b"frames")
    with tarfile.open(machine.job(tmp_path, ["installed"], [film], limit_s=9)) as job:
        assert {"agent.py", "bench_service.py", "film", "job.json"} <= set(job.getnames())
        assert json.load(job.extractfile("job.json")) == {"checks": ["installed"], "limit_s": 9}


def test_a_missing_tool_is_told_with_the_package_that_brings_it(bench, monkeypatch, tmp_path):
    import image

    monkeypatch.setattr(image, "TOOLS", {"no-such-command": "emulator", "sh": "dash"})
    with pytest.raises(SystemExit, match=r"needs emulator; apt-get install emulator$"):
        image.build(tmp_path / "lalelu.deb")
