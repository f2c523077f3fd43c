"""Who plays lessons while a kit is tuned: this machine's processes, or a Dask cluster. Starts processes, connects."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import product
from multiprocessing import get_context
from typing import Any, Self

from lalelu.config.kit import KitConfig
from lalelu.errors import LostError, MissingError
from lalelu.tuning.lesson import Judge, Lesson
from lalelu.tuning.outcome import Outcome

Played = list[list[tuple[Outcome, Outcome]]]  # by kit, by lesson

PATIENCE_S = 10.0  # a scheduler answers within
_ours: tuple[Judge, Sequence[Lesson]]  # of a process that works for Processes


def _begin(judge: Judge, lessons: Sequence[Lesson]) -> None:
    global _ours  # noqa: PLW0603 - the lessons are handed to a process once, not with every kit
    _ours = judge, lessons


def _play(job: tuple[KitConfig, int]) -> tuple[Outcome, Outcome]:
    judge, lessons = _ours
    kit, number = job
    return judge.play(lessons[number], kit)


def _rows(flat: Sequence[tuple[Outcome, Outcome]], length: int) -> Played:
    return [list(flat[start : start + length]) for start in range(0, len(flat), length)]


class Processes:
    """So many processes of this machine; a context manager."""

    def __init__(self, judge: Judge, lessons: Sequence[Lesson], *, count: int) -> None:
        self.count = count
        self._lessons = len(lessons)
        self._pool = ProcessPoolExecutor(
            count, mp_context=get_context("spawn"), initializer=_begin, initargs=(judge, tuple(lessons))
        )

    def __enter__(self) -> Self:
        """Return itself; the processes start with the first kit."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def play(self, kits: Sequence[KitConfig]) -> Played:
        """Return what each kit gives on every lesson. Raises LostError when a process has died."""
        try:
            return _rows(list(self._pool.map(_play, product(kits, range(self._lessons)))), self._lessons)
        except BrokenProcessPool as exc:
            raise LostError(
                "a process that played the takes has died, most likely for want of memory; fewer at a time need "
                "less: --jobs 1"
            ) from exc


class Cluster:
    """The workers of a Dask cluster, by its scheduler's address; a context manager.

    Raises MissingError without Dask, and where nobody answers at the address.
    """

    def __init__(self, judge: Judge, lessons: Sequence[Lesson], *, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as exc:
            raise MissingError(
                "--scheduler needs the module 'distributed', which is not installed; "
                "`pip install 'lalelu[tune]'` brings it, or leave --scheduler out"
            ) from exc
        try:
            self._client: Any = Client(address, timeout=PATIENCE_S)
        except (OSError, ValueError) as exc:  # OSError: also a timeout
            raise MissingError(
                f"--scheduler is {address}, and no Dask scheduler answers there; start one with `dask scheduler`, "
                "or leave --scheduler out"
            ) from exc
        self.count = sum(self._client.nthreads().values())
        if self.count == 0:
            self._client.close()
            raise MissingError(
                f"the Dask cluster at {address} has no workers; start some with `dask worker {address}`"
            )
        self._address = address
        try:
            self._judge = self._client.scatter(judge, broadcast=True)
            self._lessons = self._client.scatter(list(lessons), broadcast=True)
        except Exception as exc:
            self._client.close()
            raise self._lost(exc) from exc

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Part from the cluster, which goes on."""
        self._client.close()

    def play(self, kits: Sequence[KitConfig]) -> Played:
        """Return what each kit gives on every lesson. Raises LostError where the cluster does not play it."""
        jobs = [
            self._client.submit(Judge.play, self._judge, lesson, kit, pure=False)
            for kit, lesson in product(kits, self._lessons)
        ]
        try:
            return _rows(self._client.gather(jobs), len(self._lessons))
        except Exception as exc:  # whatever a worker raised, and what has become of the cluster
            raise self._lost(exc) from exc

    def _lost(self, exc: Exception) -> LostError:
        return LostError(
            f"the Dask cluster at {self._address} has not played the takes: {type(exc).__name__}: {exc}; "
            "its workers need this version of lalelu with the extra `tune`"
        )
