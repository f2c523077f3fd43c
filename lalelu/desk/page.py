"""The door of the page: a socket that listens; who serves it is started when somebody knocks. Opens a socket.

The page is a process of its own (`page.process`), so that nothing that a browser asks for holds the desk up. It costs
nothing before the first connection, and is started again on the next one after it has ended.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import IO, Final, Self

from lalelu.bulletin import Bulletin
from lalelu.clock import now_ns
from lalelu.config.page import PageSection
from lalelu.orders import KIT, PLAY, STANDBY, Order, OrderWriter
from lalelu.session import Session

RETRY_S: Final = 1.0  # between two attempts to get the port, and from the page's end to its next start
MOST_RETRY_S: Final = 60.0  # each start that soon ends has the next one wait twice as long, up to this
STEADY_S: Final = 10.0  # a page that has run so long did not fail to start
PATIENCE_S: Final = 3.0  # a page whose desk was killed keeps the port for a moment
LEAVING_S: Final = 5.0  # for the page to end
_BACKLOG: Final = 32
_SIOCGIFADDR: Final = 0x8915  # netdevice(7): an interface's address, in a struct ifreq of 40 bytes
_MOST_ORDER: Final = 4096  # bytes at once
_ORDERS: Final = {"standby": STANDBY, "play": PLAY}


def listening(address: tuple[str, int]) -> socket.socket:
    """Return a socket that listens at an address. Raises OSError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(_BACKLOG)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door


def url_of(door: socket.socket) -> str:
    """Return where a browser finds what listens there; by this machine's address where it listens at all of them."""
    host, port = door.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = next(_own_addresses(), "127.0.0.1")
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _own_addresses() -> Iterator[str]:
    """Yield the IPv4 addresses by which others reach this machine, an interface's first one each."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("16s24x", name.encode()))
            except OSError:  # it has none
                continue
            address = ip_address(found[20:24])
            if not address.is_loopback:
                yield str(address)


def order_of(line: str) -> Order | None:
    """Return what a line of the page's asks for: standby, play, or kit NUMBER; None = nothing that is known."""
    word, _, number = line.partition(" ")
    if word == "kit" and number.isascii() and number.isdigit() and len(number) < 4:
        return Order(KIT, int(number), now_ns())
    return Order(_ORDERS[word], at_ns=now_ns()) if word in _ORDERS and not number else None


class PageDoor:
    """Listens for the page's first visitor and looks after its process. A context manager; `step` often.

    `poller` is woken by what happens here. The board gets the page's address, and lines for people.
    """

    def __init__(
        self,
        session: Session,
        asked: PageSection,
        orders: OrderWriter,
        poller: "select.poll",
        board: Bulletin,
    ) -> None:
        self._session = session
        self._asked = asked
        self._orders = orders
        self._poller = poller
        self._board = board
        self._door: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""  # of an order that has not come whole
        self._began_s = time.monotonic()
        self._try_s = self._started_s = self._start_s = 0.0
        self._pause_s = 0.0  # before the last start
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._end(self._process)
        if self._door is not None:
            self._door.close()

    def step(self) -> None:
        """Do what is due; never waits."""
        if self._door is None:
            self._open()
        if self._process is not None:
            self._heed(self._process)
        elif self._door is not None and time.monotonic() >= self._start_s:
            self._poller.register(self._door, select.POLLIN)
            if _readable(self._door):
                self._start(self._door)

    def _open(self) -> None:
        now_s = time.monotonic()
        if self._asked.address is None or now_s < self._try_s:
            return
        self._try_s = now_s + RETRY_S
        try:
            self._door = listening(self._asked.address)
        except OSError as exc:
            if not self._told and now_s > self._began_s + PATIENCE_S:
                self._told = True
                self._board.say(
                    f"page: none, {self._asked.at} cannot be used ({exc.strerror}); end what uses it, perhaps a "
                    "`lalelu desk`, and the page comes, or set page.at"
                )
            return
        url = url_of(self._door)
        self._board.tell(page=url)
        self._board.say(f"page: {url}{'' if self._asked.token is None else '?token=... (page.token)'}")

    def _start(self, door: socket.socket) -> None:
        """Hand the socket to a new process; its input is its lifeline, its output is what it asks for."""
        self._poller.unregister(door)  # who knocks now is heard there, or waits until the next start
        self._started_s = time.monotonic()
        # one thread does: its pictures are small
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lalelu.page.process", str(self._session.folder), str(door.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(door.fileno(),),
                start_new_session=True,
                env={**os.environ, **quiet},
            )
        except OSError as exc:
            self._pause(f"cannot be started ({exc.strerror})")
            return
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._poller.register(self._process.stdout, select.POLLIN)

    def _pause(self, problem: str) -> None:
        """Put the next start off, and tell the first of several problems in a row."""
        now_s = time.monotonic()
        if now_s > self._started_s + STEADY_S:
            self._pause_s = 0.0
        if problem and not self._pause_s:
            self._board.say(f"page: it {problem}; it is started again when a browser asks for it")
        self._pause_s = min(2.0 * self._pause_s, MOST_RETRY_S) or RETRY_S
        self._start_s = now_s + self._pause_s

    def _heed(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        data = b""
        if _readable(process.stdout):
            data = os.read(process.stdout.fileno(), _MOST_ORDER)
            if not data:  # it has ended, or is about to
                self._end(process)
                self._pause(f"has ended ({_ending(process.returncode)})" if process.returncode else "")
                return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:_MOST_ORDER]
        for line in lines:
            order = order_of(line.decode("ascii", "replace"))
            if order is not None:
                self._orders.write(order)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._poller.unregister(process.stdout)
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(LEAVING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process, self._rest = None, b""


def _ending(status: int) -> str:
    return f"status {status}" if status > 0 else f"killed by signal {-status}"


def _readable(source: socket.socket | IO[bytes]) -> bool:
    return bool(select.select([source], [], [], 0)[0])
