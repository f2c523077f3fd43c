"""The other process: everything that is not needed to make sound."""
