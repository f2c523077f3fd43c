"""Measures over recorded arrays: latency, scores, the report. Pure."""
