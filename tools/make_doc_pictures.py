#!/usr/bin/env python3
"""Make the pictures of docs/ from the real program. Writes files; plays the demo for some seconds.

    tools/make_doc_pictures.py [--only kits|demo] [--browser chromium]

`kits` draws every shipped kit; `demo` has the simulated drummer filmed and played, keeps the frame of the loudest hit
as docs/demo.jpg, and photographs the page of `lalelu latency --html` (which needs Chromium).
"""

import argparse
import base64
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from lalelu import cli
from lalelu.config.loader import load_kit, shipped_kits
from lalelu.kitpicture.svg import svg_of

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
LAPTOP: Final = (1280, 800)  # px
SECONDS: Final = 12.0  # of the demo: a line of every groove


def kits(folder: Path) -> list[Path]:
    """Draw every shipped kit into `folder`; returns the files."""
    written = []
    for name in shipped_kits():
        path = folder / f"kit-{name}.svg"
        path.write_text(svg_of(load_kit(name, None)), encoding="utf-8")
        written.append(path)
    return written


def demo(docs: Path, browser: str) -> list[Path]:
    """Play the simulated drummer; keep the frame of the loudest hit and the page of its latencies."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        run("demo", "--out", str(out), "--seconds", f"{SECONDS:g}")
        run("latency", str(out / "demo.ledger"), "--html", str(out / "latency.html"))
        frame, page = docs / "demo.jpg", docs / "pictures" / "latency.png"
        frame.write_bytes(picture_of(out / "report.html"))
        screenshot((out / "latency.html").as_uri(), page, LAPTOP, browser)
    return [frame, page]


def picture_of(report: Path) -> bytes:
    """Return the first picture that a demo's report holds, as a JPEG file's bytes."""
    found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", report.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{report} holds no picture")
    image = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()


def screenshot(url: str, path: Path, size: tuple[int, int], browser: str) -> None:
    """Photograph a page, of a file or of a running `lalelu`, in a window of `size` px."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [
            f"--user-data-dir={profile}",
            f"--window-size={size[0]},{size[1]}",
            f"--screenshot={path}",
            url,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not path.is_file():
        raise SystemExit(f"{browser} has not photographed {url}: {done.stderr.strip()[-400:]}")


def run(*arguments: str) -> None:
    """Run one command of lalelu."""
    code = cli.main(list(arguments))
    if code:
        raise SystemExit(f"lalelu {' '.join(arguments)} has ended with {code}")


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/ from the real program.")
    parser.add_argument("--only", choices=["kits", "demo"], help="these alone")
    parser.add_argument("--browser", default="chromium", metavar="COMMAND", help="for photographs (chromium)")
    args = parser.parse_args()
    (DOCS / "pictures").mkdir(exist_ok=True)
    written = []
    if args.only != "demo":
        written += kits(DOCS / "pictures")
    if args.only != "kits":
        written += demo(DOCS, args.browser)
    for path in written:
        print(path.relative_to(DOCS.parent), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
