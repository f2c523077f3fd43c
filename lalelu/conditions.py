"""What can be wrong while lalelu plays: the closed list, and since when each of them holds. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, NamedTuple

QUIET_NS: Final = 5_000_000_000  # from one telling that a condition has come to the next one


@dataclass(frozen=True, slots=True)
class Kind:
    """One condition: what it means, what lalelu does, how it ends, and how it is told."""

    meaning: str
    does: str
    ends: str
    grave: bool = False  # little or nothing can be played
    after_ms: int = 0  # it has to hold for so long before it counts ...
    clear_ms: int = 0  # ... and to be gone for so long before it is over
    own_end: bool = False  # its process tells people of the end itself
    recorded: bool = (
        False  # the leader gives it rows in the ledger's events; the others have some of their process
    )


CONDITIONS: Final[dict[str, Kind]] = {  # the worst first
    "engine": Kind(
        "the engine's loop stands still",
        "the voice has ended every note after 0.25 s; the service's watchdog is fed no more and restarts lalelu",
        "with the next frame's row",
        grave=True,
    ),
    "camera": Kind(
        "the camera is lost or not there",
        "every note ends, and the camera is looked for four times a second",
        "when the camera opens again",
        grave=True,
        own_end=True,
    ),
    "voice": Kind(
        "the voice has died",
        "it is started again after 0.05 s, at first ends what the dead one had begun, and plays on",
        "when the new one is ready",
        grave=True,
    ),
    "midi": Kind(
        "a MIDI output is lost",
        "the other outputs play on, and the lost one is looked for",
        "when the output opens again",
        grave=True,
        own_end=True,
    ),
    "dark": Kind(
        "the picture is black: the lens is covered or the light is off",
        "held notes end, and nothing is played from the picture",
        "with the first picture that shows something",
        grave=True,
        recorded=True,
    ),
    "frozen": Kind(
        "a camera has sent the very same picture for a second",
        "held notes end, and nothing is played from the picture",
        "with the first picture that differs",
        grave=True,
        recorded=True,
    ),
    "net": Kind(
        "the network's own process (pose.flow: carried) has died or starts again",
        "flow goes on for 0.3 s, then nobody is in view; the process is started again, once in ten seconds",
        "when the new one is ready",
        grave=True,
        recorded=True,
    ),
    "suspend": Kind(
        "the machine has slept",
        "on waking every note ends, and what was due is dropped; a camera that gives no frame is opened again",
        "ten seconds after it is told",
        recorded=True,
    ),
    "config": Kind(
        "the saved configuration or kit is not in force",
        "the last good one plays on",
        "when a saved file is in force again",
        own_end=True,
    ),
    "disk": Kind(
        "the ledger or the take cannot be written",
        "rows wait in memory for five minutes, and the disk is tried each second",
        "when all files are written again",
        own_end=True,
        recorded=True,
    ),
    "desk": Kind(
        "the desk has died, or its service does not start it",
        "it is started again after 0.05 s, a service after 1 s, and goes on where the dead one stopped",
        "when the new one is ready",
    ),
    "midi_in": Kind(
        "the MIDI input is lost or not there",
        "the input is looked for every second",
        "when the input opens again",
        own_end=True,
    ),
    "rate": Kind(
        "the camera's frame rate has been off by more than 10 % for two seconds",
        "all times are the frames' own stamps, so playing goes on, less exactly",
        "when it is right again over two seconds",
        clear_ms=250,
        recorded=True,
    ),
    "clock": Kind(
        "the time of day was set by more than 0.5 s",
        "nothing: all times are counted on the monotonic clock; the time of day only names files",
        "ten seconds after it is told",
        recorded=True,
    ),
    "player": Kind(
        "nobody has been in view for five seconds",
        "held notes have ended after 0.5 s",
        "when somebody is seen",
        after_ms=5000,
        recorded=True,
    ),
}


class Standing(NamedTuple):
    """A condition that holds."""

    name: str
    text: str
    since_ns: int


class Change(NamedTuple):
    """What people are to be told: a condition holds, or no longer does."""

    name: str
    text: str
    since_ns: int
    over_ns: int | None  # when it ended; None = it holds
    times: int  # how often it has come since people were told last

    @property
    def sentence(self) -> str:
        """What to say of it."""
        if self.over_ns is not None:
            return f"{self.name}: all right again after {(self.over_ns - self.since_ns) * 1e-9:.1f} s"
        return self.text if self.times == 1 else f"{self.text} ({self.times} times by now)"


@dataclass(slots=True)
class _State:
    text: str = ""
    holds: bool = False
    since_ns: int = 0  # of what holds now or held last
    over_ns: int = 0
    seen_ns: int | None = None  # first seen, while it is seen
    gone_ns: int | None = None  # first missed, while it is not seen
    times: int = 0
    told: bool = False  # what people believe ...
    told_text: str = ""  # ... and in these words
    told_ns: int = field(default=-QUIET_NS)


class Conditions:
    """Which conditions hold, by the names of CONDITIONS; others are ignored. Times are the caller's nanoseconds."""

    def __init__(self) -> None:
        self._states = {name: _State() for name in CONDITIONS}

    @property
    def standing(self) -> list[Standing]:
        """The conditions that hold, the worst first."""
        return [
            Standing(name, state.text, state.since_ns) for name, state in self._states.items() if state.holds
        ]

    def look(
        self, problems: Mapping[str, str], at_ns: int, unjudged: AbstractSet[str] = frozenset()
    ) -> list[Change]:
        """Take in what is wrong at `at_ns`, sentences by name, and return what people are to be told.

        Those in `unjudged` cannot be judged now: what holds goes on, what does not hold begins anew.
        Each condition is told when it comes, at most every QUIET_NS and then with the times it has come, and when
        what was told is over.
        """
        changes = []
        for name, state in self._states.items():
            kind = CONDITIONS[name]
            text = problems.get(name)
            if name in unjudged:
                state.seen_ns = state.gone_ns = None
                continue
            if text is None:
                _miss(state, kind, at_ns)
            else:
                _see(state, kind, text, at_ns)
            if state.holds and not state.told and at_ns - state.told_ns >= QUIET_NS:
                changes.append(Change(name, state.text, state.since_ns, None, state.times))
                state.told, state.told_ns, state.times, state.told_text = True, at_ns, 0, state.text
            elif state.told and not state.holds:
                changes.append(Change(name, state.text, state.since_ns, state.over_ns, 1))
                state.told = False
        return changes

    def is_told(self, name: str, text: str) -> bool:
        """Whether people hear of this sentence as a condition; not of new words for what they were told already."""
        state = self._states.get(name)
        return state is not None and (not state.told or state.told_text == text)

    def tell(self, name: str, text: str) -> None:
        """Take note that people were told these words."""
        if name in self._states:
            self._states[name].told_text = text


def _see(state: _State, kind: Kind, text: str, at_ns: int) -> None:
    state.text, state.gone_ns = text, None
    if state.seen_ns is None:
        state.seen_ns = at_ns
    if not state.holds and at_ns - state.seen_ns >= kind.after_ms * 1_000_000:
        state.holds, state.since_ns = True, state.seen_ns
        state.times += 1


def _miss(state: _State, kind: Kind, at_ns: int) -> None:
    state.seen_ns = None
    if not state.holds:
        return
    if state.gone_ns is None:
        state.gone_ns = at_ns
    if at_ns - state.gone_ns >= kind.clear_ms * 1_000_000:
        state.holds, state.over_ns, state.gone_ns = False, state.gone_ns, None
