"""The notebook of the documentation runs in a kernel, and its stored output is that of its code."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import ROOT

NOTEBOOK = ROOT / "docs" / "python.ipynb"


def code_cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_notebook_runs(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs roftbench[dev]")
    client = pytest.importorskip("nbclient", reason="needs roftbench[dev]")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "examples")
    monkeypatch.setenv("ROFTBENCH_CACHE", str(cache))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("ROFTBENCH_RESULTS", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    texts = [[kind(output) for output in cell.outputs] for cell in cells]
    assert texts == [[kind(output) for output in cell["outputs"]] for cell in code_cells()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["examples", "models", "results"]
    if target := os.environ.get("ROFTBENCH_WRITE_NOTEBOOK"):
        nbformat.write(notebook, target)


def kind(output: Any) -> str:
    """Return what an output is: a result, or what is printed."""
    return str(output["output_type"])


def test_stored_output_names_no_folder_of_a_machine() -> None:
    assert code_cells()
    for cell in code_cells():
        assert cell["outputs"] or "save" in "".join(cell["source"])
        assert not any(word in json.dumps(cell["outputs"]) for word in ("/tmp", "/home", "/root", "/work", "Warning"))
