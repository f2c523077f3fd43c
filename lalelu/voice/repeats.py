"""Which notes are ended once more on outputs that were opened just now, and when. Pure."""

from collections.abc import Iterable
from typing import Final

from lalelu.voice.port import MidiOutput
from lalelu.voice.scheduler import Sounding

# After the opening. A listener has to connect to our new port first, by a session manager or by hand, and misses what
# is sent before: one that connects within 5 s hears the ends.
AGAIN_NS: Final = (500_000_000, 1_500_000_000, 3_000_000_000, 6_000_000_000)


class Repeats:
    """The outputs that have not been told often enough yet, each with the notes that were left sounding on it."""

    def __init__(self) -> None:
        self._opened: dict[MidiOutput, tuple[frozenset[Sounding], list[int]]] = {}  # with the times that come

    @property
    def notes(self) -> set[Sounding]:
        """All notes whose end is told again."""
        return {note for notes, _ in self._opened.values() for note in notes}

    def begin(self, output: MidiOutput, notes: Iterable[Sounding], at_ns: int) -> None:
        """Tell an output again that was open at `at_ns` and was told of the ends then."""
        self._opened[output] = frozenset(notes), [at_ns + after_ns for after_ns in AGAIN_NS]

    def due(self, at_ns: int) -> list[tuple[MidiOutput, list[Sounding]]]:
        """Return the outputs that are to be told at `at_ns`, and of which notes; the last time forgets the output."""
        found = []
        for output, (notes, times) in list(self._opened.items()):
            if at_ns < times[0]:
                continue
            found.append((output, sorted(notes)))
            times[:] = [each for each in times if each > at_ns]
            if not times:
                del self._opened[output]
        return found

    def drop(self, output: MidiOutput) -> frozenset[Sounding]:
        """Forget an output that has gone, and return what it may not have heard the end of."""
        notes, _ = self._opened.pop(output, (frozenset(), []))
        return notes
