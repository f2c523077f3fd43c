"""What the voice's requests to the machine got, and what its outputs tell of their sound, on its board."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from lalelu.bulletin import Bulletin
from lalelu.realtime import Grant
from lalelu.voice.port import SOUND, ReportedOutput
from lalelu.voice.voice import Voice

LOOK_NS: Final = 250_000_000  # as often as outputs are looked at


class Reports:
    """Shows as `requests` what the voice was granted, and every change of what its outputs report."""

    def __init__(self, voice: Voice, board: Bulletin) -> None:
        self._voice = voice
        self._board = board
        self._grants: Sequence[Grant] = ()
        self._shown: list[str] = []
        self._look_ns = 0

    def begin(self, grants: Sequence[Grant], **values: Any) -> None:  # noqa: ANN401 - plain JSON values
        """Show the grants, and `values` with them."""
        self._grants = grants
        self._show(self._reports(), values)

    def step(self, at_ns: int) -> None:
        """Show what has changed."""
        if at_ns < self._look_ns:
            return
        self._look_ns = at_ns + LOOK_NS
        reports = self._reports()
        if reports != self._shown:
            self._show(reports, {})

    def _reports(self) -> list[str]:
        gone = self._voice.gone
        there = [output for place, output in enumerate(self._voice.outputs) if place not in gone]
        return [output.report for output in there if isinstance(output, ReportedOutput) and output.report]

    def _show(self, reports: list[str], values: dict[str, Any]) -> None:
        self._shown = reports
        sound = [Grant(SOUND, granted=True, detail=report) for report in reports]
        self._board.tell(requests=[asdict(grant) for grant in (*self._grants, *sound)], **values)
