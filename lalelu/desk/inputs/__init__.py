"""Where MIDI comes from: one adapter a file, named after its vendor or medium."""
