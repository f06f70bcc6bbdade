"""`Golden`: whole texts of the product, compared with the files of tests/golden."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "golden"

# What changes with the day, the machine and the release, and blanks at the ends of lines.
VARIES = {
    r"\b\d{4}-\d\d-\d\d(T\d\d:\d\d)?": "DATE",
    r"\b(?:\d+ h )?(?:\d+ min )?\d+(?:\.\d+)? s\b": "# s",
    r"\b\d[\d.,]* [kMG]?B\b": "# B",
    r"\b[0-9a-f]{16}\b": "KEY",
    r"\broftbench \d+\.\d+\.\d+": "roftbench VERSION",
    r"\bcommit [0-9a-f]{8,40}(?:-dirty)?": "commit COMMIT",
    r"(?m)[ \t]+$": "",
}
# Another processor sums in another order: what training gives, but not the rates that are set.
TRAINED = {r"(?<!lr=)(?<!Adam )-?\b\d+\.\d{3,}(?:e[+-]\d+)?": "#", r"\d+\.\d%": "#%"}
LONG = re.compile(r"Allowed: (?:[\w.]+, ){9,}[\w.]+")  # lists of names that each new option would change


@dataclass(frozen=True)
class Golden:
    """Compares texts with golden files; `folders` are the names of the test's own folders in them."""

    folders: Mapping[Path, str]
    update: bool

    def __call__(self, name: str, text: str, *, trained: bool = False) -> None:
        """Require that a text equals a golden file; `trained` masks the numbers that come from training a network."""
        for folder, word in self.folders.items():
            text = text.replace(str(folder), word)
        for pattern, word in {**VARIES, **(TRAINED if trained else {})}.items():
            text = re.sub(pattern, word, text)
        path, text = FOLDER / name, text.rstrip("\n") + "\n"
        if self.update:
            path.write_text(text, encoding="utf-8")
        if not path.is_file():
            pytest.fail(f"tests/golden/{name} is missing: --update-golden writes it", pytrace=False)
        lines = (path.read_text(encoding="utf-8").splitlines(), text.splitlines())
        if difference := "\n".join(difflib.unified_diff(*lines, f"tests/golden/{name}", "now", lineterm="")):
            pytest.fail(f"{difference}\n\nIf the change is meant, --update-golden writes it.", pytrace=False)
