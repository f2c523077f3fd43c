#!/usr/bin/env python3
"""Show how long every stage of a recorded run took: the same as `lalelu latency`."""

import argparse
import sys

from lalelu.commands import latency
from lalelu.errors import LaleluError


def main() -> int:
    """Run the command with this script's arguments and return its exit status."""
    parser = argparse.ArgumentParser()
    latency.configure(parser)
    try:
        return latency.run(parser.parse_args())
    except LaleluError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code


if __name__ == "__main__":
    sys.exit(main())
