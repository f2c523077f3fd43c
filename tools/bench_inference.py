"""The same as `lalelu bench inference`, for people who work from a checkout."""

import sys

from lalelu.commands.bench import main

if __name__ == "__main__":
    sys.exit(main())
