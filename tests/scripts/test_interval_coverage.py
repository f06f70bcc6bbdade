import sys
from pathlib import Path

import numpy as np
import pytest

import scripts.interval_coverage as script


def test_report_of_one_table(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROFTBENCH_CACHE", str(cache))
    monkeypatch.setattr(script, "TABLES", ("esol",))
    monkeypatch.setattr(script, "MODELS", {"ecfp · ridge": script.MODELS["ecfp · ridge"]})
    out = tmp_path / "report.md"
    words = ["interval_coverage", "--work", str(tmp_path / "work"), "--out", str(out), "--labels", "60"]
    monkeypatch.setattr(sys, "argv", words)
    script.main()
    first = out.read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first.splitlines() if line.startswith("| 60")]
    assert [(row[1], row[3]) for row in rows] == [
        (split, kind) for split in ("random", "scaffold") for kind in ("normalized", "one width")
    ]
    assert all(0.8 < float(row[4]) < 0.98 for row in rows)
    assert [row[9] for row in rows[1::2]] == ["1.000", "1.000"]
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*.npz")}
    assert len(files) == 10
    script.main()  # from what is kept
    assert out.read_text() == first
    assert {path: path.stat().st_mtime_ns for path in files} == files
    _check_parts(tmp_path / "work")


def _check_parts(work: Path) -> None:
    """Each molecule is tested once; none of a test fold, or of its scaffolds, is trained on or calibrated with."""
    table = script.Table("esol")
    groups = table.dataset.scaffold_groups()
    tested = []
    for path in sorted(work.glob("esol-scaffold-*")):
        with np.load(path) as found:
            tested += found["test"].tolist()
            assert len(found["train"]) == 60
            assert not {*groups[found["train"]]} & {*groups[found["test"]]}
            for fold in range(5):
                own = found["fold"] == fold
                assert not {*groups[found["train"][own]]} & {*groups[found["train"][~own]]}
    assert sorted(tested) == list(range(len(table.y)))
