"""`python -m roftbench`, the same as `roftbench`."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line; returns its exit code, 130 where it is interrupted, also while modules are imported."""
    try:
        from roftbench.cli.main import main as run

        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # Python would end itself by SIGINT in spite of this code if the interrupt came while a text was run as code, as
        # dataclasses do where they are defined; it forgets that with the next such text.
        exec("")
    return code


if __name__ == "__main__":
    sys.exit(main())
