"""Comparisons inside each data set: all pairs as a table, and what comparison.md says of them."""

import math
import re

import numpy as np
import pytest
from boards import computed, forests, runs
from folds import SCORES, folds, three
from scipy import stats

from roftbench.report.statistics import inside
from roftbench.report.statistics.contest import Contest
from roftbench.report.statistics.inside import COLUMNS, render_inside, signed, within_frame
from roftbench.store.record_schema import RecordSummary


def contests(records: list[RecordSummary]) -> list[Contest]:
    return computed(records).contests


def rows_of(parts: list[str], first: str) -> list[list[str]]:
    """The rows of the table whose header begins with a cell."""
    [table] = [part for part in parts if part.startswith(f"| {first} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_all_pairs_are_rows_with_the_numbers_of_scipy() -> None:
    frame = within_frame(contests(three()), {"rmse": 0.1})
    assert list(frame.columns) == COLUMNS
    assert frame[["first", "second"]].to_numpy().tolist() == [
        ["LP", "BSS"],
        ["LP", "ROFT-MOL ‡"],
        ["BSS", "ROFT-MOL ‡"],
    ]
    one = frame.iloc[0]
    differences = SCORES[:, 0] - SCORES[:, 1]
    assert (one["model"], one["split"], one["label_ratio"], one["train"]) == ("gin_masking", "cv", "full", "paper")
    assert (one["replicates"], one["n"], one["rows"], one["delta"]) == ("folds", 10, 3, 0.1)
    assert one["difference"] == pytest.approx(differences.mean())
    assert one["first_mean"] - one["second_mean"] == pytest.approx(one["difference"])
    half = stats.t.ppf(0.975, 9) * math.sqrt(differences.var(ddof=1) * (1 / 10 + 0.2 / 0.8))
    assert one["corrected_high"] == pytest.approx(differences.mean() + half)
    error = half / stats.t.ppf(0.975, 9)
    tost = max(stats.t.sf((differences.mean() + 0.1) / error, 9), stats.t.cdf((differences.mean() - 0.1) / error, 9))
    assert one["p_equivalence"] == pytest.approx(tost)
    residual = SCORES - SCORES.mean(axis=1, keepdims=True) - SCORES.mean(axis=0) + SCORES.mean()
    within = math.sqrt((residual**2).sum() / 18 / 10)
    p = stats.studentized_range.sf(abs(one["difference"]) / within, 3, 18)
    assert one["p"] == pytest.approx(p, abs=1e-7)
    assert one["high"] - one["difference"] == pytest.approx(stats.studentized_range.ppf(0.95, 3, 18) * within, rel=1e-6)
    assert frame["first_best"].tolist() == [True, True, True]
    assert frame["second_best"].tolist() == [True, False, False]
    assert frame["verdict"].tolist() == ["not distinguishable", "better", "better"]
    assert within_frame(contests(three()), {})["p_equivalence"].isna().all()


def test_text_compares_the_reference_with_each_row() -> None:
    parts = render_inside(contests([*three(), *three("lipo")]), "roftmol", {"rmse": 0.05})
    assert parts[0] == "## Inside each data set"
    assert rows_of(parts, "Against | Compared") == [["LP", "2", "0", "0", "2"], ["BSS", "2", "0", "0", "2"]]
    assert [row[0] for row in rows_of(parts, "Data set")] == ["esol", "lipo"]
    assert rows_of(parts, "Data set")[0][-1] == "LP, BSS"
    full = [part for part in parts if part.startswith("| Against | Difference")]
    assert len(full) == 2
    assert re.search(r"\| LP \| \+0\.3\d\d \[\+0\.\d+, \+0\.\d+\] .*\| worse \|", full[0])
    assert "| Equal |" in full[0]
    assert any(part.startswith("**esol: ROFT-MOL ‡** (1.") for part in parts)
    assert "| Equal |" not in "".join(render_inside(contests(three()), "roftmol", {}))
    other = render_inside(contests(three()), "bss", {})
    assert any(part.startswith("**esol: BSS**") for part in other)
    missing = render_inside(contests(three()), "surgical_ft", {})  # then the best row is compared
    assert any(part.startswith("**esol: LP**") for part in missing)


def test_many_columns_are_shortened_and_very_many_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "IN_FULL", 1)
    found = contests([*three(), *three("lipo", SCORES[:, [2, 0, 1]])])
    parts = render_inside(found, "roftmol", {"rmse": 0.0})
    [line] = [row for row in rows_of(parts, "Difference to") if row[0] == "LP"]
    assert line == [
        "LP",
        f"{signed((SCORES[:, 2] - SCORES[:, 0]).mean())} worse",
        f"{signed((SCORES[:, 1] - SCORES[:, 2]).mean())} better",
    ]
    monkeypatch.setattr(inside, "IN_SHORT", 1)
    parts = render_inside(found, "roftmol", {})
    assert parts[-1] == "The 2 columns are in `within.csv` only."
    assert len(within_frame(found, {})) == 6
    assert rows_of(parts, "Against | Compared")[0] == ["LP", "2", "1", "0", "1"]


def test_two_seeds_of_a_split_are_not_compared_in_words_and_three_are() -> None:
    pair = [*runs("lp", "esol", [1.0, 1.1, 1.3]), *forests("esol", [0.5, 0.6, 0.65])]
    assert len(within_frame(contests(pair), {})) == 1
    few = [one for one in pair if one.job["seed"] < 2]
    assert render_inside(contests(few), "lp", {}) == []
    assert within_frame(contests(few), {}).empty
    assert "3 seeds" in "".join(render_inside(contests(pair), "lp", {}))


def test_equal_within_delta_is_said_and_a_missing_row_is_named() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (10, 2))
    scores = SCORES[:, :1] + noise
    records = [*folds("lp", scores[:, 0]), *folds("bss", scores[:, 1]), *folds("l2_sp", SCORES[:9, 0])]
    text = "\n".join(render_inside(contests(records), "lp", {"rmse": 0.1}))
    assert "not distinguishable, equal |" in text
    assert "Left out, as seeds, folds or scores are missing: L²-SP (esol)." in text


def test_differences_keep_their_sign_and_digits() -> None:
    assert [signed(value) for value in (0.0, -0.0, 0.01234, -1.5e-7, 12.345)] == [
        *("0", "0", "+0.0123", "-1.5e-07", "+12.3")
    ]
