"""Keypoints to hits. Pure: time comes in the arguments."""
