"""The browser of the page's tests: Debian's Chromium."""

import os
from pathlib import Path

PATH = Path(os.environ.get("LALELU_CHROMIUM", "/usr/bin/chromium"))
LAUNCH = {"executable_path": str(PATH), "args": ["--no-sandbox", "--disable-dev-shm-usage"]}


def demand(expect):
    """Skip the test, or fail it where a browser is expected, when there is none."""
    if not PATH.exists():
        expect("chromium", f"there is no {PATH}")
