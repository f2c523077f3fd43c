"""Cameras by Video4Linux2's own interface: memory-mapped buffers, the driver's stamps, manual exposure."""
