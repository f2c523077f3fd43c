"""Sources of frames: one port, an adapter a file."""
