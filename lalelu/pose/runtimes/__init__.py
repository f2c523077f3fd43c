"""Inference libraries behind one port, one file each."""
