"""Benchmarks: one worker process per variant, all on one core, taking turns."""
