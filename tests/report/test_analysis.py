"""The files of the evidence, from long tables of real records' form."""

import io
from pathlib import Path
from xml.etree import ElementTree

import boards
import pandas as pd
import pytest
from boards import computed
from folds import cross_validated, three
from score_tables import long_of, of

from roftbench.report import analysis
from roftbench.report.analysis import write_evidence
from roftbench.report.format import newest
from roftbench.report.tables.layout import Leaderboard

METHODS = {"roftmol": 0.9, "lp": 1.0, "bss": 0.95}


@pytest.fixture(scope="module")
def long() -> pd.DataFrame:
    parts = [
        of(m, d, [s, s + 0.1], labels, split)
        for m, s in METHODS.items()
        for d in ("esol", "bace")
        for split, ratios in (("scaffold", ("n50", "full")), ("random", ("full",)))
        for labels in ratios
    ]
    return long_of(*parts)


def test_everything_that_can_be_made_is_made(long: pd.DataFrame, tmp_path: Path) -> None:
    paths = write_evidence(long, tmp_path / "new")
    figures = ["curves_gin_scaffold", "critical_difference_gin_all"]
    names = [
        "comparison.md",
        "comparison.csv",
        "within.csv",
        *(f"{name}.{form}" for name in figures for form in ("svg", "pdf")),
    ]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    text = paths[0].read_text(encoding="utf-8")
    for name in figures:
        assert f"]({name}.svg)" in text
        assert f"]({name}.pdf)" in text
    for name in ("critical_difference_gin_regression", "critical_difference_gin_classification", "curves_gin_random"):
        assert text.count(f"`{name}`") == 1  # with the reason
    frame = pd.read_csv(paths[1])
    assert set(frame["scope"]) == {"all", "regression", "classification"}
    svg = ElementTree.fromstring((tmp_path / "new" / "curves_gin_scaffold.svg").read_text(encoding="utf-8"))
    assert "test RMSE ↓ (log mol/L)" in "".join(svg.itertext())  # the unit is the data set's own


def test_what_the_scores_are_is_said(long: pd.DataFrame, tmp_path: Path) -> None:
    text = write_evidence(long, tmp_path, figures=False, source=("Scores by X.", "## Provenance"))[0].read_text("utf-8")
    assert text.index("\n\nScores by X.\n\n") < text.index("\n## ")
    assert text.endswith("\n\n## Provenance\n")
    frame = pd.read_csv(tmp_path / "comparison.csv")
    assert dict(zip(frame["scope"], frame["metric"], strict=True)) == {
        "all": "rmse roc_auc",
        "regression": "rmse",
        "classification": "roc_auc",
    }


def test_a_diagram_names_what_it_ranks_over_and_a_metric_that_is_not_the_data_sets_own(tmp_path: Path) -> None:
    own = long_of(*(of(m, d, [s]) for m, s in METHODS.items() for d in ("esol", "lipo")))
    for table, title in (
        (own, "gin · regression · ranks over data sets<"),
        (own.assign(metric="mae"), "ranks over data sets · MAE<"),
    ):
        write_evidence(table, tmp_path)
        assert title in (tmp_path / "critical_difference_gin_regression.svg").read_text(encoding="utf-8")


def test_the_same_records_give_the_same_bytes_in_any_order(long: pd.DataFrame, tmp_path: Path) -> None:
    first = write_evidence(long, tmp_path / "a")
    second = write_evidence(long.sample(frac=1, random_state=5), tmp_path / "b")
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


def test_training_settings_and_variants_have_files_of_their_own(tmp_path: Path) -> None:
    parts = [
        of(m, d, [s], labels, **more)
        for m, s in METHODS.items()
        for d in ("esol", "lipo")
        for labels in ("n50", "n50-strict", "full")
        for more in ({}, {"train__epochs": 30})
    ]
    names = {path.name for path in write_evidence(long_of(*parts), tmp_path) if path.suffix != ".pdf"}
    trains = ("paper_epochs=100", "paper_epochs=30")
    assert names == {
        *("comparison.md", "comparison.csv", "within.csv"),
        *(f"critical_difference_gin_{train}_regression.svg" for train in trains),
        *(f"curves_gin_scaffold_{train}{variant}.svg" for train in trains for variant in ("", "_strict")),
    }


def test_a_single_method_leaves_a_word_and_no_figure(tmp_path: Path) -> None:
    paths = write_evidence(long_of(of("lp", "esol", [1.0])), tmp_path)
    assert [path.name for path in paths] == ["comparison.md", "comparison.csv", "within.csv"]
    assert pd.read_csv(io.StringIO(paths[1].read_text(encoding="utf-8"))).empty


def test_many_figures_are_drawn_only_if_asked_for(
    long: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(analysis, "FEW", 3)  # there are four
    files = ["comparison.md", "comparison.csv", "within.csv"]
    assert [path.name for path in write_evidence(long, tmp_path)] == files
    [said] = caplog.messages
    assert said.startswith("about 4 figures ")
    assert len(write_evidence(long, tmp_path, figures=True)) == 3 + 2 * 2  # of two there are too few data sets
    assert [path.name for path in write_evidence(long, tmp_path, figures=False)] == files
    monkeypatch.setattr(analysis, "FEW", 4)
    assert len(write_evidence(long, tmp_path)) == 3 + 2 * 2
    assert len(caplog.messages) == 1


def test_figures_from_before_that_are_not_drawn_now_are_removed(long: pd.DataFrame, tmp_path: Path) -> None:
    names = {path.name for path in write_evidence(long, tmp_path)}
    kept = {"curves.svg", "curves_of_mine.txt", "mine.svg"}
    for name in ("curves_other_size.svg", "curves_other_size.pdf", "critical_difference_other_all.svg", *kept):
        (tmp_path / name).touch()
    write_evidence(long, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names | kept
    write_evidence(long[long["split"] == "random"], tmp_path, figures=False)
    assert {path.name for path in tmp_path.iterdir()} == names | kept
    write_evidence(long[long["split"] == "random"], tmp_path)
    left = {path.name for path in tmp_path.iterdir()} - kept
    assert left == {name for name in names if name.startswith(("comparison", "within")) or "_all" in name}


def test_a_failure_leaves_no_partial_file(long: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "curves_gin_scaffold.pdf").mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=r"curves_gin_scaffold\.pdf"):
        write_evidence(long, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"curves_gin_scaffold.svg", "curves_gin_scaffold.pdf"}


def test_of_several_protocols_of_the_reference_the_newest_is_compared(tmp_path: Path) -> None:
    """Records of before and after a change of ROFT-MOL in one folder: none of them has its plain name."""
    methods = {"roftmol (protocol=3)": 0.9, "roftmol (protocol=4)": 0.8, "lp": 1.0}
    parts = [of(method, name, [score]) for name in ("esol", "lipo") for method, score in methods.items()]
    write_evidence(long_of(*parts), tmp_path, figures=False)
    text = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert text.startswith("# ROFT-MOL (protocol=4) and the other methods")
    assert "| ROFT-MOL (protocol=3) | 2 | 2 / 0 / 0 |" in text
    assert newest("roftmol", ["lp", "roftmol"]) == newest("roftmol", ["roftmol (code=1)"]) == "roftmol"


def test_figures_of_folds_are_drawn_and_those_of_seeds_only_if_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    board = computed(three())
    names = [f"{kind}_gin_masking_cv_full_esol.{form}" for kind in ("pairs", "intervals") for form in ("svg", "pdf")]
    files = ["comparison.md", "comparison.csv", "within.csv"]

    def written(found: Leaderboard, figures: bool | None = None) -> list[str]:
        paths = write_evidence(found.board.long, tmp_path, contests=found.contests, figures=figures)
        return [path.name for path in paths]

    assert written(board) == [*files, *names]
    assert f"]({names[0]})" in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert len(pd.read_csv(tmp_path / "within.csv")) == 3
    monkeypatch.setattr(analysis, "FEW", 1)
    assert written(board) == files
    [said] = caplog.messages
    assert said.startswith("2 figures ")
    monkeypatch.undo()
    seeds = computed([*boards.runs("lp", "esol", [1.0, 1.1, 1.3]), *boards.runs("bss", "esol", [1.2, 1.1, 1.4])])
    assert written(seeds) == files
    assert written(seeds, True)[3].startswith("pairs_gin_masking_scaffold_full_esol")


def test_ranks_instead_of_intervals_are_a_reason_and_a_baseline_is_a_reference_inside_data_sets(tmp_path: Path) -> None:
    records = [*three(), *cross_validated(boards.forests("esol", [0.5 + 1e-5 * fold for fold in range(10)]))]
    found = computed(records, "reference=random_forest")
    write_evidence(found.board.long, tmp_path, found.board.reference, contests=found.contests)
    text = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert "`intervals_gin_masking_cv_full_esol`" in text
    assert "**esol: Random forest · ecfp †** (0.500) " in text
