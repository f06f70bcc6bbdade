"""Tables of a paper: what is in which column and row, and that a real LaTeX sets them within the page."""

import re
from itertools import product
from pathlib import Path

import pytest
from boards import board_of, changed, ended, example, forests, part, runs
from lab import NINE, ROOT
from latex import compiled, complaints
from msgspec.structs import replace
from refusals import raises_usage

from roftbench.config.registry import options
from roftbench.report.format import dataset_name, methods
from roftbench.report.query import Request
from roftbench.report.scores import read_scores
from roftbench.report.tables.board import Board
from roftbench.report.tables.bounds import NOTES, NULL_NOTE, SD
from roftbench.report.tables.latex import escape
from roftbench.report.tables.paper import MAX_COLUMNS, paper_tables
from roftbench.report.tables.paper_latex import PaperStyle, write_paper
from roftbench.store.record_schema import LabelStatistics, RecordSummary

PAPERS_TWELVE = ("esol", "lipo", "malaria", "cep", "bbbp", "bace", "clintox", "hiv", "muv", "sider", "tox21", "toxcast")
BASELINES = ("mean", "random_forest", "ridge", "pls", "knn", "gp")
SPREAD = {"regression": LabelStatistics(2.0512, -11.6, 1.58), "classification": LabelStatistics(positives=0.4567)}


def jobs(
    names: tuple[str, ...],
    datasets: tuple[str, ...],
    splits: tuple[str, ...] = ("scaffold",),
    ratios: tuple[str, ...] = ("full",),
    seeds: int = 2,
) -> list[RecordSummary]:
    """Records of every combination; baselines are those on fingerprints."""
    specs, found = options("dataset"), []
    for method, name, split, ratio in product(names, datasets, splits, ratios):
        task, metric = specs[name]["task"], specs[name]["metric"]
        scores = [0.6 + 0.01 * len(method) + 0.05 * seed for seed in range(seeds)]
        like = "esol" if task == "regression" else "bace"
        made = forests(like, scores) if method in BASELINES else runs(method, like, scores)
        for record in made:
            job = {
                "method": {**record.job["method"], "name": method},
                "dataset": {"name": name, "task": task, "metric": metric},
                "split": part("split", split),
                "label_ratio": {"name": ratio, "seed": 42},
            }
            key = f"{method}-{name}-{split}-{ratio}-{record.job['seed']}"
            found.append(replace(changed(record, key, **job), data=replace(record.data, test_labels=SPREAD[task])))
    return found


def header(board: Board) -> list[list[tuple[str, str]]]:
    return [[(column.group, column.sub) for column in table.columns] for table in paper_tables(board)]


def written(board: Board, folder: Path, style: PaperStyle | None = None) -> str:
    return write_paper(board, folder, style or PaperStyle())[0].read_text(encoding="utf-8")


def body(text: str) -> list[str]:
    return [line for line in text.splitlines() if " & " in line]


def header_cells(text: str) -> list[list[str]]:
    lines = [line.removesuffix(" \\\\") for line in body(text) if "\\multicolumn{" in line]
    return [re.sub(r"\\multicolumn\{\d\}\{c\}\{(.*?)\}(?= &|$)", r"\1", line).split(" & ") for line in lines]


def test_deviations_of_different_designs_are_told_apart(tmp_path: Path) -> None:
    seeds = jobs(("lp", "bss"), ("esol",), ("random",), seeds=3)
    cv = {"name": "cv", "target": "c", "params": {"seed": 42, "folds": 3}}
    folds = [
        changed(one, f"{one.key}f", split={**cv, "params": {**cv["params"], "fold": one.job["seed"]}}) for one in seeds
    ]
    text = written(board_of([*seeds, *folds]), tmp_path)
    assert "standard deviation over 3 runs." in text
    assert "cv: $\\pm$ is the standard deviation over 3 folds" in text
    assert "random: $\\pm$ is the standard deviation over training seeds" in text
    again = [changed(one, f"{one.key}s", seed=one.job["seed"] + 7) for one in folds]
    text = written(board_of([*folds, *again]), tmp_path)
    assert "standard deviation over 6 runs." in text
    assert "over 3 folds × 2 seeds of a cross-validation" in text
    assert "standard deviation over 3 folds." in written(board_of(folds), tmp_path)


def test_splits_are_columns_below_their_data_set() -> None:
    board = board_of(jobs(("lp", "bss"), ("esol", "freesolv"), ("random", "scaffold")))
    assert header(board) == [
        [
            *[("ESOL", "random"), ("ESOL", "scaffold"), ("FreeSolv", "random"), ("FreeSolv", "scaffold")],
            *[("Avg. rank", "random"), ("Avg. rank", "scaffold")],
        ]
    ]


def test_numbers_of_labels_are_columns_in_ascending_order(tmp_path: Path) -> None:
    board = board_of(jobs(("lp",), ("esol",), ratios=("full", "r05", "n100", "n50")))
    assert header(board) == [[("ESOL", "n50"), ("ESOL", "n100"), ("ESOL", "r05"), ("ESOL", "full")]]
    text = written(board, tmp_path)
    assert header_cells(text)[-1] == ["Method", "50", "100", "5 \\%", "all"]
    assert "Columns: number of training labels." in text


def test_where_both_vary_there_is_a_table_for_each_number_of_labels(tmp_path: Path) -> None:
    board = board_of(jobs(("lp",), ("esol",), ("random", "scaffold"), ("n50", "full")))
    assert header(board) == [[("ESOL", "random"), ("ESOL", "scaffold")]] * 2
    text = written(board, tmp_path)
    assert "of gin\\_masking, 50 labels: mean" in text
    assert "of gin\\_masking, all labels: mean" in text
    labels = re.findall(r"\\label\{(.*)\}", text)
    assert labels == ["tab:gin-masking-n50-paper-rmse", "tab:gin-masking-full-paper-rmse"]


def test_tasks_share_a_table_where_they_fit_and_metrics_then_have_a_line(tmp_path: Path) -> None:
    board = board_of(jobs(("lp", "bss"), ("esol", "bace")))
    assert header(board) == [[("ESOL", ""), ("Avg. rank", ""), ("BACE", ""), ("Avg. rank", "")]]
    text = written(board, tmp_path)
    assert header_cells(text) == [
        ["", "ESOL", "Avg. rank", "BACE", "Avg. rank"],
        ["Method", "RMSE $\\downarrow$", "", "ROC-AUC $\\uparrow$", ""],
    ]
    assert "Test scores of gin\\_masking, scaffold split, all labels: mean $\\pm$ standard deviation over 2" in text


def test_many_columns_are_divided_by_task_and_then_evenly() -> None:
    board = board_of(jobs(("lp", "bss"), PAPERS_TWELVE, ("random", "scaffold", "size")))
    tables = list(paper_tables(board))
    titles = [list(dict.fromkeys(column.group for column in table.columns)) for table in tables]
    assert titles == [
        ["CEP", "ESOL", "Lipo"],
        ["Malaria", "Avg. rank"],
        ["BACE", "BBBP", "ClinTox"],
        ["HIV", "MUV", "SIDER"],
        ["Tox21", "ToxCast", "Avg. rank"],
    ]
    assert max(len(table.columns) for table in tables) <= MAX_COLUMNS
    assert [table.part for table in tables] == [(i, 5) for i in range(1, 6)]


def test_methods_are_grouped_by_mechanism_and_the_proposed_one_is_last(tmp_path: Path) -> None:
    text = written(board_of(jobs((*methods(), *BASELINES, "my_own"), ("esol",))), tmp_path)
    headings = re.findall(r"\\textit\{(.*?)\}", text)
    assert headings == [
        *("Baselines", "Full fine-tuning", "Weight-based", "Representation-based", "Partial"),
        *("Parameter-efficient", "Ensembles", "Other", "Proposed"),
    ]
    rows = [line.split(" & ")[0] for line in body(text)]
    baselines = ("Random forest", "Ridge", "PLS", "kNN", "Gaussian process", "Mean")
    assert rows[1:9] == [*(f"{name} $\\cdot$ ecfp $^\\dagger$" for name in baselines), "Full FT", "L$^2$-SP"]
    assert escape(NULL_NOTE) in text
    assert escape(NOTES[SD]) in text
    assert rows[-4:] == ["my\\_own", "ROFT-MOL $^\\ddagger$", "SD of test labels", "Range of test labels"]


def test_a_cell_has_the_boards_mark_and_its_count_only_where_counts_differ(tmp_path: Path) -> None:
    board = board_of([*runs("lp", "esol", [1.0, 1.2]), *runs("bss", "esol", [0.9, 0.9])])
    text = written(board, tmp_path)
    assert "LP & \\textbf{1.100}\\,{\\scriptsize$\\pm$0.100} & 2.00 \\\\" in text
    assert "BSS & \\textbf{0.900}\\,{\\scriptsize$\\pm$0.000} & 1.00 \\\\" in text
    assert "(2)" not in text
    assert "over 2 training seeds. Bold: " in text
    other = written(board_of([*runs("lp", "esol", [1.0, 1.2]), *runs("lp", "bace", [0.7])]), tmp_path)
    assert "LP & 1.100\\,{\\scriptsize$\\pm$0.100} (2) & 0.700 (1) \\\\" in other
    assert "over training seeds, whose number is in brackets." in other
    assert "Bold" not in other
    assert "all labels, one training seed." in written(board_of(runs("lp", "esol", [1.0])), tmp_path)


def test_gaps_are_those_of_the_board_and_explained(tmp_path: Path) -> None:
    records = [record for record in example() if record.job["dataset"]["name"] != "bace"]
    text = written(board_of(records, failures=ended(runs("l2_sp", "esol", [0.0, 0.0]))), tmp_path)
    assert re.search(r"^BSS & \\textbf\{0.900\}\S+ & 1/2 & -- ", text, re.MULTILINE)
    assert "3/5: three of five runs are there" in text
    assert "L$^2$-SP" not in text  # nothing but failures


@pytest.mark.parametrize(
    ("style", "rmse", "auc"),
    [
        (PaperStyle(), "1.234", "0.712"),
        (PaperStyle(decimals=1), "1.2", "0.7"),
        (PaperStyle(percent=True), "1.234", "71.2"),
        (PaperStyle(decimals=2, percent=True), "1.23", "71.23"),
    ],
)
def test_decimals_and_percent(tmp_path: Path, style: PaperStyle, rmse: str, auc: str) -> None:
    text = written(board_of([*runs("lp", "esol", [1.234]), *runs("lp", "bace", [0.7123])]), tmp_path, style)
    assert f"LP & {rmse} & {auc} \\\\" in text
    assert ("ROC-AUC (\\%) $\\uparrow$" in text) == style.percent
    assert "RMSE (" not in text


def test_decimals_have_a_range() -> None:
    with raises_usage(key="--decimals", got=7):
        PaperStyle(decimals=7)


def test_every_data_set_has_its_own_spelling() -> None:
    names = [name for name, content in options("dataset").items() if content.get("sources")]
    assert {dataset_name(name).lower() for name in names} == set(names)
    assert dataset_name("clintox (duplicates=merge)") == "ClinTox (duplicates=merge)"
    assert dataset_name("my_table") == "my_table"


@pytest.mark.parametrize("datasets", [2, 6, 12])
@pytest.mark.parametrize("splits", [("scaffold",), ("random", "scaffold", "size")])
def test_latex_sets_every_table_within_the_text(tmp_path: Path, datasets: int, splits: tuple[str, ...]) -> None:
    names = PAPERS_TWELVE[:: 12 // datasets]
    board = board_of(
        jobs((*NINE, *BASELINES), names, splits), "metric=all" if datasets == 2 else "split=" + ",".join(splits)
    )
    _, count = write_paper(board, tmp_path, PaperStyle())
    log = compiled(tmp_path)
    assert complaints(log) == []
    assert len(re.findall(r"\\begin\{table\}", (tmp_path / "paper.tex").read_text())) == count


def test_latex_sets_names_with_special_signs(tmp_path: Path) -> None:
    named = [
        changed(one, f"{one.key}-x", dataset={**one.job["dataset"], "name": "my_{50%}&#$~^\\ <set>"})
        for one in runs("odd_&%", "esol", [1.0])
    ]
    written(board_of(named), tmp_path)
    assert complaints(compiled(tmp_path)) == []


def test_committed_scores_become_tables_of_a_paper(tmp_path: Path) -> None:
    records, failures = read_scores(ROOT / "results" / "gin_masking" / "scores.csv")
    board = Board.create(records, failures, Request(), tmp_path)
    text = written(board, tmp_path)
    assert complaints(compiled(tmp_path)) == []
    cell = board.rows.set_index(["method", "dataset", "split", "label_ratio"]).loc["lp", "freesolv", "random", "n50"]
    [line] = [line for line in body(text.split("\\end{table}")[0]) if line.startswith("LP & ")]
    assert f"{cell['mean']:.3f}\\,{{\\scriptsize$\\pm${cell['std']:.3f}}}" in line.split(" & ")[3]
