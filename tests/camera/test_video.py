import contextlib
import socket

import cv2
import numpy as np
import pytest

from lalelu.camera.film import Film
from lalelu.camera.port import ADAPTERS
from lalelu.camera.video import VideoCamera
from lalelu.errors import EndOfStreamError, UsageError
from lalelu.registry import from_uri

FRAMES = 12


@pytest.fixture
def film(tmp_path):
    """A film of FRAMES frames at 50 fps, each of one grey level: 10, 30, 50, ..."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (64, 48))
    assert writer.isOpened()
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), 10 + 20 * index, np.uint8))
    writer.release()
    return path


def level(image):
    return round((float(image.mean()) - 10) / 20)


def test_a_film_gives_every_frame_in_order_with_the_containers_stamps(film):
    with Film(film) as opened:
        assert (opened.width, opened.height, opened.fps) == (64, 48, 50.0)
        stamps, levels = [], []
        while (stamp := opened.grab()) is not None:
            stamps.append(stamp)
            levels.append(level(opened.retrieve()))
    assert levels == list(range(FRAMES))
    assert stamps == [20_000_000 * index for index in range(FRAMES)]


def test_a_paced_film_is_delivered_in_order_and_ends(film):
    camera = from_uri("camera", ADAPTERS, f"video:{film}")
    assert isinstance(camera, VideoCamera)
    facts = camera.open()
    assert (facts.width, facts.height, facts.fps) == (64, 48, 50.0)
    frames = []
    with contextlib.suppress(EndOfStreamError):
        while True:
            frame = camera.read()
            assert level(frame.image) == frame.seq
            frames.append((frame.seq, frame.skipped, frame.captured_ns))
    camera.close()
    assert [seq + 1 for seq, _, _ in frames] == np.cumsum([1 + skipped for _, skipped, _ in frames]).tolist()
    start = frames[0][2] - 20_000_000 * frames[0][0]
    assert [captured - start for _, _, captured in frames] == [20_000_000 * seq for seq, _, _ in frames]


def test_a_slow_reader_gets_the_newest_frame_and_the_count_of_those_it_missed(film):
    camera = from_uri("camera", ADAPTERS, f"video:{film}")
    camera.open()
    camera.read()
    camera._start_ns -= 100_000_000  # as if 100 ms = 5 frames had passed meanwhile
    late = camera.read()
    camera.close()
    assert late.skipped >= 4
    assert late.seq == late.skipped + 1
    assert level(late.image) == late.seq


def test_a_film_whose_end_was_missed_has_ended(film):
    camera = from_uri("camera", ADAPTERS, f"video:{film}")
    camera.open()
    camera.read()
    camera._start_ns -= 1_000_000_000  # as if nobody had read for a second
    with pytest.raises(EndOfStreamError):
        camera.read()
    camera.close()


@pytest.mark.parametrize("content", [None, b"", b"not a film at all" * 100])
def test_what_is_no_film_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"broken\.mp4"):
        Film(path).open()


def test_a_film_cut_in_the_middle_gives_the_frames_before_the_cut(film, tmp_path):
    data = film.read_bytes()
    beginning, end = data.index(b"movi"), data.rindex(b"idx1")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: (beginning + end) // 2])
    with Film(cut) as opened:
        count = 0
        while opened.grab() is not None:
            assert level(opened.retrieve()) == count
            count += 1
    assert 0 < count < FRAMES


@pytest.mark.parametrize("name", ["film.m3u8", "film.mp4", "film.ffconcat"])
def test_a_playlist_that_poses_as_a_film_makes_no_connection(tmp_path, name):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        concat = f"ffconcat version 1.0\nfile {address}\n"
        (tmp_path / name).write_text(concat if name.endswith("concat") else playlist)
        with pytest.raises(UsageError, match="cannot be decoded"):
            Film(tmp_path / name).open()
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
