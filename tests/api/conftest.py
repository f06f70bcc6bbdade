from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from lab import ROOT, Lab

import roftbench
from roftbench.data.table.reader import open_sheet

SMALL = {"model": "tiny_gin", "method": "lp_ft", "device": "cpu", "train": "smoke", "split": "random"}


@pytest.fixture
def temporary(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of the test, beside the lab's cache."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("ROFTBENCH_CACHE", str(lab.cache))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="session")
def molecules() -> tuple[list[str], list[float]]:
    """SMILES and solubilities of the example of the documentation, each molecule once."""
    path = ROOT / "docs" / "examples" / "my.csv"
    sheet = open_sheet(str(path), path.name, path.read_bytes())
    smiles, y = (column.to_pylist() for column in sheet.columns(["smiles", "solubility"]))
    once = dict(zip(smiles, map(float, y), strict=True))
    return list(once), list(once.values())


@pytest.fixture
def fine_tuned(temporary: Path, molecules: tuple[list[str], list[float]]) -> Any:
    """A small fine-tuned model."""
    return roftbench.finetune(*molecules, **SMALL)
