"""The entry point: an interrupt while modules are imported."""

import signal
from pathlib import Path

from command import Terminal
from lab import Lab

INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            {raising}

sys.meta_path.insert(0, Finder)
from roftbench.__main__ import main
sys.argv[1:] = ["run", "--cfg", "job"]
sys.exit(main())
"""
RAISE = "signal.raise_signal(signal.SIGINT)"


def test_an_interrupt_while_modules_are_imported(lab: Lab, tmp_path: Path) -> None:
    """Also in a text that is run as code, as dataclasses do: Python itself would end by the signal then."""
    terminal = Terminal.of(lab, tmp_path)
    for module in ("roftbench.cli.main", "roftbench.sweep.hydra_app"):
        for raising in (RAISE, f"exec('import signal; {RAISE}')"):
            ended = terminal.python("-c", INTERRUPTED.format(module=module, raising=raising))
            assert (ended.code, "Traceback" in ended.err) == (128 + signal.SIGINT, False), ended


def test_nothing_is_imported_before_an_interrupt_is_caught(lab: Lab, tmp_path: Path) -> None:
    script = "import sys; before = set(sys.modules); import roftbench.__main__; print(set(sys.modules) - before)"
    assert eval(Terminal.of(lab, tmp_path).python("-c", script).out) == {
        "roftbench",
        "roftbench.__about__",
        "roftbench.__main__",
    }
