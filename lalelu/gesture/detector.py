"""From poses to events: one kit, and each player's body and limbs. Pure."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.errors import UsageError
from lalelu.gesture.act import Tell
from lalelu.gesture.build import build_gestures
from lalelu.gesture.learned import finders_of
from lalelu.gesture.player import Player, RowDelay, Setting
from lalelu.gesture.verdict import Verdict
from lalelu.gesture.view import PlayerView
from lalelu.gesture.zones import Zones
from lalelu.registry import did_you_mean
from lalelu.types import Event, Pose

MOST_PLAYERS: Final = 8  # remembered at a time; the one unseen for longest is forgotten


class Detector:
    """Finds the hits of every player on their pads of one kit. Pure: all times are the poses' own stamps.

    `skeleton` names the poses' keypoints. `explain` is told of every candidate stroke, hit or not, as soon as its
    fate is sure: not quite in the order of their times. It changes no hit, and costs nothing when it is None.
    `row_delay_ns` (a rolling shutter) tells how long after `captured_ns` a point of the upright picture was exposed,
    from its place in image heights: a stroke's time is that of the row on which it ended.
    `lead_ms`: so long before its end a stroke is decided, predicted from its fall where that is clear enough; what
    cannot be predicted is decided when the limb surely rises again, as everything is with 0.
    `chokes`: a predicted stroke that does not happen is ended by a Release.
    `aspect`: the upright picture's width in image heights, for pads that lie in the picture of a left-handed player.
    `number` of the kit, for its events. `at_once`: all is made here; else `settle` makes it.
    Raises UsageError when the kit needs a limb that the skeleton does not have, or the aspect where there is none.
    """

    def __init__(
        self,
        kit: KitConfig,
        *,
        skeleton: Sequence[str],
        left_handed: bool = False,
        explain: Callable[[Verdict], None] | None = None,
        row_delay_ns: RowDelay | None = None,
        lead_ms: float = 0.0,
        chokes: bool = False,
        aspect: float | None = None,
        number: int = 0,
        at_once: bool = True,
    ) -> None:
        self._kit = kit
        self._explain = explain
        for name in ("left_shoulder", "right_shoulder"):
            if name not in skeleton:
                raise UsageError(
                    f"a player is measured by the keypoint {name!r}, which the poses do not have; "
                    f"they have {', '.join(skeleton)}{did_you_mean(name, skeleton)}"
                )
        self._setting = partial(
            Setting,
            number=number,
            skeleton=tuple(skeleton),
            left_handed=left_handed,
            chokes=chokes,
            row_delay_ns=row_delay_ns,
        )
        self._lead_s = lead_ms * 1e-3
        self._aspect = aspect
        self._left_handed = left_handed
        self._settings: dict[int | None, Setting] = {}  # by the player's number; None = everybody else
        self._muted = False
        self._players: dict[int, Player] = {}
        self.told: list[Tell] = []
        if at_once:
            for _ in self.settle():
                pass

    def settle(self) -> Iterator[None]:
        """Make what the kit needs, a little at each step; where not `at_once`, before anything else."""
        kit = self._kit
        finder = yield from finders_of(kit, self._lead_s)
        yield
        named = {player for pad in kit.pads.values() for player in pad.players or ()}
        named |= {player for gesture in kit.gestures.values() for player in gesture.players or ()}
        for player in (None, *named):
            share = _share_of(kit, player)
            yield
            zones = Zones(share.pads, left_handed=self._left_handed, aspect=self._aspect)
            yield
            gestures = build_gestures(share, left_handed=self._left_handed, aspect=self._aspect)
            setting = self._setting(kit=share, finder=finder, zones=zones, gestures=gestures)
            yield
            Player(0, setting).part()  # what cannot be played is told before the first frame
            self._settings[player] = setting
            yield

    @property
    def muted(self) -> bool:
        """Whether nothing sounds and only poses that are held count."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        for player in self._players.values():
            player.muted = muted

    def step(self, pose: Pose) -> Sequence[Event]:
        """Take in one player's pose and return what has become sure with it; `told` is what lalelu itself is told.

        Call once per player and frame, in order. A pose that is not later than the player's last one is ignored.
        """
        player = self._players.get(pose.player)
        if player is None:
            player = self.welcome(pose.player)
        self.told = player.told
        if player.last_ns is not None and pose.captured_ns <= player.last_ns:
            player.told.clear()
            return []
        player.last_ns = pose.captured_ns
        return player.step(pose)

    def rest(self, player: int, seq: int, at_ns: int) -> Sequence[Event]:
        """Return what ends when a player has gone, or plays another kit from now on."""
        known = self._players.get(player)
        return [] if known is None else known.rest(seq, at_ns)

    def view(self, player: int) -> PlayerView | None:
        """Return what is made of a player at the moment; None for one who is not known."""
        known = self._players.get(player)
        return None if known is None else known.view()

    def finish(self) -> None:
        """Tell `explain` the last verdicts; no pose may follow. Without `explain` there is nothing to do."""
        for player in self._players.values():
            player.finish()

    def follow(self, player: int, before: "Detector") -> None:
        """Go on where a player has stopped who has played on another detector up to now; strokes on their way count."""
        stopped = before._players.get(player)
        if stopped is not None:
            (self._players.get(player) or self.welcome(player)).follow(stopped)

    def dismantle(self) -> Iterator[None]:
        """Free what nobody plays any more, a little at each step, without a garbage collector."""
        while self._players:
            self._players.popitem()[1].part()
            yield
        while self._settings:
            self._settings.popitem()
            yield

    def welcome(self, number: int) -> Player:
        """Take up a player and return them."""
        if len(self._players) >= MOST_PLAYERS:
            oldest = min(self._players, key=lambda known: self._players[known].last_ns or 0)
            self._players.pop(oldest).part()
        player = Player(number, self._settings.get(number, self._settings[None]))
        player.muted = self._muted
        if self._explain is not None:
            player.watch(self._explain)
        self._players[number] = player
        return player


def _share_of(kit: KitConfig, number: int | None) -> KitConfig:
    """Return the kit with only what a player may play; None = one whom nothing names.

    Pads that only gestures play stay: their gesture says who plays them.
    """
    pads = {name: pad for name, pad in kit.pads.items() if _may(pad.players, number)}
    gestures = {name: gesture for name, gesture in kit.gestures.items() if _may(gesture.players, number)}
    return kit.model_copy(update={"pads": pads, "gestures": gestures})


def _may(players: Sequence[int] | None, number: int | None) -> bool:
    return players is None or number in players
