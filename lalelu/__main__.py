"""`python -m lalelu` is the `lalelu` command."""

import sys

from lalelu.cli import main

sys.exit(main())
