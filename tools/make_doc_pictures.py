#!/usr/bin/env python3
"""Make the pictures of docs/ from the real program. Writes files; plays the demo for some seconds.

    tools/make_doc_pictures.py [--only kits|demo|page] [--browser /usr/bin/chromium]

`kits` draws every shipped kit; `demo` has the simulated drummer filmed and played, keeps the frame of the loudest hit
as docs/demo.jpg, and photographs the page of `lalelu latency --html`; `page` plays on, and photographs the desk's page.
Photographs need Chromium, and `page` the extra `test` (Playwright).
"""

import argparse
import base64
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from lalelu import cli
from lalelu.config.loader import load_kit, shipped_kits
from lalelu.kitpicture.svg import svg_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
LAPTOP: Final = (1280, 800)  # px
PHONE: Final = (390, 844)  # px
CAMERA: Final = "sim:?groove=rock"
RECORDED: Final = 16  # movements of the take that is photographed
PATIENCE_MS: Final = 60_000  # for a busy machine
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


def page(folder: Path, browser: str) -> list[Path]:
    """Play the simulated drummer, and photograph the desk's page as a player uses it."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, playing(Path(name)) as url, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])

        def opened(size: tuple[int, int]) -> "Page":
            tab = chromium.new_page(viewport={"width": size[0], "height": size[1]})
            tab.set_default_timeout(PATIENCE_MS)
            tab.goto(url)
            tab.get_by_role("status").get_by_text("playing").wait_for()
            return tab

        laptop = opened(LAPTOP)
        written = [
            live(opened(PHONE), folder / "page-live-phone.webp"),
            live(laptop, folder / "page-live.webp"),
            takes(laptop, folder / "page-takes.webp"),
            tune(laptop, folder / "page-tune.webp"),
            teach(laptop, folder / "page-teach.webp"),
        ]
        chromium.close()
    return written


@contextmanager
def playing(folder: Path) -> Iterator[str]:
    """Play the simulated drummer in a process of its own; yields where its page is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "my.yaml"
    config.write_text(
        f'camera: {{uri: "{CAMERA}"}}\nmidi: {{outputs: ["file:{folder}/my.mid"]}}\n'
        f'page: {{at: "{at}"}}\ntakes: {{dir: {folder}/takes}}\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "lalelu", "run", "--config", str(config)]
    process = subprocess.Popen(command, env={**os.environ, "XDG_RUNTIME_DIR": str(folder)})
    try:
        while process.poll() is None:
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", int(at.rpartition(":")[2]))) == 0:
                    break
        else:
            raise SystemExit(f"lalelu run has ended with {process.returncode}")
        yield f"http://{at}/"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def live(tab: "Page", path: Path) -> Path:
    """Photograph the tab Live in the moment of a hit, with a reason chosen."""
    tab.locator("#verdicts button").nth(24).wait_for()  # the traces are full
    tab.locator("#verdicts button.hit").first.click()
    tab.evaluate("scrollTo(0, 0)")
    note = tab.locator("#note").inner_text()
    tab.wait_for_function("note => document.getElementById('note').textContent !== note", arg=note)
    return photographed(tab, path)


def takes(tab: "Page", path: Path) -> Path:
    """Record a take, mark what was heard as meant, and photograph it."""
    tab.get_by_role("tab", name="Takes").click()
    tab.get_by_role("button", name="Record").click()
    tab.evaluate("document.getElementById('verdicts').replaceChildren()")
    tab.locator("#verdicts li").nth(RECORDED).wait_for(state="attached")
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("list", name="Takes").get_by_role("button").first.click()
    tab.get_by_role("button", name="Begin with what was heard").click()
    tab.locator("canvas[data-marks]:not([data-marks='0'])").first.wait_for()
    return photographed(tab, path)


def tune(tab: "Page", path: Path) -> Path:
    """Photograph the tab Tune with a pad chosen, in the moment of a hit."""
    tab.get_by_role("tab", name="Tune").click()
    tab.get_by_label("Pad", exact=True).select_option("snare")
    tab.locator(".stroke:not(.silent)").first.wait_for()
    return photographed(tab, path)


def teach(tab: "Page", path: Path) -> Path:
    """Photograph the tab Teach while a pattern runs."""
    tab.get_by_role("tab", name="Teach").click()
    tab.get_by_role("button", name="Start").click()
    tab.locator(".teach .cell.right.now").first.wait_for()
    return photographed(tab, path)


def photographed(tab: "Page", path: Path) -> Path:
    """Return the picture of what a tab of the browser shows now."""
    shot = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert shot is not None
    cv2.imwrite(str(path), shot, [cv2.IMWRITE_WEBP_QUALITY, 90])
    return path


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


PARTS: Final = {
    "kits": lambda _browser: kits(DOCS / "pictures"),
    "demo": lambda browser: demo(DOCS, browser),
    "page": lambda browser: page(DOCS / "pictures", browser),
}


def run(*arguments: str) -> None:
    """Run one command of lalelu."""
    code = cli.main(list(arguments))
    if code:
        raise SystemExit(f"lalelu {' '.join(arguments)} has ended with {code}")


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/ from the real program.")
    parser.add_argument("--only", choices=sorted(PARTS), help="these alone")
    parser.add_argument(
        "--browser", default="/usr/bin/chromium", metavar="FILE", help="for photographs (%(default)s)"
    )
    args = parser.parse_args()
    (DOCS / "pictures").mkdir(exist_ok=True)
    written = [
        path for name, make in PARTS.items() if args.only in (None, name) for path in make(args.browser)
    ]
    for path in written:
        print(path.relative_to(DOCS.parent), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
