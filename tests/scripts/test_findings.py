"""The paper's claims: gains and their rows by hand, and the page holds what the committed scores give."""

import pandas as pd
import pytest

from scripts.findings import PAGE, filled
from scripts.gains import HEADER, gains, row


def test_page_holds_the_tables_of_the_committed_scores() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page
    with pytest.raises(ValueError, match="0 places for table a"):
        filled("no table")


def test_gains_average_the_columns_of_a_data_set() -> None:
    columns = ["dataset", "split", "method", "metric", "mean"]
    cells = [
        ("esol", "random", "a", "rmse", 0.9),
        ("esol", "random", "b", "rmse", 1.0),
        ("esol", "scaffold", "a", "rmse", 1.5),
        ("esol", "scaffold", "b", "rmse", 1.0),
        ("bace", "random", "a", "roc_auc", 0.84),
        ("bace", "random", "b", "roc_auc", 0.8),
        ("bace", "scaffold", "a", "roc_auc", 0.9),  # without the other one
    ]
    table = pd.DataFrame(cells, columns=columns).assign(label_ratio="n50", model="gin")
    assert gains(table, "method", ["a"], ["b"]).to_dict() == pytest.approx({"esol": (10 - 50) / 2, "bace": 5})


def test_row_tells_apart_six_data_sets_of_one_direction_and_not_five() -> None:
    of = dict(zip(HEADER, row("a over b", "here", pd.Series([1.0, 2, 3, 4, 5, 6])), strict=True))
    assert (of["data sets"], of["ahead on"], of["mean gain, %"], of["p"]) == ("6", "6", "+3.5", "0.031")
    assert of["told apart"] == "better"
    assert of["needed"] == "7"  # (2.8 · 1.871 / 2)², rounded up
    worse = dict(zip(HEADER, row("b over a", "here", -pd.Series([1.0, 2, 3, 4, 5, 6])), strict=True))
    assert (worse["told apart"], worse["mean gain, %"]) == ("worse", "−3.5")
    five = dict(zip(HEADER, row("a over b", "here", pd.Series([1.0, 2, 3, 4, 5])), strict=True))
    assert (five["told apart"], five["p"], five["95 % interval"]) == ("too few", "–", "–")
