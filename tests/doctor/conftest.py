"""Copies of a machine's files, for a doctor that reads them instead of the machine's own."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Return a function that writes files by their names (None: not there) and returns the folder."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(text)
        return tmp_path

    return make
