"""`python -m roftbench`, the same as `roftbench`."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line and return its exit code, 130 after an interrupt, also one during imports."""
    try:
        from roftbench.cli.main import main as run

        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # After an interrupt within exec(), which dataclasses use, Python would exit by SIGINT in spite of this code;
        # another exec() clears that state.
        exec("")
    return code


if __name__ == "__main__":
    sys.exit(main())
