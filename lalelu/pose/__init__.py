"""Frames to keypoints: runtimes know tensors, decoders know models."""
