"""Fit a kit to takes of which it is known what was meant: parameters, search, honest figures."""
