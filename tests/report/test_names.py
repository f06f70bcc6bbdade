"""Names of strangers in everything that the tables print and write."""

import csv
import io
import re
import unicodedata
from pathlib import Path

import pandas as pd
from boards import changed, computed, ended, runs
from msgspec.structs import replace
from rich.console import Console

from roftbench.report.analysis import write_evidence
from roftbench.report.tables.by_model import by_model, write_models
from roftbench.report.tables.provenance import render_provenance
from roftbench.report.tables.render import print_rich, to_json, write_tables
from roftbench.store.record_schema import RecordSummary

HOSTILE = "=evil\x1b]0;owned\x07\x9b2J\u202e\nnext"
SAFE = r"=evil\x1b]0;owned\x07\x9b2J\u202e\nnext"


def hostile(method: str, tests: list[float | None]) -> list[RecordSummary]:
    """Jobs with control characters in all of their names."""
    found = []
    for one in runs(method, "esol", tests):
        parts = {
            group: {**one.job[group], "name": HOSTILE}
            for group in ("model", "dataset", "split", "label_ratio", "train")
        }
        env = dict.fromkeys(one.env, HOSTILE)
        found.append(replace(changed(one, one.key, **parts), env=env, data=replace(one.data, sha256=HOSTILE)))
    return found


def controls(text: str) -> set[str]:
    return {one for one in text if unicodedata.category(one) in ("Cc", "Cf")} - {"\n"}


def test_names_of_strangers_steer_no_terminal(tmp_path: Path) -> None:
    failed = ended(hostile("bss", [0.0]), error=f"no {HOSTILE}")
    found = computed([*hostile("lp", [1.0, 1.1]), *hostile(HOSTILE, [2.0, 2.2])], failures=failed)
    console = Console(file=io.StringIO(), width=2000)
    print_rich(found, console)
    assert isinstance(console.file, io.StringIO)
    long = found.board.long
    models = write_models(by_model(found.board.table), tmp_path, ("Scores by X.", render_provenance(found.board)))
    written = [*write_tables(found, tmp_path), *write_evidence(long, tmp_path, figures=True), *models]
    texts = {path.name: path.read_text(encoding="utf-8") for path in written if path.suffix not in (".pdf", ".svg")}
    for name, text in {"terminal": console.file.getvalue(), "json": to_json(found.board), **texts}.items():
        assert controls(text) == set(), name
    assert f"{SAFE} · {SAFE} split" in console.file.getvalue()
    assert f"| {SAFE} | 2.100 ± 0.100 (2) |" in texts["leaderboard.md"]
    assert f"| {SAFE} | {SAFE} | 101 | 100 | 4 |" in texts["leaderboard.md"]  # of its provenance
    assert len([line for line in texts["leaderboard.csv"].splitlines() if line.startswith("'=evil")]) == 3


def test_a_name_is_no_formula_in_a_csv_file(tmp_path: Path) -> None:
    records = [one for i, sign in enumerate("=+-@") for one in runs(f"{sign}m", "esol", [-1.0 - i])]
    found = computed(records)
    write_tables(found, tmp_path)
    write_evidence(found.board.long, tmp_path, "-m", figures=False)
    write_models(by_model(found.board.table), tmp_path)
    board = pd.read_csv(tmp_path / "leaderboard.csv")
    assert sorted(zip(board["mean"], board["method"], strict=True)) == [
        (-4.0, "'@m"), (-3.0, "'-m"), (-2.0, "'+m"), (-1.0, "'=m")
    ]  # fmt: skip
    for name in ("leaderboard.csv", "comparison.csv", "models.csv"):
        cells = {cell for row in csv.reader(io.StringIO((tmp_path / name).read_text("utf-8"))) for cell in row}
        formulas = [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert all(re.fullmatch(r"[+-]?[\d.e-]+", cell) for cell in formulas), name
        assert "'+m" in cells, name
