"""Tuning a kit by hand: values changed in the player's own files, undone, compared, learned and kept as presets."""
