"""`python -m jobdeck.cli`: the same as `jobdeck`."""

import sys

from jobdeck.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
