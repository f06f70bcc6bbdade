from pathlib import Path

import pandas as pd
import pytest
from lab import ROOT, Lab
from refusals import raises_usage

import roftbench

SCORES = ROOT / "results" / "gin_masking" / "scores.csv"


def committed() -> pd.DataFrame:
    table = pd.read_csv(ROOT / "results" / "gin_masking" / "leaderboard.csv")
    return table[(table["split"] == "scaffold") & (table["label_ratio"] == "n50") & (table["selected_by"] == "val")]


def test_leaderboard_is_the_committed_one() -> None:
    found = roftbench.records(SCORES).leaderboard(split="scaffold", label_ratio="n50")
    wanted = committed()
    assert len(found) == wanted[["task", "method"]].drop_duplicates().shape[0]
    flat = found.reset_index().set_index(["metric", "method"])
    for row in wanted.to_dict("records"):
        line = flat.loc[(row["metric"], row["method"])]
        assert line[row["dataset"]] == pytest.approx(row["mean"], nan_ok=True)
        assert line["average_rank"] == pytest.approx(row["average_rank"], nan_ok=True)


def test_cells_have_the_columns_of_the_file() -> None:
    found = roftbench.records(SCORES).cells(split=["scaffold"], label_ratio="n50")
    wanted = committed().reset_index(drop=True)
    pd.testing.assert_frame_equal(found[list(wanted.columns)], wanted, check_dtype=False)


def test_score_short_of_seeds_is_missing(lab: Lab) -> None:
    for method, seeds in (("lp", (0, 1)), ("mean", (0,))):
        for seed in seeds:
            lab.done(f"method={method}", f"model={'ecfp' if method == 'mean' else 'tiny_gin'}", f"seed={seed}")
    lab.done("method=lp_ft", "seed=0")
    records = roftbench.records(lab.results)
    board = records.leaderboard(method=["lp", "lp_ft"]).droplevel(["model", "split", "label_ratio", "train", "metric"])
    assert pd.isna(board.loc["lp_ft", "esol"])
    assert board.loc["lp", "esol"] > 0
    assert len(records) == 4
    assert records.jobs()["status"].tolist() == ["done"] * 4
    assert repr(records).startswith(f"<Records of {lab.results}: 4 finished;")
    assert [one.key for one in records] == records.jobs()["key"].tolist()


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with raises_usage(key="sources"):
        roftbench.records(tmp_path / "nowhere")
    with raises_usage(key="sources"):
        roftbench.records(SCORES, tmp_path)
    records = roftbench.records(SCORES)
    with raises_usage(key="splt"):
        records.leaderboard(splt="scaffold")
    with raises_usage(key="method", got="lq"):
        records.leaderboard(method="lq")
    with raises_usage(key="paths.results"):
        records.leaderboard(**{"paths.results": "elsewhere"})
    for key, value in (("select", "test"), ("reference", "lp"), ("delta", "0.1")):
        with raises_usage(key=key):
            records.leaderboard(**{key: value})
