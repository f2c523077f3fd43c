"""Measure everything on this machine and write docs/benchmarks.md with its charts: what `make benchmarks` runs.

    tools/benchmarks.py [SECTION ...] [--quick] [--out DIR] [--python RUNTIME:LABEL=PATH ...]

Nothing else should run meanwhile; it takes about a quarter of an hour. The file holds only the sections that were asked
for (without any: all). `--quick` shows that it works, in a few minutes; its figures mean nothing.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from lalelu.doctor.machine import collect
from lalelu.ledger.files import host_facts

PROJECT = Path(__file__).resolve().parents[1]
BENCH = ("-m", "lalelu", "bench")
PLACES = (
    *("--runtimes", "openvino,onnxruntime,litert,tensorflow"),
    *("--threads", "1,2", "--placement", "pinned,unpinned,isolated"),
)
FEW = ("--warmups", "2", "--runs", "10")
QUICK = (*FEW, "--runtimes", "openvino,onnxruntime")
PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "openvino",
    "onnxruntime",
    "ai-edge-litert",
    "tensorflow",
    "torch",
)

WORDS = (
    "`make benchmarks` measures yours and writes this file. Absolute figures hold for this machine only, and on it for "
    "that hour: compare what stands in one table, and look at the bare sleeper beside it."
)


@dataclass(frozen=True)
class Section:
    """One command whose standard output goes into the file."""

    title: str
    words: str  # before the table
    command: tuple[str, ...]  # of this Python
    quick: tuple[str, ...] = ()  # what makes it short
    chart: str = ""  # a file beside the Markdown, which the command draws with --chart
    environments: bool = False  # whether it takes other environments' runtimes


# another one is one line here
SECTIONS: Mapping[str, Section] = {
    "lightning": Section(
        "Inference: Lightning",
        "Random pictures, one core, one thread. At last 1000 inferences in a row inside the running instrument.",
        (*BENCH, "inference", "--model", "lightning", "--instrument"),
        (*QUICK, "--instrument", "50"),
        "benchmarks-lightning.svg",
        environments=True,
    ),
    "thunder": Section(
        "Inference: Thunder",
        "The same; a fifth of the runs.",
        (*BENCH, "inference", "--model", "thunder", "--runs", "400", "--instrument"),
        (*QUICK, "--instrument", "50"),
        "benchmarks-thunder.svg",
        environments=True,
    ),
    "placement": Section(
        "Threads, and where they run",
        "Lightning with one and two threads: each on a core of its own, wherever the kernel likes, on isolated cores.",
        (*BENCH, "inference", "--model", "lightning", *PLACES, "--runs", "300"),
        QUICK,
        "benchmarks-placement.svg",
    ),
    "pipeline": Section(
        "The whole pipeline",
        "From a camera's picture in memory to hits, each runtime in the precision that it takes by itself.",
        (*BENCH, "pipeline", "--warmups", "30", "--runs", "150"),
        (*QUICK, "--model", "lightning"),
        "benchmarks-pipeline.svg",
    ),
    "merge": Section(
        "Merged graphs",
        "The camera's picture, the crop and the keypoints' places outside the graph, or in it.",
        (*BENCH, "merge", "--model", "lightning", "--warmups", "30", "--runs", "300"),
        QUICK,
    ),
    "suppression": Section(
        "Suppression in a detector's graph",
        "Anchors and the choice among overlapping boxes in NumPy, or in the graph.",
        ("tools/bench_nms.py",),
        ("--runs", "10"),
    ),
    "flow": Section(
        "Optical flow",
        "Keypoints and hits on rendered players, against the network on every frame.",
        ("tools/bench_flow.py", "--seconds", "5"),
        ("--seconds", "1"),
    ),
    "gesture": Section(
        "Recognising strokes", "The gesture step alone, and deciding ahead.", (*BENCH, "gesture"), FEW
    ),
}


def machine() -> str:
    """Return this machine's facts as a Markdown table; nothing in it names the machine or its user."""
    facts = collect()
    rows = {
        "processor": f"{host_facts()['cpu']}, {len(facts.online)} cores{', bf16' if facts.has_bf16 else ''}",
        "isolated cores": ", ".join(map(str, facts.isolated)) or "none",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "machine": "virtual" if facts.is_virtual else "real",
        "kernel": f"{facts.kernel}{', PREEMPT_RT' if facts.is_preempt_rt else ''}",
        "clock": ", ".join(sorted(set(facts.governors.values()))) or "no governor to be seen",
        "Python": platform.python_version(),
        **{name: number for name in PACKAGES if (number := _version(name))},
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def measured(section: Section, out: Path, pythons: Sequence[str], *, quick: bool) -> tuple[str, bool]:
    """Run a section's command; return its part of the file, and whether it went well.

    `pythons` are other environments' interpreters, as `lalelu bench inference --python` takes them.
    """
    command = (*section.command, *(section.quick if quick else ()))
    drawn = ("--chart", str(out / section.chart)) if section.chart else ()
    others = [word for python in pythons if section.environments for word in ("--python", python)]
    whole = [sys.executable, *command, *drawn, *others]
    done = subprocess.run(whole, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    shown = command[1:] if command[:2] == BENCH[:2] else ("python", *command)
    parts = [f"## {section.title}", section.words, f"`{' '.join(shown)}`"]
    if done.returncode == 0:
        parts.append(f"```text\n{anonymous(done.stdout).strip()}\n```")
        if section.chart:
            parts.append(f"![{section.title}]({section.chart})")
    else:
        parts.append(f"It ended with status {done.returncode}: there is no figure.")
    return "\n\n".join(parts), done.returncode == 0


def anonymous(text: str) -> str:
    """Return a command's output without the places where this user keeps things."""
    return text.replace(str(PROJECT), ".").replace(str(Path.home()), "~")


def main(arguments: Sequence[str] | None = None, sections: Mapping[str, Section] = SECTIONS) -> int:
    """Measure and write; 1 when a section failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(sections)}")
    parser.add_argument("--quick", action="store_true", help="show that it works")
    parser.add_argument("--out", type=Path, default=PROJECT / "docs", metavar="DIR")
    parser.add_argument("--python", action="append", default=[], help="as `lalelu bench inference` takes it")
    args = parser.parse_args(arguments)
    chosen = args.sections or [*sections]
    if unknown := [name for name in chosen if name not in sections]:
        parser.error(f"{', '.join(unknown)}: no such section; known are {', '.join(sections)}")
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    head = [
        "# Benchmarks of one machine",
        WORDS,
        *(["**A quick trial: too short for figures.**"] if args.quick else []),
        f"{datetime.now(UTC):%Y-%m-%d}, load before: {os.getloadavg()[0]:.1f}",
        machine(),
    ]
    parts, good = [], True
    for name in chosen:
        began_s = time.monotonic()
        part, went_well = measured(sections[name], out, args.python, quick=args.quick)
        parts.append(part)
        good = good and went_well
        print(f"{name}: {(time.monotonic() - began_s) / 60:.1f} minutes", file=sys.stderr)
    (out / "benchmarks.md").write_text("\n\n".join([*head, *parts]) + "\n", encoding="utf-8")
    print(out / "benchmarks.md")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
