"""The process of one MIDI output that was lost: waits for its port, opens it, and plays what the voice sends.

`python -m lalelu.voice.relay URI SOCKET PRIORITY LOCK REQUIRED`: the output's address, the voice's socket, and the real
time to ask for. It ends when the voice says so or has gone, and when the port is lost again. Sends to devices.

A process, because opening a port takes up to 0.3 s on JACK, in which python-rtmidi holds Python's lock for 40 ms at a
time; looking up a name may take seconds; and libjack crashes who has met a dead server once. None of that may be heard
on the outputs that play on.
"""

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from lalelu import realtime
from lalelu.clock import now_ns
from lalelu.errors import LaleluError, LostError, UsageError
from lalelu.registry import from_uri, parse_uri
from lalelu.voice.port import ADAPTERS, HOSTED, AudioOutput, MidiOutput, PacedOutput, ValueOutput
from lalelu.voice.relayed import END, MESSAGE, PACKET, VALUE_HEAD

SEARCH_NS: Final = 750_000_000  # between two attempts to open the port
MOST_TOLD: Final = 400  # characters of a sentence, each up to 6 bytes of a PACKET
BELOW_VOICE: Final = 10  # what computes goes behind the engine, which is 5 below the voice
LOOK_NS: Final = 250_000_000  # between two looks whether the port is still there


class Relay:
    """One output, from the search for its port on. `voice` is a socket of packets that does not block."""

    def __init__(self, output: MidiOutput, voice: socket.socket) -> None:
        self._output = output
        self._paced = output if isinstance(output, PacedOutput) else None
        self._audio = output if isinstance(output, AudioOutput) else None
        self._underruns = ""  # as told last
        self._voice = voice
        self._poller = select.poll()
        self._poller.register(voice, select.POLLIN)
        self._ended = False

    def search(self) -> bool:
        """Open the port as soon as it is there, and tell the voice; False when that ends before."""
        told = ("", "")
        while not self._ended:
            try:
                line = self._output.open()
            except LaleluError as exc:
                # one that is there but wrong, such as a name that fits two ports now, may be right again
                kind = "wrong" if isinstance(exc, UsageError) else "missing"
                if (kind, str(exc)) != told:
                    told = kind, str(exc)
                    self._tell(**{"wrong": "", "missing": "", kind: str(exc)})
                self._wait(now_ns() + SEARCH_NS)
            else:
                self._tell(opened=line)
                return True
        return False

    def play(self) -> None:
        """Send on what the voice sends, until it ends. Raises LostError."""
        look_ns = now_ns()
        while not self._ended:
            if now_ns() >= look_ns:
                self._output.look()
                self._tell_underruns()
                look_ns = now_ns() + LOOK_NS
            next_ns = None if self._paced is None else self._paced.next_ns
            self._wait(look_ns if next_ns is None else min(next_ns, look_ns))
            if self._paced is not None:
                self._paced.advance(now_ns())

    def lose(self, exc: LostError) -> None:
        """Tell the voice that the port has gone."""
        self._tell(lost=str(exc))

    def _wait(self, until_ns: int) -> None:
        """Obey the voice, or wait for it until `until_ns`, a millisecond more or less."""
        self._poller.poll(max(0, -(-(until_ns - now_ns()) // 1_000_000)))
        while not self._ended:
            try:
                packet = self._voice.recv(PACKET)
            except BlockingIOError:
                return
            except ConnectionResetError:  # once: the voice has died, and left unread what it was told
                continue
            self._obey(packet)

    def _obey(self, packet: bytes) -> None:
        kind = packet[:1]
        if kind in (b"", END):  # the first: the voice has gone
            self._ended = True
        elif kind == MESSAGE:
            self._output.send(packet[1:], now_ns())
        elif isinstance(self._output, ValueOutput):
            _, value = VALUE_HEAD.unpack_from(packet)
            self._output.value(packet[VALUE_HEAD.size :].decode(), value)

    def _tell_underruns(self) -> None:
        now = self._underruns if self._audio is None else self._audio.underruns
        if now != self._underruns:
            self._underruns = now
            self._tell(underruns=now)

    def _tell(self, **words: str) -> None:
        cut = {word: sentence[:MOST_TOLD] for word, sentence in words.items()}
        try:
            with suppress(BlockingIOError):  # a voice that reads nothing is not waited for
                self._voice.send(json.dumps(cut, ensure_ascii=False).encode(errors="replace"))
        except OSError:  # the voice has gone
            self._ended = True


def main(arguments: Sequence[str]) -> int:
    """Relay until the voice ends it."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # the voice's to answer, and it ends us in order
        signal.signal(number, signal.SIG_IGN)
    uri, descriptor, priority, lock_memory, required = arguments
    voice = socket.socket(fileno=int(descriptor))
    voice.setblocking(False)
    wanted = int(priority)
    if wanted and parse_uri(uri)[0] in HOSTED:
        wanted = max(1, wanted - BELOW_VOICE)
    asked = {"priority": wanted, "required": bool(int(required))}
    try:
        output: MidiOutput = from_uri("MIDI output", ADAPTERS | HOSTED, uri, **asked)
    except LaleluError as exc:
        voice.send(json.dumps({"missing": str(exc)[:MOST_TOLD]}).encode())
        return exc.exit_code
    relay = Relay(output, voice)
    if not relay.search():
        return 0
    realtime.enter_voice(wanted, lock_memory=bool(int(lock_memory)))
    try:
        relay.play()
    except LostError as exc:
        relay.lose(exc)
        os._exit(exc.exit_code)  # no library closes anything: that may wait, or crash
    output.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
