#!/usr/bin/env python3
"""Show how long every stage of a recorded run took: the same as `lalelu latency`."""

import sys

from lalelu.cli import main

if __name__ == "__main__":
    sys.exit(main(["latency", *sys.argv[1:]]))
