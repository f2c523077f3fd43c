"""Film a take: the engine's small pictures, as a thread packs them into a file. Maps a file, writes one."""

import threading
from pathlib import Path
from typing import Final

from lalelu.channel import BoardReader
from lalelu.clock import now_ns
from lalelu.errors import LaleluError, UsageError
from lalelu.glimpse import RING as PICTURE
from lalelu.glimpse import GlimpseReader
from lalelu.session import Session
from lalelu.takes.film import FilmWriter

LOOK_S: Final = 0.03  # between two looks; pictures come 15 times a second at most


def films(session: Session) -> bool:
    """Whether takes are filmed where nobody says otherwise: `takes.film` as it holds now."""
    epoch = int(BoardReader(session / "engine").value().get("epoch", 0))
    try:
        plan = session.plan_at(epoch)
    except UsageError:  # it has just been dropped: there is a newer one
        plan = session.plan
    return plan.config.takes.film


class Filming(threading.Thread):
    """Films from `start` to `end`, into a new file or on in one that is there.

    Pictures that come faster than they are packed are left out. A film that cannot go on ends by itself: `problem` says
    why.
    """

    def __init__(self, session: Session, path: Path, from_ns: int) -> None:
        super().__init__(name="film", daemon=True)
        self.problem: str | None = None
        self._session = session
        self._path = path
        self._from_ns = from_ns
        self._pictures = self._left_out = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Film until it is over."""
        try:
            with FilmWriter(self._path) as film:
                self._film(GlimpseReader(self._session / PICTURE), film)
        except OSError as exc:
            self.problem = str(exc.strerror)
        except LaleluError as exc:
            self.problem = str(exc)

    def end(self) -> str:
        """End the film; return what it has, for people."""
        self._over.set()
        self.join()
        if self.problem is not None:
            return f"its film ended early ({self.problem})"
        if not self._pictures:
            return "no picture came for its film"
        left_out = f", {self._left_out} were left out" if self._left_out else ""
        return f"its film has {self._pictures} pictures{left_out}"

    def _film(self, pictures: GlimpseReader, film: FilmWriter) -> None:
        # OpenCV takes 40 MB that a desk without a film does not need
        from lalelu.jpeg import encode_jpeg, orientation_of, upright

        orientation = orientation_of(self._session.plan.config.camera)
        while not self._over.wait(LOOK_S):
            pictures.ask(now_ns())
            glimpse = pictures.newest()
            if glimpse is None or glimpse.captured_ns < self._from_ns:
                continue
            image = upright(glimpse.image, orientation)
            jpeg = encode_jpeg(image)
            if jpeg:
                height, width = image.shape[:2]
                film.write((glimpse.captured_ns - self._from_ns) // 1_000_000, jpeg, width, height)
            self._pictures, self._left_out = film.pictures, pictures.missed
