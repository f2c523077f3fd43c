"""`lalelu status`: what the instruments that run here are doing. Reads the runtime directory and /proc."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.channel import BoardReader, RingReader
from lalelu.clock import now_ns
from lalelu.desk.sampler import status_number
from lalelu.errors import LaleluError, MissingError
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, RECORDS
from lalelu.session import NET, ROLES, Session, runtime_directory, sessions
from lalelu.voice.port import SOUND

LOOK_BACK_S: Final = 10
_MOST_FRAMES: Final = LOOK_BACK_S * 250  # faster than any camera here
_MOST_NOTES: Final = 1000  # in that time; a drummer plays some hundred
_LINES: Final = 3  # said last, of each process
SERVICES: Final = Path("/run")  # above the system services' $RUNTIME_DIRECTORY, which a shell does not know


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Tell what runs: 0 when at least one instrument plays, else 3."""
    found = list(instruments(os.environ))
    if args.json:
        sys.stdout.write(json.dumps({"instruments": found}) + "\n")
    elif not found:
        raise MissingError("no instrument is running; start one with `lalelu run`")
    else:
        sys.stdout.write("\n\n".join(text(instrument) for instrument in found) + "\n")
    return 0 if any(instrument["state"] == "playing" for instrument in found) else MissingError.exit_code


def instruments(environment: Mapping[str, str], proc: Path = Path("/proc")) -> Iterator[dict[str, Any]]:
    """Yield what each living instrument is doing, as plain JSON values. None of them is disturbed."""
    for session in living(environment):
        try:
            yield _instrument(session, proc, now_ns())
        except LaleluError:  # it has ended while it was looked at
            continue


def living(environment: Mapping[str, str]) -> Iterator[Session]:
    """Yield the sessions of the instruments that run here, the services' too."""
    places = dict.fromkeys([runtime_directory(environment), *_services()])
    for place in places:
        try:
            yield from (s for s in sessions({"RUNTIME_DIRECTORY": str(place)}) if s.alive())
        except OSError:  # another user's
            continue


def _services() -> list[Path]:
    """Return the folders of lalelu.service and of each lalelu@NAME.service."""
    return sorted(path for path in SERVICES.glob("lalelu*") if path.name == "lalelu" or path.name[6] == "-")


def _instrument(session: Session, proc: Path, at_ns: int) -> dict[str, Any]:
    roles = [*ROLES, *([NET] if (session / NET).exists() else [])]
    boards = {role: BoardReader(session / role).value() for role in ("lead", *roles)}
    lead, engine, desk = boards["lead"], boards["engine"], boards["desk"]
    since_ns = lead.get("since_ns")
    restarts = lead.get("restarts", {})
    pids = {"lead": session.leader, **{role: lead.get(role) for role in ROLES}}
    if NET in boards:
        pids[NET] = boards[NET].get("pid")
    return {
        "leader": session.leader,
        "state": engine.get("state", lead.get("state", "starting")),
        "waiting_for": engine.get("problem") if engine.get("state") == "waiting" else None,
        "playing_s": None if since_ns is None else round((at_ns - since_ns) * 1e-9, 1),
        "conditions": [
            {
                "name": each["name"],
                "text": each["text"],
                "for_s": round((at_ns - each["since_ns"]) * 1e-9, 1),
            }
            for each in lead.get("conditions", [])
        ],
        "kit": engine.get("kit"),
        "standby": engine.get("standby"),
        "configuration": {"epoch": engine.get("epoch"), "file": desk.get("config_file")},
        "camera": engine.get("camera"),
        "model": engine.get("model"),
        "runtime": engine.get("runtime"),
        f"last_{LOOK_BACK_S}_s": _recently(session, at_ns),
        "requests": [
            {"process": role, **request}
            for role, board in boards.items()
            for request in board.get("requests", [])
        ],
        "processes": {
            role: {
                "pid": pid,
                "state": boards[role].get("state"),
                "resident_kib": _resident_kib(proc, pid),
                "restarts": restarts.get(role, 0),
            }
            for role, pid in pids.items()
            if pid is not None
        },
        "ledger": {key: desk.get(key) for key in ("ledger", "segment", "take", "rows", "lost", "failing")},
        "lines": [
            {"process": role, "line": line}
            for role, board in boards.items()
            for line in board.get("lines", [])[-_LINES:]
        ],
    }


def _recently(session: Session, at_ns: int) -> dict[str, Any]:
    """Return the figures of the last seconds; a figure of nothing is None."""
    frames = _rows(session / "frames", _MOST_FRAMES, FRAME_DTYPE, at_ns)
    notes = _rows(session / "notes", _MOST_NOTES, NOTE_DTYPE, at_ns)
    skipped = int(frames["skipped"].sum(dtype=np.int64))
    frame_ms = (frames["sent_ns"] - frames["arrived_ns"]) * 1e-6
    p50, p99 = np.percentile(frame_ms, [50, 99]).round(3).tolist() if len(frames) else (None, None)
    span_s = (int(frames["sent_ns"][-1]) - int(frames["sent_ns"][0])) * 1e-9 if len(frames) > 1 else 0.0
    return {
        "frames": len(frames),
        "frames_per_s": round((len(frames) - 1) / span_s, 2) if span_s else None,
        "frame_p50_ms": p50,
        "frame_p99_ms": p99,
        "skipped_share": round(skipped / (len(frames) + skipped), 5) if len(frames) else None,
        "hits": int(frames["hits"].sum(dtype=np.int64)),
        "notes": len(notes),
        "late": int((notes["late"] > 0).sum()),
    }


def _rows(path: Path, most: int, dtype: np.dtype[np.void], at_ns: int) -> NDArray[np.void]:
    rows = np.frombuffer(b"".join(RingReader(path).newest(most)), dtype)
    return rows[rows["sent_ns"] > at_ns - LOOK_BACK_S * 1_000_000_000]


def _resident_kib(proc: Path, pid: int) -> int | None:
    try:
        status = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended
        return None
    return status_number(status, "VmRSS")


def text(instrument: Mapping[str, Any]) -> str:
    """Return what is known of one instrument, for people."""
    lines = [f"instrument {instrument['leader']}: {_state(instrument)}"]
    for title, parts in (
        ("conditions", _conditions(instrument["conditions"])),
        ("kit", _kit(instrument)),
        ("config", _configuration(instrument["configuration"])),
        ("camera", _camera(instrument)),
        (f"last {LOOK_BACK_S} s", _figures(instrument[f"last_{LOOK_BACK_S}_s"])),
        ("real time", _requests(instrument["requests"])),
        ("sound", _sound(instrument["requests"])),
        ("processes", _processes(instrument["processes"])),
        ("recording", _recording(instrument["ledger"])),
        ("said last", [f"{each['process']}: {each['line']}" for each in instrument["lines"]]),
    ):
        for place, part in enumerate(parts):
            lines.append(f"  {title if place == 0 else '':<11}{part}")
    return "\n".join(lines)


def _state(instrument: Mapping[str, Any]) -> str:
    state = str(instrument["state"])
    if instrument["waiting_for"]:
        return f"{state}: {instrument['waiting_for']}"
    if state == "playing" and instrument["playing_s"] is not None:
        return f"{state} for {_duration(instrument['playing_s'])}"
    return state


def _duration(seconds: float) -> str:
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}"


def _conditions(conditions: list[dict[str, Any]]) -> Iterator[str]:
    for each in conditions:
        yield f"{each['name']} for {_duration(each['for_s'])}: {each['text']}"


def _kit(instrument: Mapping[str, Any]) -> Iterator[str]:
    if instrument["kit"]:
        yield f"{instrument['kit']}{'; standby, nothing sounds' if instrument['standby'] else ''}"


def _configuration(configuration: Mapping[str, Any]) -> Iterator[str]:
    if configuration["file"]:
        epoch = configuration["epoch"]
        yield f"{configuration['file']}{f', epoch {epoch}' if epoch else ''}"


def _camera(instrument: Mapping[str, Any]) -> Iterator[str]:
    camera, runtime = instrument["camera"], instrument["runtime"] or {}
    if camera:
        yield f"{camera.get('source')}, {camera.get('width')}x{camera.get('height')} at {camera.get('fps', 0):.4g} fps"
    if instrument["model"]:
        yield " on ".join(str(part) for part in (instrument["model"], runtime.get("name")) if part)


def _figures(recent: Mapping[str, Any]) -> Iterator[str]:
    if recent["frames_per_s"] is None:
        yield "no frames"
        return
    yield f"{recent['frames_per_s']:.1f} frames/s, {recent['skipped_share']:.2%} skipped"
    yield f"frame to row {recent['frame_p50_ms']:.2f} ms p50, {recent['frame_p99_ms']:.2f} ms p99"
    yield f"{recent['hits']} hits, {recent['notes']} notes, {recent['late']} late"


def _requests(told: list[dict[str, Any]]) -> Iterator[str]:
    requests = [request for request in told if request["request"] != SOUND]
    if requests:
        granted = sum(request["granted"] for request in requests)
        yield f"{granted} of {len(requests)} requests granted"
    for request in requests:
        if not request["granted"]:
            yield f"refused to the {request['process']}: {request['request']} ({request['detail']})"


def _sound(requests: list[dict[str, Any]]) -> Iterator[str]:
    for request in requests:
        if request["request"] == SOUND:
            yield request["detail"]


def _processes(processes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for role, process in processes.items():
        resident = process["resident_kib"]
        memory = "gone" if resident is None else f"{resident / 1024:6.1f} MiB"
        again = f"  started again {process['restarts']} times" if process["restarts"] else ""
        yield f"{role:<7}{process['pid']:>8}  {memory}{again}"


def _recording(ledger: Mapping[str, Any]) -> Iterator[str]:
    if ledger["ledger"]:
        segment = f" (segment {ledger['segment']})" if (ledger["segment"] or 1) > 1 else ""
        yield f"{ledger['ledger']}{segment}"
        yield ", ".join(f"{(ledger['rows'] or {}).get(name, 0)} {name}" for name in RECORDS)
    if ledger["take"]:
        yield str(ledger["take"])
    if ledger["lost"]:
        yield "lost: " + ", ".join(f"{count} of {ring}" for ring, count in ledger["lost"].items())
    if ledger["failing"]:
        yield "the disk takes nothing now; rows wait in memory"
    if not (ledger["ledger"] or ledger["take"]):
        yield "none"
