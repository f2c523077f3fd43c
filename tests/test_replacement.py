import pytest

from lalelu.errors import UsageError
from lalelu.replacement import not_written, replacing


def test_a_file_that_is_not_finished_does_not_replace_the_old_one(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_bytes(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_that_is_there_keeps_its_rights_and_a_new_one_is_for_all_to_read(tmp_path):
    old, new = tmp_path / "old", tmp_path / "folder" / "new"
    old.touch(mode=0o600)
    for path in (old, new):
        with replacing(path) as temporary:
            temporary.write_bytes(b"now")
    assert [(path.read_bytes(), path.stat().st_mode & 0o777) for path in (old, new)] == [
        (b"now", 0o600),
        (b"now", 0o644),
    ]


def test_what_cannot_be_written_is_told_as_the_caller_wants_it(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "below"
    with (
        pytest.raises(UsageError, match=r"/file cannot be written \(.*\); check"),
        replacing(path, not_written),
    ):
        pass
    with pytest.raises(OSError, match="file"), replacing(path):
        pass
