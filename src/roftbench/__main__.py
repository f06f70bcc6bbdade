"""`python -m roftbench`, the same as `roftbench`."""

import sys

from roftbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
