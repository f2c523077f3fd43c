"""Where MIDI goes: one adapter a file, named after its vendor or medium."""
