"""What hears the messages that reach the voices of `synth:`, for the contract's test."""

import os
import sys
from pathlib import Path

import pytest

from lalelu.voice.port import MidiOutput


class SynthEar:
    """The process that makes the sound, on a device that is heard by nobody; its voices write down what they obey."""

    uri = "synth:?backend=null&engine=builtin"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "obeyed"
        here = str(Path(__file__).parent)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, *filter(None, sys.path)]))
        monkeypatch.setenv("LALELU_TEST_OBEYED", str(self.path))
        monkeypatch.setattr("lalelu.voice.relayed._MODULE", "synth_witness")

    def attach(self, output: MidiOutput) -> None:
        pass

    def heard(self, count: int) -> list[bytes]:
        return [bytes.fromhex(line) for line in self.path.read_text().split()]

    def remove(self) -> None:
        pass
