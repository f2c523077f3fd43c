"""Takes saved files into the playing: watches, reads, checks and offers them. Reads files, maps rings.

A configuration that cannot be used changes nothing; what is wrong is said, and shown as the problem `config`. One that
can gets the next epoch: its pieces go into the ring `offer`, and once the voice is ready for them the engine is asked
to change over between two frames. One at a time: what is saved meanwhile is offered after that, or instead of one that
waits for AGAIN_NS already, as while the camera is away.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.config.live import changed_live
from lalelu.config.loader import effective_of, load_again
from lalelu.config.problem import ConfigError
from lalelu.config.source import Source
from lalelu.errors import LaleluError, UsageError
from lalelu.gesture.band import Band
from lalelu.offer import OfferWriter, Performance, pieces
from lalelu.orders import RELOAD, Order, OrderWriter
from lalelu.registry import from_uri
from lalelu.session import Plan, Session
from lalelu.skeleton import SKELETONS
from lalelu.voice import port as voice_port
from lalelu.voice.voice import check_addresses

LOOK_NS: Final = 100_000_000  # between two looks at the files; one that was written stays so for two of them
AGAIN_NS: Final = (
    2_000_000_000  # an offer that nobody has taken up by then is made again, and a newer one may replace it
)
_MOST_LINES: Final = 5  # of what is wrong with a file
_MOST_LETTERS: Final = 300  # of a sentence, so that a line that ends with it is not cut on the board
_WAITS: Final = "the saved configuration is taken over with the next frame"

_Print = tuple[int, int, int, int] | None  # of a file: device, inode, size, time of the last change


class Listener(Protocol):
    """Who is told what has become of the files; the desk."""

    def say(self, line: str, kind: str = "desk") -> None:
        """Tell people, and the ledger."""

    def show_problem(self, name: str, sentence: str | None) -> None:
        """Show that something is wrong, or no longer."""

    def begin_epoch(self, epoch: int, config: Mapping[str, Any], from_ns: int) -> None:
        """Take note that `config` (plain JSON values) holds for frames captured at `from_ns` or later."""


@dataclass(slots=True)
class _Offer:
    epoch: int
    plan: Plan
    records: list[bytes]
    first: int  # record in the ring
    at_ns: int
    ordered: bool = False
    late: bool = False  # nobody has taken it up in AGAIN_NS


class Reloader:
    """Watches the files of `source`. `step` does what is due; nothing that stands in a file makes it raise."""

    def __init__(
        self, session: Session, source: Source, board: Bulletin, listener: Listener, orders: OrderWriter
    ) -> None:
        self._session = session
        self._source = source
        self._board = board
        self._listener = listener
        self._orders = orders
        self._offers = OfferWriter(session)
        self._boards = {name: BoardReader(session / name) for name in ("lead", "engine", "voice")}
        self._start = self.running = session.plan
        self._epoch = 0
        self._newest = 0  # epoch that was offered
        self._asked = self._reloads()
        self._files: tuple[Path, ...] = (source.path,) if source.path is not None else ()
        self._read_prints: dict[Path, _Print] | None = None  # as they were when they were read last
        self._seen_prints: dict[Path, _Print] = {}
        self._look_ns = 0
        self._candidate: Plan | None = None
        self._restart: tuple[str, ...] = ()  # what it leaves for a restart
        self._offer: _Offer | None = None
        self._problem: str | None = None
        with suppress(LaleluError):  # what checks a saved file is loaded before one is saved
            _check_addresses(self.running)
        self._show()

    def step(self, at_ns: int) -> None:
        """Look at the files and at engine and voice, and go on."""
        self.follow()
        filmed = self._boards["engine"].value().get("take")  # None until it knows its camera
        if self._offer is not None:
            self._push(self._offer, at_ns)
        if self._is_due(at_ns):
            self._read(is_final=filmed is None)
        elif self._candidate is not None and filmed is not None and (self._offer is None or self._offer.late):
            candidate, self._candidate = self._candidate, None
            try:
                self._make_offer(candidate, filmed, at_ns)
            except (LaleluError, OSError) as exc:  # OSError: no room in memory
                self._refuse([str(exc)])
            else:
                self._wait_for_restart(self._restart)

    def _reloads(self) -> int:
        return int(self._boards["lead"].value().get("reload", 0))

    def _is_due(self, at_ns: int) -> bool:
        """Whether the files are to be read: they have changed and settled, or the leader was asked to."""
        if self._reloads() != self._asked or self._read_prints is None:
            self._asked = self._reloads()
            return True
        if at_ns - self._look_ns < LOOK_NS:
            return False
        self._look_ns = at_ns
        before, self._seen_prints = self._seen_prints, _prints(self._files)
        return before == self._seen_prints != self._read_prints

    def _read(self, *, is_final: bool) -> None:
        """Read the files; what is in them becomes the candidate, a problem, or nothing.

        An old problem stays until the candidate is checked; with `is_final` there is nothing to check it by.
        """
        is_first = self._read_prints is None
        self._candidate = None
        prints = _prints(self._files)
        try:
            loaded = load_again(self._source)
        except (
            LaleluError,
            OSError,
            RuntimeError,
        ) as exc:  # RuntimeError: ~NAME of nobody, brackets without end
            named = exc.problems if isinstance(exc, ConfigError) else ()
            self._watch({*self._files, *(Path(problem.file) for problem in named)}, prints)
            self._refuse(str(exc).splitlines() or [type(exc).__name__])
            return
        self._watch(set(loaded.files), prints)
        offer = self._offer
        coming = self.running if offer is None else offer.plan
        config, self._restart = changed_live(coming.config, loaded.config)
        if (config, loaded.kits) != (coming.config, coming.kits):
            self._candidate = replace(coming, config=config, kits=loaded.kits)
            if is_final or self._problem is None:
                self._wait_for_restart(self._restart, is_first=is_first)
            return
        if offer is None and self._problem is not None and not self._restart:
            self._board.say("the saved configuration is the one that is played")
        self._wait_for_restart(self._restart, is_first=is_first)

    def _watch(self, files: set[Path], read: dict[Path, _Print]) -> None:
        """Watch these files; `read`: as they were just before they were read, where they were known."""
        self._files = tuple(sorted(files))
        self._seen_prints = _prints(self._files)
        self._read_prints = self._seen_prints | {path: read[path] for path in self._files if path in read}

    def _wait_for_restart(self, restart: tuple[str, ...], *, is_first: bool = False) -> None:
        before = self._problem
        sentence = before if before == _WAITS and self._offer is not None else None
        if restart:
            sentence = f"needs a restart: {', '.join(restart)}"[:_MOST_LETTERS]
        self._show_problem(sentence)
        if restart and sentence != before and not is_first:
            self._listener.say(f"configuration: {sentence}", "config restart")

    def _refuse(self, lines: list[str]) -> None:
        """Keep what is played, and say why."""
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        sentence = f"kept the last good one: {lines[0][:_MOST_LETTERS]}{more}"
        before = self._problem
        self._show_problem(sentence)
        if sentence != before:
            for line in (sentence, *lines[1:_MOST_LINES]):
                self._listener.say(f"configuration: {line}", "config refused")
        note = self.running.config.midi.error_note
        if note is not None:
            self._offers.complain(self.running.kit.channel, note)

    def _make_offer(self, plan: Plan, filmed: dict[str, Any], at_ns: int) -> None:
        """Offer what is valid to engine and voice. Raises UsageError where it cannot be played as things are."""
        self._check(plan, filmed)
        # a desk before this one may have offered the next one already, and the voice be ready for it
        prepared = self._boards["voice"].value().get("prepared") or 0
        epoch = 1 + max([self._epoch, self._newest, prepared, *self._session.epochs()])
        wanted = Performance.of(epoch, plan.config, plan.kits)
        records = pieces(wanted)
        played = Performance.of(epoch, self.running.config, self.running.kits)
        if replace(played, delay_ms=wanted.delay_ms) == wanted:
            records = pieces(replace(wanted, kits=()))  # the hands need not notice
        self._session.keep_plan(plan, epoch)
        self._offer = _Offer(epoch, plan, records, self._offers.write(records), at_ns)
        self._newest = epoch

    def _check(self, plan: Plan, filmed: dict[str, Any]) -> None:
        config = plan.config
        _check_addresses(plan)
        Band(
            plan.kits,
            skeleton=SKELETONS[filmed["skeleton"]],
            player_kits=config.player_kits,
            left_handed=config.left_handed,
            lead_ms=config.timing.lead_ms,
            chokes=config.timing.choke,
            aspect=filmed["width"] / filmed["height"],
        )
        asking = next((kit for kit in plan.kits if kit.needs_legs), None)
        cut = "model" in filmed and config.pose.crop == "follow"  # not a take
        if asking is not None and cut and not any(kit.needs_legs for kit in self._start.kits):
            raise UsageError(
                f"kit {asking.name!r} goes by the player's legs, and no kit did at the start, so the network is not "
                "shown them; start lalelu again"
            )

    def _push(self, offer: _Offer, at_ns: int) -> None:
        """Have the engine change over once the voice is ready; see whether it has."""
        engine = self._boards["engine"].value()
        first, why = engine.get("refused", (None, ""))
        if offer.ordered and first == offer.first:
            self._offer = None
            self._session.drop_plan(offer.epoch)
            self._refuse([why])
            return
        is_again = at_ns - offer.at_ns > AGAIN_NS
        offer.late = offer.late or is_again
        if not offer.ordered and self._boards["voice"].value().get("prepared") == offer.epoch:
            offer.ordered = True
            self._order(offer, at_ns)
        elif is_again and offer.ordered:
            if self._problem is None:
                self._show_problem(_WAITS)
            if engine.get("state") != "waiting":  # no order after the other while nobody reads any
                self._order(offer, at_ns)
        elif is_again:  # a voice that was started meanwhile has not heard of it
            offer.first, offer.at_ns = self._offers.write(offer.records), at_ns

    def _order(self, offer: _Offer, at_ns: int) -> None:
        self._orders.write(Order(RELOAD, offer.first, at_ns))
        offer.at_ns = at_ns

    def follow(self) -> None:
        """See whether the engine plays another epoch."""
        engine = self._boards["engine"].value()
        epoch = int(engine.get("epoch", 0))
        if epoch == self._epoch:
            return
        offer = self._offer
        if offer is not None and offer.epoch == epoch:
            self._offer, self.running = None, offer.plan
            self._board.say(f"configuration: what was saved is played now (epoch {epoch})")
        else:  # a desk before this one has asked for it
            self.running = self._session.plan_at(epoch)
        self._epoch = epoch
        if self._problem == _WAITS:
            self._wait_for_restart(self._restart, is_first=True)
        self._session.drop_plans(epoch)
        effective = effective_of(self.running.config, self.running.kits)
        self._listener.begin_epoch(epoch, effective, int(engine["epoch_from_ns"]))
        self._show()

    def _show_problem(self, sentence: str | None) -> None:
        self._problem = sentence
        self._listener.show_problem("config", sentence)

    def _show(self) -> None:
        path = self._source.path
        self._board.tell(
            epoch=self._epoch, config_file="built-in defaults" if path is None else str(path.absolute())
        )


def _prints(files: tuple[Path, ...]) -> dict[Path, _Print]:
    """Return what tells whether a file is another one, or has changed; None where there is none."""
    return {path: _print(path) for path in files}


def _print(path: Path) -> _Print:
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a path with a zero byte
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_addresses(plan: Plan) -> None:
    outputs = plan.config.midi.outputs
    check_addresses(plan.kits, [from_uri("MIDI output", voice_port.ADAPTERS, uri) for uri in outputs])
