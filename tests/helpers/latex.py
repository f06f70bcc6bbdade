"""A real LaTeX that compiles what the tables write."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
\input{paper.tex}
\end{document}
"""


def compiled(folder: Path) -> str:
    """Compile a document that reads the folder's paper.tex; returns the log, with lines of any length.

    The test is skipped where pdflatex is not installed, and fails there if ROFTBENCH_LATEX=1 asks for it.
    """
    if shutil.which("pdflatex") is None:
        if os.environ.get("ROFTBENCH_LATEX") == "1":
            pytest.fail("not found: pdflatex; ROFTBENCH_LATEX=1 asks for it")
        pytest.skip("not found: pdflatex")
    (folder / "document.tex").write_text(DOCUMENT)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    for _ in range(2):  # the second one knows the labels
        done = subprocess.run(
            command, cwd=folder, capture_output=True, env={**os.environ, "max_print_line": "10000"}, check=False
        )
        assert done.returncode == 0, done.stdout.decode(errors="replace")
    return (folder / "document.log").read_text(encoding="latin-1")


def complaints(log: str) -> list[str]:
    """Return the warnings of a log, boxes that are too wide or too high included."""
    return re.findall(r"^(?:Overfull|LaTeX Warning|Package .* Warning).*$", log, re.MULTILINE)
