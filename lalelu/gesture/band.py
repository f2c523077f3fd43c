"""All players on all kits: who plays which, standby, and switching while playing. Pure."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.gesture.act import Tell
from lalelu.gesture.detector import Detector
from lalelu.gesture.player import RowDelay
from lalelu.gesture.verdict import Verdict
from lalelu.gesture.view import PlayerView
from lalelu.types import Command, Event, Pose

# A player unseen for longer has gone: what a gesture of theirs still sounds ends. Networks lose somebody for a few
# frames now and then; the voice takes an engine without rows for stuck after 0.25 s.
GONE_NS: Final = 500_000_000


class Band:
    """Detectors of several kits, and who plays which of them.

    `kits` in the order of their numbers; everybody begins on the first one, but for those whom `player_kits` gives
    another (by player). The other arguments are Detector's. `standby`: nothing sounds, and only a pose that is held
    for it, or `toggle`, ends that. `follows`: another band plays, and this one is told of it; what players tell by
    poses that are held changes nothing here.
    """

    def __init__(
        self,
        kits: Sequence[KitConfig],
        *,
        skeleton: Sequence[str],
        player_kits: Mapping[int, int] | None = None,
        left_handed: bool = False,
        explain: Callable[[Verdict], None] | None = None,
        row_delay_ns: RowDelay | None = None,
        lead_ms: float = 0.0,
        chokes: bool = False,
        aspect: float | None = None,
        follows: bool = False,
    ) -> None:
        self._lasting = partial(
            Band, skeleton=skeleton, explain=explain, row_delay_ns=row_delay_ns, aspect=aspect
        )
        self._make = partial(
            Detector,
            skeleton=skeleton,
            left_handed=left_handed,
            explain=explain,
            row_delay_ns=row_delay_ns,
            lead_ms=lead_ms,
            chokes=chokes,
            aspect=aspect,
        )
        self._names = [kit.name for kit in kits]
        self._detectors = [self._make(kit, number=number) for number, kit in enumerate(kits)]
        self._first = 0  # the kit of everybody who has none of their own
        self._begun_on = dict(player_kits or {})
        self._kit_of = dict(self._begun_on)
        self._seen_ns: dict[int, int] = {}  # by player; those who have gone are taken out
        self._events: list[Event] = []
        self._follows = follows
        self.standby = False

    def frame(self, seq: int, captured_ns: int, poses: Sequence[Pose]) -> Sequence[Event]:
        """Take in one frame's poses and return what has become sure with it, and what ends.

        The list is reused: it is valid until the next call.
        """
        events = self._events
        events.clear()
        for pose in poses:
            self._seen_ns[pose.player] = captured_ns
            detector = self._detectors[self.kit_of(pose.player)]
            events += detector.step(pose)
            for tell in () if self._follows else detector.told:
                self._obey(tell, pose)
        if len(self._seen_ns) > len(poses):
            self._part(seq, captured_ns)
        return events

    def kit_of(self, player: int) -> int:
        """Return the number of the kit that a player plays."""
        return self._kit_of.get(player, self._first)

    def kit_name(self, player: int) -> str:
        """Return the name of the kit that a player plays."""
        return self._names[self.kit_of(player)]

    @property
    def playing(self) -> tuple[str, dict[int, str]]:
        """The kit of everybody who has none of their own, and those of the others, by player."""
        return self._names[self._first], {player: self._names[kit] for player, kit in self._kit_of.items()}

    def follow(self, first: str, of: Mapping[int, str], seq: int, at_ns: int) -> Sequence[Event]:
        """Have everybody play what another band's `playing` says; a kit that is not here changes nothing."""
        self._events.clear()
        before = {player: self.kit_of(player) for player in self._seen_ns}
        if first in self._names:
            self._first = self._names.index(first)
        self._kit_of = {player: self._names.index(kit) for player, kit in of.items() if kit in self._names}
        for player, kit in before.items():
            if self.kit_of(player) != kit:
                self._events += self._detectors[kit].rest(player, seq, at_ns)
        return self._events

    def view(self, player: int) -> PlayerView | None:
        """Return what is made of a player at the moment; None for one who is not known."""
        return self._detectors[self.kit_of(player)].view(player)

    def toggle(self, seq: int, at_ns: int, *, standby: bool | None = None) -> Sequence[Event]:
        """Begin or end the standby; None = the other way round. Nothing happens where it is so already."""
        self._events.clear()
        self._toggle(seq, at_ns, at_ns, 0, standby=standby)
        return self._events

    def switch(self, kit: int, seq: int, at_ns: int) -> Sequence[Event]:
        """Have everybody play the kit of this number; raises IndexError for a number that no kit has."""
        if not 0 <= kit < len(self._detectors):
            raise IndexError(kit)
        self._events.clear()
        for player in self._seen_ns:
            self._rest(player, seq, at_ns)
        self._first = kit
        self._kit_of.clear()
        self._events.append(Command(seq, at_ns, 0, "kit", at_ns, kit))
        return self._events

    def rest(self, seq: int, at_ns: int) -> Sequence[Event]:
        """Return what ends because no frame will come for a while."""
        self.pause(seq, at_ns)
        self._seen_ns.clear()
        return self._events

    def pause(self, seq: int, at_ns: int) -> Sequence[Event]:
        """Return what ends because all gestures begin anew with the next frame."""
        self._events.clear()
        for player in self._seen_ns:
            self._rest(player, seq, at_ns)
        return self._events

    def renewed(
        self,
        kits: Sequence[KitConfig],
        *,
        player_kits: Mapping[int, int],
        left_handed: bool,
        lead_ms: float,
        chokes: bool,
    ) -> Generator["Band", None, "Band"]:
        """Make the band that `become` is to be given, a little at each step, while this one plays on.

        Each step yields what there is of it, to be dismantled where it is given up.
        Raises UsageError as Detector does.
        """
        fresh = self._lasting(
            (), player_kits=player_kits, left_handed=left_handed, lead_ms=lead_ms, chokes=chokes
        )
        for number, kit in enumerate(kits):
            detector = fresh._make(kit, number=number, at_once=False)
            fresh._detectors.append(detector)
            fresh._names.append(kit.name)
            yield fresh
            for _ in detector.settle():
                yield fresh
        for player in tuple(self._seen_ns):
            fresh._detectors[fresh._kit_after(self, player)].welcome(player)
            yield fresh
        return fresh

    def become(self, fresh: "Band") -> None:
        """Play as `fresh` from now on, after `pause`; `fresh` keeps what was played with up to now.

        Players go on with their body and their moving hands. Each plays on on the kit of the same name; where that is
        gone, or the configuration has everybody begin otherwise, on the one that they begin with.
        """
        first = fresh._kit_after(self, None)
        kit_of = {player: fresh._kit_after(self, player) for player in (*self._kit_of, *fresh._kit_of)}
        for player in self._seen_ns:
            number = kit_of.get(player, first)
            fresh._detectors[number].follow(player, self._detectors[self.kit_of(player)])
        self._detectors, fresh._detectors = fresh._detectors, self._detectors
        self._names, self._begun_on = fresh._names, fresh._begun_on
        self._make = fresh._make
        self._first, self._kit_of = first, kit_of
        for detector in self._detectors:
            detector.muted = self.standby

    def dismantle(self) -> Iterator[None]:
        """Free all detectors, a little at each step; nobody may play any more."""
        while self._detectors:
            yield from self._detectors[-1].dismantle()
            self._detectors.pop()
            yield

    def finish(self) -> None:
        """Tell `explain` the last verdicts; no frame may follow."""
        for detector in self._detectors:
            detector.finish()

    def _kit_after(self, before: "Band", player: int | None) -> int:
        """Return the number of the kit that a player (None: a new one) plays when this band follows `before`."""
        playing = before._first if player is None else before.kit_of(player)
        name = before._names[playing]
        if self._beginning == before._beginning and name in self._names:
            return self._names.index(name)
        return self._first if player is None else self.kit_of(player)

    @property
    def _beginning(self) -> tuple[str, dict[int, str]]:
        """On which kits players begin, by name."""
        return self._names[0], {player: self._names[kit] for player, kit in self._begun_on.items()}

    def _part(self, seq: int, captured_ns: int) -> None:
        """End what players who have gone still sound."""
        for player, seen_ns in tuple(self._seen_ns.items()):
            if captured_ns - seen_ns > GONE_NS:
                self._rest(player, seq, captured_ns)
                del self._seen_ns[player]

    def _rest(self, player: int, seq: int, at_ns: int) -> None:
        self._events += self._detectors[self.kit_of(player)].rest(player, seq, at_ns)

    def _obey(self, tell: Tell, pose: Pose) -> None:
        """Do what a player has told by a pose that was held."""
        player = pose.player
        if tell.command == "standby":
            self._toggle(pose.seq, pose.captured_ns, tell.at_ns, player, standby=None)
            return
        number = self.kit_of(player)
        if tell.command == "take":
            self._events.append(Command(pose.seq, pose.captured_ns, player, "take", tell.at_ns, number))
            return
        if tell.kit is not None and tell.kit not in self._names:  # a kit that is tried out alone
            return
        wanted = (number + 1) % len(self._names) if tell.kit is None else self._names.index(tell.kit)
        if wanted != number:
            self._rest(player, pose.seq, pose.captured_ns)
            self._kit_of[player] = wanted
            self._events.append(Command(pose.seq, pose.captured_ns, player, "kit", tell.at_ns, wanted))

    def _toggle(self, seq: int, captured_ns: int, at_ns: int, player: int, *, standby: bool | None) -> None:
        wanted = not self.standby if standby is None else standby
        if wanted == self.standby:
            return
        if wanted:
            for seen in self._seen_ns:
                self._rest(seen, seq, captured_ns)
        self.standby = wanted
        for detector in self._detectors:
            detector.muted = wanted
        self._events.append(
            Command(seq, captured_ns, player, "standby" if wanted else "play", at_ns, self.kit_of(player))
        )
