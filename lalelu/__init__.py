"""lalelu: play percussion in front of a camera; gestures become MIDI, every frame's latency is kept."""

__version__ = "0.1.0"
