"""One of several pads is chosen by a measure of the body, such as an elbow's angle. Pure."""

from collections.abc import Sequence
from typing import Final

from lalelu.config.gestures import Chord
from lalelu.gesture.act import Act, End, Sight, Sound, StandIn
from lalelu.gesture.measure import limbs_of, measure, position

_MS: Final = 1_000_000  # ns

# So long the arm must be in a step before it counts: five frames of 100 a second, whatever noise does in one.
STABLE_MS: Final = 40
# A step of usual size is 0.3 body units, or 30 degrees. Between two steps an arm moves by some 2 body units a second,
# 0.4 of a step in MOVED_MS; one that has arrived only seems to move, by 0.1 (noise of 0.02 body units).
MOVED_MS: Final = 60
MOST_MOVED: Final = 0.25  # of a step, in MOVED_MS: faster, it is on its way to another one
SLOW_MS: Final = 150  # so long in one step it is no passing through; it sounds on the way
LOST_MS: Final = 250  # unseen for longer, the chord ends


class ChordPlayer:
    """A chord gesture of one player.

    What is chosen sounds until another one is, or nothing; with `struck` it sounds where the hands strike that pad.
    """

    commands = False

    def __init__(self, section: Chord) -> None:
        self.limbs: Sequence[str] = limbs_of(section.by)
        self._section = section
        self._measure = measure(section.by)
        self._chosen: int | None = None  # of the section's pads
        self._candidate: int | None = None
        self._since_ns = 0  # when it became the candidate
        self._recent: list[tuple[int, float]] = []  # captured_ns, place in steps: of MOVED_MS
        self._seen_ns: int | None = None

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame and return what begins and what ends with it."""
        now_ns = sight.captured_ns
        acts: list[Act] = []
        if self._seen_ns is not None and now_ns - self._seen_ns >= LOST_MS * _MS:
            acts += self.rest(now_ns)
        value = self._measure(sight.points)
        if value is None:
            return acts
        section = self._section
        place = position(value, section.between) * len(section.pads)
        candidate = self._at(place, self._chosen)
        if candidate != self._chosen:
            # It has its hysteresis as well: at the edge between two others it does not change with every frame.
            candidate = self._at(place, self._candidate)
        if candidate != self._candidate or self._seen_ns is None:
            self._candidate, self._since_ns = candidate, now_ns
        self._seen_ns = now_ns
        moved = self._moved(now_ns, place)
        if candidate != self._chosen and self._is_there(now_ns - self._since_ns, moved):
            acts += self._choose(candidate, now_ns)
        return acts

    def rest(self, at_ns: int) -> Sequence[Act]:
        """End what sounds."""
        self._seen_ns = None
        self._candidate = None
        self._recent.clear()
        return self._choose(None, at_ns)

    def _at(self, place: float, stays: int | None) -> int | None:
        """Return the step at a place; that which `stays` reaches beyond its edges."""
        beyond = self._section.hysteresis
        if stays is not None and stays - beyond <= place <= stays + 1 + beyond:
            return stays
        count = len(self._section.pads)
        return min(int(place), count - 1) if 0.0 <= place <= count else None

    def _moved(self, now_ns: int, place: float) -> float:
        """Return how far the measure has moved in MOVED_MS, or a frame if that is longer; in steps."""
        recent = self._recent
        recent.append((now_ns, place))
        while len(recent) > 2 and now_ns - recent[1][0] >= MOVED_MS * _MS:
            del recent[0]
        return abs(place - recent[0][1])

    def _is_there(self, since_ns: int, moved: float) -> bool:
        """Whether the arm is in the candidate to stay, rather than passes through it."""
        if since_ns >= SLOW_MS * _MS:
            return True
        return since_ns >= STABLE_MS * _MS and (self._candidate is None or moved <= MOST_MOVED)

    def _choose(self, chosen: int | None, at_ns: int) -> list[Act]:
        """Return what the change to another pad, or to none, does."""
        section = self._section
        old, self._chosen = self._chosen, chosen
        if old == chosen:
            return []
        pad = None if chosen is None else section.pads[chosen]
        if section.struck is not None:
            return [StandIn(section.struck, pad)]
        acts: list[Act] = []
        if old is not None:
            acts.append(End(section.pads[old], at_ns))
        if pad is not None:
            acts.append(Sound(pad, self.limbs[0], at_ns, None, section.velocity))
        return acts
