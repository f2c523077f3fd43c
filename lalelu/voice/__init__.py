"""The sound: MIDI messages, what sounds and for how long, and the outputs they go to."""
