"""The process of `synth:` for the contract's test: each message that its voices obey is written to a file, in hex."""

import os
import sys
from pathlib import Path

from lalelu.voice import relay
from lalelu.voice.mixer import Mixer

obeyed = Path(os.environ["LALELU_TEST_OBEYED"])
obeyed.touch()
obey = Mixer.message


def message(self, message):
    with obeyed.open("a") as file:
        file.write(message.hex() + "\n")
    obey(self, message)


Mixer.message = message
sys.exit(relay.main(sys.argv[1:]))
