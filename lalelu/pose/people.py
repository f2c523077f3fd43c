"""Who is who from frame to frame: each player keeps a number, through crossings and absences. Pure: time comes in.

People are told apart by where they are, how they move and how large they are. A person seen is compared with where
each one known is expected, by object keypoint similarity (OKS, the measure of the COCO keypoint challenge), and all
are matched together, so that the whole fits best.
"""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from lalelu.config.schema import PlayerSection
from lalelu.pose.body import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER, Torso, torso_at
from lalelu.pose.lock import (
    JUMP_SPEED,
    JUMP_STEP,
    KEPT_SCORE,
    SIZE_SPEED,
    SIZE_STEP,
    SIZE_TAU_S,
    PlayerLock,
)
from lalelu.pose.multipose import MOST_PEOPLE, Person
from lalelu.skeleton import COCO17

# SD of where people click a keypoint, in square roots of the person's area (COCO keypoint evaluation).
SPREAD: Final = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
KNOWN: Final = 0.2  # the score above which MoveNet's reference use believes a keypoint
ENOUGH: Final = 4  # keypoints known of both, to compare two people
# Square root of a person's area in shoulder widths: the median of 29 people in COCO's photographs.
AREA_ROOT: Final = 2.1
# What is added to that per second since a person was seen: nobody walks evenly for long.
DRIFT: Final = 4.0
# OKS: less alike than this is somebody else. A fifth of a shoulder width away it is 0.7, a whole one 0.02.
SAME: Final = 0.3
DOUBLE: Final = 0.7  # OKS of two people seen in one frame: one person, seen twice
# Score of a whole person who may become a player: in COCO's photographs people have 0.2..0.6, nobodies up to 0.2.
NEW_PERSON: Final = 0.2
ENTRY_FRAMES: Final = 5  # one after the other in which a newcomer is seen: false sightings flicker
# Memory of a person's way. Two who cross are within a hand's width of each other for less than this; whoever is taken
# for the other so long has not left the own way yet.
MOTION_TAU_S: Final = 0.1
COAST_TAU_S: Final = 1.0  # an unseen person is expected to go on like this: nobody walks on for ever
TRUNK: Final = (LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP)

# OKS has exp(-d^2 / (2 area (2 spread)^2))
_STEEPNESS: Final = tuple(1.0 / (8.0 * SPREAD[name.rpartition("_")[2]] ** 2) for name in COCO17)


class People:
    """Gives everyone in view a number, from 0, the smallest that is free, and keeps it with them.

    Somebody is taken on after ENTRY_FRAMES frames in a row, in the start region and at the minimum size
    (`PlayerSection`), while fewer than `limit` play. Unseen for `lost_ms`, a player is given up and the number free;
    until then a newcomer of the same size, where the player can have gone meanwhile, is that player again.
    """

    def __init__(self, player: PlayerSection, *, limit: int = MOST_PEOPLE) -> None:
        self._player = player
        self._limit = limit
        self._lost_ns = player.lost_ms * 1_000_000
        self._tracks: list[_Track] = []  # the longest known first

    def see(self, captured_ns: int, people: Sequence[Person]) -> list[tuple[int, Person]]:
        """Return who of `people`, captured at `captured_ns`, is which player, by number.

        The order of `people` is of no matter.
        """
        seen = _each_once(people)
        self._tracks = [track for track in self._tracks if captured_ns - track.seen_ns <= self._lost_ns]
        table = [[track.likeness(captured_ns, person) for person in seen] for track in self._tracks]
        matched = [None if at is None else seen[at] for at in best_match(table)]
        for track, person in zip(self._tracks, matched, strict=True):
            if person is not None:
                track.follow(captured_ns, person)
        known = set(matched)
        self._tracks = [
            track for track in self._tracks if track.number is not None or track.seen_ns == captured_ns
        ]
        self._tracks += [
            _Track(captured_ns, person)
            for person in seen
            if person not in known and self._may_enter(captured_ns, person)
        ]
        self._take_on(captured_ns)
        playing = {
            track.number: track.person
            for track in self._tracks
            if track.number is not None and track.seen_ns == captured_ns
        }
        return sorted(playing.items())

    def _may_enter(self, captured_ns: int, person: Person) -> bool:
        """Whether one who would lock on a single player would lock on this person."""
        return person.score >= NEW_PERSON and PlayerLock(self._player).see(captured_ns, torso_of(person))

    def _take_on(self, captured_ns: int) -> None:
        for track in [track for track in self._tracks if track.number is None]:
            if track.frames < ENTRY_FRAMES:
                continue
            missed = self._missed(captured_ns, track)
            if missed is not None:
                track.number = missed.number
                self._tracks.remove(missed)
            else:
                taken = {other.number for other in self._tracks}
                free = (number for number in range(self._limit) if number not in taken)
                track.number = next(free, None)

    def _missed(self, captured_ns: int, newcomer: "_Track") -> "_Track | None":
        """Return the player who is back as `newcomer`: within reach, of their size, never seen together with them."""
        found = [
            (share, track)
            for track in self._tracks
            if track.number is not None
            and track.seen_ns < newcomer.since_ns
            and (share := track.reach_share(captured_ns, newcomer.person)) <= 1.0
        ]
        return min(found, key=itemgetter(0))[1] if found else None


class _Track:
    """Somebody known from earlier frames: a way that is smoothed, and the latest posture on it."""

    __slots__ = (
        "_places",
        "_scores",
        "_size",
        "_vx",
        "_vy",
        "frames",
        "number",
        "person",
        "seen_ns",
        "since_ns",
    )

    def __init__(self, captured_ns: int, person: Person) -> None:
        self.number: int | None = None
        self.person = person  # as last seen
        self.since_ns = self.seen_ns = captured_ns
        self.frames = 1  # seen in
        self._places = list(person.places)
        self._scores = list(person.scores)
        self._vx = self._vy = 0.0  # image heights per second
        self._size = torso_of(person).size

    def likeness(self, captured_ns: int, person: Person) -> float:
        """Return the OKS of `person` with this one as expected at `captured_ns`; 0 = somebody else."""
        if not self._has_size(captured_ns, torso_of(person)):
            return 0.0
        elapsed_s = self._elapsed_s(captured_ns)
        dx, dy = self._way(elapsed_s)
        unit = self._size * (AREA_ROOT + DRIFT * elapsed_s)
        alike = similarity(self._places, self._scores, person, unit, dx, dy)
        return alike if alike >= SAME else 0.0

    def reach_share(self, captured_ns: int, person: Person) -> float:
        """Return how far `person` is from where this one is expected, as a share of what a person can have gone.

        Beyond 1 it is somebody else, as for the lock on a single player.
        """
        torso = torso_of(person)
        if not self._has_size(captured_ns, torso):
            return math.inf
        elapsed_s = self._elapsed_s(captured_ns)
        dx, dy = self._way(elapsed_s)
        last = torso_at(self._places, self._scores)
        reach = self._size * (JUMP_STEP + JUMP_SPEED * elapsed_s)
        return math.hypot(torso.x - last.x - dx, torso.y - last.y - dy) / reach

    def follow(self, captured_ns: int, person: Person) -> None:
        """Take in that this is `person`."""
        elapsed_s = self._elapsed_s(captured_ns)
        dx, dy = self._way(elapsed_s)
        off_x, off_y = self._astray(person, dx, dy)
        # a g-h filter with fading memory: it keeps up with steady walking and overshoots nothing
        kept = math.exp(-elapsed_s / MOTION_TAU_S)
        if elapsed_s > 0.0:
            self._vx += (1.0 - kept) ** 2 * off_x / elapsed_s
            self._vy += (1.0 - kept) ** 2 * off_y / elapsed_s
        lag_x, lag_y = kept * kept * off_x, kept * kept * off_y
        for limb, score in enumerate(person.scores):
            at = 2 * limb
            if score >= KNOWN:
                self._places[at] = person.places[at] - lag_x
                self._places[at + 1] = person.places[at + 1] - lag_y
                self._scores[limb] = score
            else:  # hidden: it goes with the others
                self._places[at] += dx + off_x - lag_x
                self._places[at + 1] += dy + off_y - lag_y
        torso = torso_of(person)
        if torso.score >= KEPT_SCORE:
            self._size += (1.0 - math.exp(-elapsed_s / SIZE_TAU_S)) * (torso.size - self._size)
        self.person = person
        self.seen_ns = captured_ns
        self.frames += 1

    def _elapsed_s(self, captured_ns: int) -> float:
        return max(captured_ns - self.seen_ns, 0) * 1e-9

    def _has_size(self, captured_ns: int, torso: Torso) -> bool:
        """Whether `torso` is not larger or smaller than this one can have become; one that is hidden may be."""
        factor = SIZE_STEP * math.pow(SIZE_SPEED, self._elapsed_s(captured_ns))
        return torso.score < KEPT_SCORE or self._size / factor <= torso.size <= self._size * factor

    def _way(self, elapsed_s: float) -> tuple[float, float]:
        """Return how far this one has probably gone since."""
        steps_s = COAST_TAU_S * (1.0 - math.exp(-elapsed_s / COAST_TAU_S))
        return self._vx * steps_s, self._vy * steps_s

    def _astray(self, person: Person, dx: float, dy: float) -> tuple[float, float]:
        """Return how far the trunk is from where it was expected; nothing where it is hidden."""
        both = [limb for limb in TRUNK if person.scores[limb] >= KNOWN and self._scores[limb] >= KNOWN]
        if not both:
            return 0.0, 0.0
        off_x = sum(person.places[2 * limb] - self._places[2 * limb] for limb in both)
        off_y = sum(person.places[2 * limb + 1] - self._places[2 * limb + 1] for limb in both)
        return off_x / len(both) - dx, off_y / len(both) - dy


def torso_of(person: Person) -> Torso:
    """Measure a person's torso."""
    return torso_at(person.places, person.scores)


def similarity(
    places: Sequence[float], scores: Sequence[float], person: Person, unit: float, dx: float, dy: float
) -> float:
    """Return the OKS (0..1) of `person` with somebody at `places` (x, y, x, y, ...) moved by `dx`, `dy`.

    `unit` is the root of the area, in image heights. 0 where fewer than ENOUGH keypoints are known of both.
    """
    total, count = 0.0, 0
    scale = 1.0 / max(unit * unit, 1e-12)
    for limb, steepness in enumerate(_STEEPNESS):
        if scores[limb] >= KNOWN and person.scores[limb] >= KNOWN:
            x = places[2 * limb] + dx - person.places[2 * limb]
            y = places[2 * limb + 1] + dy - person.places[2 * limb + 1]
            total += math.exp(-(x * x + y * y) * steepness * scale)
            count += 1
    return total / count if count >= ENOUGH else 0.0


def best_match(table: Sequence[Sequence[float]]) -> list[int | None]:
    """Return for each row its column, each column at most once, so that the numbers taken add up to the most.

    A number of 0 is never taken; None is a row without a column.
    """
    best: dict[int, tuple[float, tuple[int | None, ...]]] = {0: (0.0, ())}  # by the set of columns taken
    for row in table:
        grown: dict[int, tuple[float, tuple[int | None, ...]]] = {}
        for taken, (total, chosen) in best.items():
            options = [(taken, total, None)] + [
                (taken | 1 << column, total + value, column)
                for column, value in enumerate(row)
                if value > 0.0 and not taken >> column & 1
            ]
            for mask, sum_, column in options:
                if mask not in grown or sum_ > grown[mask][0]:
                    grown[mask] = sum_, (*chosen, column)
        best = grown
    return list(max(best.values(), key=lambda found: found[0])[1])


def _each_once(people: Sequence[Person]) -> list[Person]:
    """Return people from left to right; of two who are one, seen twice, the surer."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda person: (-person.score, person)):
        unit = AREA_ROOT * torso_of(person).size
        if all(similarity(o.places, o.scores, person, unit, 0.0, 0.0) < DOUBLE for o in kept):
            kept.append(person)
    return sorted(kept)
