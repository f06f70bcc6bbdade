"""The comparison as numbers and as Markdown."""

import re

import pandas as pd
from golden import Golden
from score_tables import long_of, of

from roftbench.report.aggregate import cells, long_table
from roftbench.report.statistics.comparison import ALL_MODELS, comparison_frame, render_comparison, sections
from roftbench.report.statistics.paired import MEAN_OF_OTHERS, REFERENCE, compare

DATASETS = ["esol", "lipo", "freesolv", "cep", "malaria", "bace", "bbbp"]
SCORES = {"roftmol": 0.90, "lp": 1.0, "bss": 0.95}


RANKS = "### Ranks of all methods"


def rendered(table: pd.DataFrame, reference: str = REFERENCE) -> str:
    return render_comparison(table, comparison_frame(table, reference), reference)


def example(model: str = "gin", methods: tuple[str, ...] = tuple(SCORES)) -> list[list[dict[str, object]]]:
    """Seven data sets: ROFT-MOL has the lowest RMSE, and the lowest ROC-AUC."""
    return [of(m, d, [SCORES[m] - 0.01 * i] * 2, model=model) for i, d in enumerate(DATASETS) for m in methods]


def table_under(text: str, heading: str) -> dict[str, list[str]]:
    """First cell of each row -> the others, of the Markdown table below a heading."""
    below = text.partition(f"{heading}\n")[2].partition("\n#")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in below.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows[2:]}


def test_sections_are_models_under_one_training_setting_and_all_of_them() -> None:
    table = cells(
        long_of(
            *(example("gin") + example("other") + example("single", methods=("lp",))),
            *(of(m, "esol", [1.0], train={"name": "smoke", "epochs": 3, "loss": "rmse"}) for m in SCORES),
        )
    )
    found = [(section.train, section.model) for section in sections(table)]
    assert found == [("paper", "gin"), ("paper", "other"), ("paper", ALL_MODELS), ("smoke", "gin")]
    [smoke] = [section for section in sections(table) if section.train == "smoke"]
    assert [scope for scope, _ in smoke.scopes()] == ["regression"]
    assert [scope for scope, _ in sections(table)[0].scopes()] == ["all", "regression", "classification"]
    assert set(sections(table)[2].table["model"]) == {"gin", "other"}
    without = table[(table["model"] != "other") | (table["method"] != "roftmol")]
    assert ALL_MODELS not in {section.model for section in sections(without)}
    assert ALL_MODELS in {section.model for section in sections(without, "lp")}


def test_frame_is_compare_for_each_scope_and_unit() -> None:
    table = cells(long_of(*example()))
    frame = comparison_frame(table)
    assert frame.groupby(["train", "model", "scope", "unit"]).size().tolist() == [3] * 6
    some = frame[(frame["scope"] == "regression") & (frame["unit"] == "dataset")]
    expected = compare(table[table["task"] == "regression"], unit="dataset")
    pd.testing.assert_frame_equal(some[list(expected.columns)].reset_index(drop=True), expected)
    assert comparison_frame(cells(long_table([]))).empty


def test_what_is_tested_is_tested_over_data_sets_and_stands_first() -> None:
    """Eight data sets of three blocks: ROFT-MOL has the lower RMSE on six, and the lower ROC-AUC on two."""
    names = [*DATASETS, "qm7"]
    splits = ("a", "b", "c")
    parts = [
        of(m, d, [s + 0.01 * i], split=split)
        for i, d in enumerate(names)
        for split in splits
        for m, s in (("roftmol", 0.5), ("lp", 1.0))
    ]
    table = cells(long_of(*parts))
    frame = comparison_frame(table)
    blocks, datasets = (frame[(frame["unit"] == unit) & (frame["scope"] == "all")] for unit in ("block", "dataset"))
    assert blocks[["n", "wins", "losses", "verdict"]].to_numpy().tolist() == [[24, 18, 6, "descriptive"]]
    assert blocks[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    assert datasets[["n", "wins", "losses", "verdict"]].to_numpy().tolist() == [[8, 6, 2, "not distinguishable"]]
    assert datasets[["low", "high", "p", "p_holm"]].notna().all(axis=None)
    text = rendered(table)
    over_data_sets, _, below, _ = re.split("^### .*$", text, flags=re.MULTILINE)[1:]
    assert "Verdict" in over_data_sets
    assert "Verdict" not in below
    assert "Holm" not in below
    assert "[" not in below


def test_each_data_set_has_its_own_improvement() -> None:
    gains = {"esol": (0.1, -0.02), "lipo": (0.05, 0.05), "bace": (0.2, 0.0)}
    parts = [
        of(m, d, [1 - gain if m == "roftmol" and d != "bace" else 1 + gain if m == "roftmol" else 1.0], split=split)
        for d, both in gains.items()
        for split, gain in zip(("random", "scaffold"), both, strict=True)
        for m in ("roftmol", "lp")
    ]
    text = rendered(cells(long_of(*parts, of("roftmol", "freesolv", [1.0]), of("bss", "freesolv", [2.0]))))
    rows = table_under(text, "### ROFT-MOL against each method, on each data set")
    assert "| Against | bace | esol | freesolv | lipo |" in text
    assert rows["LP"] == ["+10.0 (1/2)", "+4.0 (1/2)", "--", "+5.0 (2/2)"]
    assert rows["BSS"] == ["--", "--", "+50.0 (1/1)", "--"]


def test_markdown_says_what_the_numbers_are() -> None:
    text = rendered(cells(long_of(*example())))
    assert "## gin · paper training" in text
    rows = table_under(text, "### ROFT-MOL against each method, over data sets")
    assert list(rows)[:2] == ["LP", "BSS"]  # the paper's order
    n, wins, improvement, regression, classification, p, holm, verdict = rows["LP"]
    assert (n, wins, verdict) == ("7", "5 / 0 / 2", "not distinguishable")
    shares = [(0.1 / (1 - 0.01 * i), 1 if i < 5 else -1) for i in range(7)]
    assert improvement.startswith(f"{100 * sum(share * sign for share, sign in shares) / 7:+.1f} [")
    assert regression == f"{100 * sum(share for share, _ in shares[:5]) / 5:+.1f}"
    assert classification == f"{-100 * sum(share for share, _ in shares[5:]) / 2:+.1f}"
    assert float(p) > 0.05
    assert float(holm) >= float(p)
    ranks = table_under(text, RANKS)
    assert list(ranks) == ["all", "regression", "classification"]
    assert ranks["regression"][0] == "5"
    assert ranks["regression"][4] == "ROFT-MOL 1.00, BSS 2.00, LP 3.00"


def test_six_data_sets_that_agree_are_not_enough_for_eight_rivals() -> None:
    names = [f"m{i}" for i in range(8)]
    parts = [
        of(m, d, [s]) for d in [*DATASETS[:5], "extra"] for m, s in [("roftmol", 0.5), *((name, 1.0) for name in names)]
    ]
    text = rendered(cells(long_of(*parts)))
    rows = table_under(text, "### ROFT-MOL against each method, over data sets")
    assert rows["m0"][:2] == ["6", "6 / 0 / 0"]
    assert rows["m0"][5:] == ["0.0312", "0.2500", "not distinguishable"]
    assert re.search(r"\b8 rivals .*\b9 data sets .*\b6 here", text)  # 8 · 2 / 2⁹ = 0.03, and 8 · 2 / 2⁸ = 0.06
    assert list(rows.values())[-1][5:] == ["0.0312", "0.0312", "better"]  # the mean of the others


def test_what_cannot_be_compared_is_said(golden: Golden) -> None:
    left_out = [
        *(*example(), of("lp", "toxcast", [0.5, 0.5])),
        *(of("roftmol", "muv", [0.5, 0.5]), of("bss", "muv", [0.5, None]), of("lp", "muv", [0.5])),
    ]
    no_reference = [of(m, d, [s]) for d in DATASETS[:3] for m, s in (("lp", 1.0), ("bss", 0.9), ("l2_sp", 0.8))]
    one_method = [of("lp", "esol", [1.0]), of("lp", "esol", [1.0], model="other")]
    incomplete = [of("roftmol", d, [1.0]) + of("lp", d, [1.0, 1.0]) for d in DATASETS]
    cases = {"left out": left_out, "no reference": no_reference, "one method": one_method, "incomplete": incomplete}
    cases["two methods"] = example(methods=("roftmol", "lp"))
    texts = {name: rendered(cells(long_of(*parts))) for name, parts in cases.items()}
    start = texts["left out"].partition("\n## ")[0]  # the same explanation in all of them
    golden("comparison_cases.md", "\n\n".join(f"({name})\n{text.replace(start, '')}" for name, text in texts.items()))
    assert table_under(texts["no reference"], RANKS)["regression"][4] == "L²-SP 1.00, BSS 2.00, LP 3.00"
    assert "| LP |" not in texts["incomplete"]
    assert MEAN_OF_OTHERS not in texts["two methods"].partition("## gin")[2]


def test_missing_numbers_are_dashes() -> None:
    text = rendered(cells(long_of(*(of(m, "esol", [s]) for m, s in SCORES.items()))))
    row = table_under(text, "### ROFT-MOL against each method, over data sets")["LP"]
    assert row == ["1", "1 / 0 / 0", "+10.0", "+10.0", "--", "--", "--", "too few to test"]
    assert "nan" not in text


def test_intervals_stand_beside_six_observations_and_not_beside_five() -> None:
    for count, brackets in ((5, False), (6, True)):
        text = rendered(cells(long_of(*(of(m, d, [s]) for m, s in SCORES.items() for d in DATASETS[:count]))))
        row = table_under(text, "### ROFT-MOL against each method, over data sets")["LP"]
        assert (row[0], "[" in row[2]) == (str(count), brackets)
