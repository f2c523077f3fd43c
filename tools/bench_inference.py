#!/usr/bin/env python3
"""Measure the runtimes side by side: the same as `lalelu bench inference`."""

import sys

from lalelu.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "inference", *sys.argv[1:]]))
