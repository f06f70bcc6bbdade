"""Tables whose rows are models, on records with numbers worked out by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from folds import cross_validated
from made_records import runs
from msgspec.structs import replace
from scipy import stats

from roftbench.report.aggregate import cells, long_table
from roftbench.report.tables.by_model import by_model, render, write_models
from roftbench.store.record_schema import RecordSummary


def of(model: str, dataset: str, labels: str, *scores: float | None) -> list[RecordSummary]:
    ratio = {"name": labels, "fraction": None}
    found = runs("lp", dataset, list(scores), model={"name": model}, label_ratio=ratio)
    return [replace(record, key=f"{record.key}-{model}-{labels}") for record in found]


@pytest.fixture
def frame() -> pd.DataFrame:
    records = [
        *of("scratch", "esol", "n50", 2.0, 2.2), *of("scratch", "esol", "full", 1.5),
        *of("scratch", "bace", "n50", 0.6),
        *of("good", "esol", "n50", 1.0, 1.2), *of("good", "esol", "full", 1.5), *of("good", "bace", "n50", 0.7),
        *of("partial", "esol", "n50", 0.5, 0.5), *of("partial", "bace", "n50", None),
    ]  # fmt: skip
    return by_model(cells(long_table(records)))


def line(frame: pd.DataFrame, model: str) -> dict[str, Any]:
    return {str(key): value for key, value in frame[frame["model"] == model].iloc[0].items()}


def test_rank_is_over_columns_that_all_models_have(frame: pd.DataFrame) -> None:
    """Only esol n50 has a defined score of all three."""
    assert line(frame, "partial")["average_rank"] == 1
    assert line(frame, "good")["average_rank"] == 2
    assert line(frame, "scratch")["average_rank"] == 3


def test_wins_are_against_random_weights_and_a_tie_is_none(frame: pd.DataFrame) -> None:
    good, partial, scratch = (line(frame, model) for model in ("good", "partial", "scratch"))
    assert (good["wins"], good["compared"]) == (2, 3)
    assert (partial["wins"], partial["compared"]) == (1, 1)  # the undefined score is compared with nothing
    assert scratch["compared"] == 0


def test_what_lacks_seeds_is_marked_and_neither_ranked_nor_compared() -> None:
    records = [
        *of("scratch", "esol", "n50", 2.0, 2.2),
        *of("good", "esol", "n50", 1.0, 1.2),
        *of("few", "esol", "n50", 0.1),
    ]
    frame = by_model(cells(long_table(records)))
    few = line(frame, "few")
    assert (few["n"], few["n_expected"], few["compared"]) == (1, 2, 0)
    assert math.isnan(few["rank"])
    lines = [line for line in render(frame).splitlines() if line.startswith("|")]
    assert lines[2:] == [
        "| few | 1/2 | -- | -- |",
        "| good | **1.100 ± 0.100 (2)** | -- | 1/1 |",
        "| scratch | 2.100 ± 0.100 (2) | -- | -- |",
    ]


def test_bold_is_what_cannot_be_told_from_the_best() -> None:
    noise = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
    records = [
        *of("one", "esol", "n50", *(1.0 + noise)),
        *of("other", "esol", "n50", *(1.02 - noise)),
        *of("worse", "esol", "n50", *(2.0 + noise[::-1])),
    ]
    frame = by_model(cells(long_table(records)))
    p = stats.f_oneway(1.0 + noise, 1.02 - noise, 2.0 + noise[::-1]).pvalue
    assert p < 1e-6  # something differs
    assert frame.set_index("model")["best"].to_dict() == {"one": True, "other": True, "worse": False}
    assert render(frame).count("**") == 2 * 2 + 2  # of which one pair is the legend's
    alone = [*of("one", "esol", "n50", 1.0), *of("other", "esol", "n50", 1.0)]
    assert not by_model(cells(long_table(alone)))["best"].any()  # of one seed nothing can be said


def test_a_model_alone_is_neither_marked_nor_ranked() -> None:
    lines = [
        line for line in render(by_model(cells(long_table(of("good", "esol", "n50", 1.0))))).splitlines() if "|" in line
    ]
    assert lines == ["| model | esol n50 (RMSE ↓) |", "| --- | ---: |", "| good | 1.000 (1) |"]


def test_without_random_weights_nothing_is_compared() -> None:
    frame = by_model(cells(long_table([*of("good", "esol", "n50", 1.0), *of("other", "esol", "n50", 2.0)])))
    assert set(frame["compared"]) == {0}
    assert frame["average_rank"].tolist() == [1, 2]


def test_markdown_has_a_row_a_model_and_a_column_a_setting(frame: pd.DataFrame) -> None:
    lines = [line for line in render(frame).splitlines() if line.startswith("|")]
    assert lines[0] == (
        "| model | bace n50 (ROC-AUC ↑) | esol n50 (RMSE ↓) | esol full (RMSE ↓) | rank | beats scratch |"
    )
    assert lines[2] == "| partial | undefined | **0.500 ± 0.000 (2)** | -- | 1.00 | 1/1 |"
    assert lines[3] == "| good | 0.700 (1) | **1.100 ± 0.100 (2)** | 1.500 (1) | 2.00 | 2/3 |"
    assert lines[4] == "| scratch | 0.600 (1) | **2.100 ± 0.100 (2)** | 1.500 (1) | 3.00 | -- |"


def test_files_hold_the_same(frame: pd.DataFrame, tmp_path: Path) -> None:
    assert [path.name for path in write_models(frame, tmp_path)] == ["models.md", "models.csv"]
    assert (tmp_path / "models.md").read_text() == f"# Models\n\n{render(frame)}"
    write_models(frame, tmp_path, ("Scores by X.", "## Provenance"))
    text = f"# Models\n\nScores by X.\n\n{render(frame)}\n## Provenance\n"
    assert (tmp_path / "models.md").read_text() == text
    table = pd.read_csv(tmp_path / "models.csv")
    assert len(table) == len(frame)
    assert math.isclose(table["mean"].sum(), frame["mean"].sum())


def test_baseline_stands_beside_the_models_of_each_method() -> None:
    records = [*of("scratch", "esol", "n50", 2.0), *of("scratch", "esol", "full", 1.5)]
    forest = of("ecfp", "esol", "n50", 1.0)
    for record in forest:
        method = {**record.job["method"], "name": "random_forest"}
        record.job.update({"fingerprint": 1, "train": {"name": "none"}, "method": method})
    frame = by_model(cells(long_table([*records, *forest])))
    row = line(frame, "ecfp · random_forest")
    assert (row["method"], row["label_ratio"], row["rank"], row["wins"], row["compared"]) == ("lp", "n50", 1, 1, 1)
    assert set(frame["method"]) == {"lp"}
    assert by_model(cells(long_table(forest)))["method"].tolist() == ["random_forest"]


def test_a_row_that_is_the_same_in_all_folds_takes_no_part_in_the_test_of_bold() -> None:
    records = [
        *cross_validated(of("good", "bace", "n50", 0.71, 0.69, 0.74, 0.70, 0.72)),
        *cross_validated(of("bad", "bace", "n50", 0.61, 0.60, 0.63, 0.59, 0.63)),
        *cross_validated(of("null", "bace", "n50", 0.5, 0.5, 0.5, 0.5, 0.5)),
    ]
    found = by_model(cells(long_table(records)))
    assert list(found[found["best"]]["model"]) == ["good"]
