"""Two simulated drummers in one picture, through the network: each one's hits are told as theirs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lalelu.analysis.scoring import score
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.cli import main
from lalelu.errors import MissingError
from lalelu.hits import HitRecord, read_hits
from lalelu.models.store import onnx_path
from lalelu.take import Take, read_take

FPS = 60
WIDTH = 320  # px, of one drummer's picture
ONE = FilmSettings(fps=FPS, width=WIDTH, height=480, seed=3, bpm=110.0)
OTHER = replace(ONE, seed=8, look="studio", bpm=132.0)

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True)
def network(expect):
    try:
        onnx_path("multipose")
    except MissingError as exc:
        expect("model", str(exc))


def pictures(films: tuple[Film, Film], seconds: float) -> Iterator[tuple[float, list[NDArray[np.uint8]]]]:
    halves = [np.empty((480, WIDTH, 3), np.uint8) for _ in films]
    for seq in range(round(seconds * FPS)):
        for film, half in zip(films, halves, strict=True):
            film.render(seq, half)
        yield seq / FPS, halves


def write_film(
    path: Path,
    films: tuple[Film, Film],
    *,
    seconds: float,
    width: int,
    lefts: Callable[[float], tuple[int, int]],
) -> None:
    """Write both drummers into one film; `lefts` says where (px) their pictures begin, the other lies in front."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, 480))
    for time_s, halves in pictures(films, seconds):
        picture = np.full((480, width, 3), 190, np.uint8)
        for left, half in zip(lefts(time_s), halves, strict=True):
            picture[:, left : left + WIDTH] = half
        writer.write(picture)
    writer.release()


def replayed(film: Path, folder: Path) -> tuple[list[HitRecord], Take]:
    hits, take = folder / "hits.jsonl", folder / "film.take"
    assert main(["replay", str(film), "--model", "multipose", "--hits", str(hits), "--take", str(take)]) == 0
    return list(read_hits(hits)), read_take(take)


def test_the_hits_of_two_drummers_are_told_apart(tmp_path):
    films = Film(ONE), Film(OTHER)
    film, seconds = tmp_path / "two.avi", 6.0
    write_film(film, films, seconds=seconds, width=2 * WIDTH, lefts=lambda _time_s: (0, WIDTH))
    found, take = replayed(film, tmp_path)
    assert {hit.player for hit in found} == {0, 1}
    for player, each in enumerate(films):
        mine = [hit for hit in found if hit.player == player]
        true = [  # what ends later is not sure before the film ends
            HitRecord(hit.time_ns * 1e-9, hit.limb, hit.pad, player) for hit in each.truth(0.0, seconds - 0.2)
        ]
        assert score(mine, true).f1 > 0.75
    assert sum(len(frame.poses) == 2 for frame in take.frames) > 0.95 * len(take.frames)
    for frame in take.frames:
        for pose in frame.poses:
            assert (pose.xy[:, 0].mean() < 2 / 3) == (pose.player == 0)


def test_two_drummers_who_cross_keep_their_numbers(tmp_path):
    films = Film(replace(ONE, distance=2.8)), Film(replace(OTHER, distance=2.8))
    film = tmp_path / "crossing.avi"

    def lefts(time_s: float) -> tuple[int, int]:
        """Let them stand for a second, then change sides twice, up to 2 m a second each."""
        way = round(240 * np.cos(2 * np.pi * max(time_s - 1.0, 0.0) / 4.0))
        return 240 - way, 240 + way

    write_film(film, films, seconds=5.0, width=800, lefts=lefts)
    _, take = replayed(film, tmp_path)
    wrong = seen = 0
    for frame in take.frames:
        middles = [(left + WIDTH / 2) / 480 for left in lefts(frame.captured_ns * 1e-9)]
        if abs(middles[0] - middles[1]) > 0.3:  # else it cannot be said who is who
            for pose in frame.poses:
                x = pose.xy[5:7, 0].mean()
                wrong += abs(x - middles[pose.player]) > abs(x - middles[1 - pose.player])
                seen += 1
    assert {pose.player for frame in take.frames for pose in frame.poses} == {0, 1}
    assert wrong == 0
    assert seen > len(take.frames)
