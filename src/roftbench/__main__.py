"""`python -m roftbench`, the same as `roftbench`."""

import sys


def main() -> int:
    """Run the command line; returns its exit code, 130 where it is interrupted, also while modules are imported."""
    try:
        from roftbench.cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
