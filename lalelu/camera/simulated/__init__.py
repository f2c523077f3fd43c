"""A drummer who is filmed without a camera, with exact truth."""
