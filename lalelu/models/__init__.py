"""Offline work on model files: fetch, import, convert."""
