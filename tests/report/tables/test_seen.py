"""Marks of scores on data sets whose labels a model's pretraining saw."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from boards import board_of, computed
from made_records import runs
from msgspec.structs import replace

from roftbench.report.aggregate import cells, long_table
from roftbench.report.tables.by_model import by_model, render
from roftbench.report.tables.render import render_latex, render_markdown, to_frame
from roftbench.report.tables.seen import SEEN, UNKNOWN
from roftbench.store.record_schema import RecordSummary


def of(model: str, dataset: str, *scores: float, method: str = "lp") -> list[RecordSummary]:
    found = runs(method, dataset, list(scores), model={"name": model})
    return [replace(record, key=f"{record.key}-{model}") for record in found]


def marked(text: str) -> list[str]:
    """Return the cells with the mark in the tables of a Markdown text."""
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    return [cell.strip() for row in rows for cell in row if cell.rstrip(" *").endswith("‡‡")]


def test_cells_of_data_sets_that_pretraining_saw_are_marked() -> None:
    records = [*of("admet_ai", "bbbp", 0.9, 0.9), *of("admet_ai", "bace", 0.8, 0.8)]
    text = render_markdown(computed(records))
    assert marked(text) == ["0.900 ± 0.000 (2) ‡‡"]
    assert f"- {SEEN.format('admet_ai: bbbp')}" in text
    assert "0.800 ± 0.000 (2) |" in text


@pytest.mark.parametrize("model", ["gin_masking", "minimol", "mine"])
def test_without_a_known_overlap_nothing_is_said(model: str) -> None:
    text = render_markdown(computed([*of(model, "bbbp", 0.9), *of(model, "bace", 0.8)]))
    assert "‡‡" not in text
    assert "pretraining saw" not in text


def test_numbers_in_files_have_no_mark() -> None:
    frame = to_frame(board_of(of("admet_ai", "bbbp", 0.9, 0.7)))
    assert frame["mean"].tolist() == [pytest.approx(0.8)]
    assert not any("‡‡" in str(value) for value in frame.to_numpy().ravel())


def test_latex_shows_it() -> None:
    text = render_latex(computed(of("admet_ai", "bbbp", 0.9, 0.7)))
    assert r"(2) $^\ddagger$$^\ddagger$" in text


def test_tables_of_models_mark_it_and_name_what_is_unknown() -> None:
    """The mark tells how to read a score; with one seed nothing is bold."""
    records: list[Any] = [*of("admet_ai", "bbbp", 0.9), *of("minimol", "bbbp", 0.8), *of("scratch", "bbbp", 0.6)]
    text = render(by_model(pd.DataFrame(cells(long_table(records)))))
    assert marked(text) == ["0.900 (1) ‡‡"]
    assert SEEN.format("admet_ai: bbbp") in text
    assert UNKNOWN.format("minimol") in text


def test_the_config_of_a_model_of_ones_own_states_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("defaults: [gin]\nname: mine\nseen: [bbbp]\n")
    monkeypatch.setenv("ROFTBENCH_CONFIG_DIR", str(tmp_path))
    text = render_markdown(computed([*of("mine", "bbbp", 0.9), *of("another", "bbbp", 0.8)]))
    assert marked(text) == ["0.900 (1) ‡‡"]
    assert SEEN.format("mine: bbbp") in text


def test_models_without_a_config_are_named_as_unknown() -> None:
    text = render(by_model(pd.DataFrame(cells(long_table([*of("admet_ai", "bbbp", 0.9), *of("mine", "bbbp", 0.8)])))))
    assert UNKNOWN.format("mine") in text
