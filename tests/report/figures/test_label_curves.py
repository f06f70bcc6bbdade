"""Label-ratio curves, read back from the figure."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import texts_outside
from matplotlib.axes import Axes
from score_tables import long_of, of

from roftbench.report.figures.label_curves import curve_datasets, curve_groups, draw_curves
from roftbench.report.figures.style import appearance
from roftbench.report.format import methods
from roftbench.report.statistics.paired import label_curves

UNITS = {"esol": "log mol/L", "bace": "never shown"}


def curves(*parts: list[dict[str, Any]]) -> pd.DataFrame:
    return label_curves(long_of(*parts))


def three(method: str, dataset: str, means: tuple[float, float, float], **more: Any) -> list[Any]:
    ratios = zip(("n50", "n100", "full"), means, strict=True)
    return [record for ratio, mean in ratios for record in of(method, dataset, [mean - 0.1, mean + 0.1], ratio, **more)]


def lines(axes: Axes) -> dict[str, np.ndarray]:
    """Color -> heights of the points of each errorbar."""
    return {str(bar[0].get_color()): np.asarray(bar[0].get_ydata()) for bar in axes.containers}


def test_a_panel_a_data_set_and_a_line_a_method() -> None:
    rows = curves(
        *(three("lp", "esol", (3.0, 2.0, 1.0)), three("roftmol", "esol", (2.5, 1.5, 0.5))),
        *(three("lp", "bace", (0.5, 0.6, 0.7)), of("lp", "lipo", [1.0])),
    )
    figure = draw_curves(rows, "gin · scaffold split", UNITS)
    esol, bace = figure.axes  # lipo has one number of labels: no curve; regression comes first
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["esol", "bace"]
    assert (esol.get_ylabel(), bace.get_ylabel()) == ("test RMSE ↓ (log mol/L)", "test ROC-AUC ↑")
    assert esol.get_xscale() == "log"
    assert [label.get_text() for label in esol.get_xticklabels()] == ["50", "100", "902"]
    assert lines(esol)[appearance("lp").color] == pytest.approx([3.0, 2.0, 1.0])
    assert lines(esol)[appearance("roftmol").color] == pytest.approx([2.5, 1.5, 0.5])
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["LP", "ROFT-MOL"]
    assert texts_outside(figure) == []
    assert "over seeds, 95 % t interval (of one label subset)" in legend.get_title().get_text()
    for kind, words in (("folds", "mean over folds, 95 % interval corrected for"), ("splits", "mean over splits, ")):
        figure = draw_curves(rows.assign(kind=kind), "gin · scaffold split", UNITS)
        note = figure.legends[0].get_title().get_text()
        assert note.startswith(words)
        assert note not in texts_outside(figure)


def test_bars_are_the_t_intervals_and_points_stay_near_their_labels() -> None:
    rows = curves(three("lp", "esol", (3.0, 2.0, 1.0)), three("bss", "esol", (3.0, 2.0, 1.0)))
    [axes] = draw_curves(rows, "t").axes
    half = 12.706 * 0.1  # t(0.975; 1) · 0.1414 / √2
    for line, _, [bars] in axes.containers:
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        assert ends[0] == pytest.approx([3.0 - half, 3.0 + half], abs=1e-3)
        assert line.get_xdata() == pytest.approx([50, 100, 902], rel=0.05)
    assert len({container[0].get_xdata()[0] for container in axes.containers}) == 2


def test_gaps_are_gaps() -> None:
    """A point short of seeds, an undefined one, and one that was never run: neither drawn nor bridged."""
    rows = curves(
        *(
            three("lp", "bace", (0.5, 0.6, 0.7)),
            three("bss", "bace", (0.5, 0.6, 0.7)),
            of("lp_ft", "bace", [0.5, 0.5], "n50"),
        ),
        *(of("lp_ft", "bace", [0.9], "n100"), of("lp_ft", "bace", [0.6, 0.6])),
        *(
            of("l2_sp", "bace", [0.5, 0.5], "n50"),
            of("l2_sp", "bace", [0.5, None], "n100"),
            of("l2_sp", "bace", [0.7, 0.7]),
        ),
        *(of("wise_ft", "bace", [0.5, 0.5], "n50"), of("wise_ft", "bace", [0.7, 0.7])),
    )
    [axes] = draw_curves(rows, "t").axes
    for method in ("lp_ft", "l2_sp", "wise_ft"):
        heights = lines(axes)[appearance(method).color]
        assert len(heights) == 3
        assert math.isnan(heights[1]), method


def test_without_two_numbers_of_labels_there_is_no_curve() -> None:
    rows = curves(
        of("lp", "esol", [1.0, 1.0]), of("lp", "esol", [1.0, None], "n50"), of("bss", "esol", [1.0, 1.0], "n50")
    )
    assert curve_datasets(rows) == []
    with pytest.raises(ValueError, match="two numbers of labels"):
        draw_curves(rows, "t")


def test_groups_keep_models_splits_and_training_apart_and_lend_them_the_baselines() -> None:
    baseline = three("random_forest", "esol", (1.0, 1.0, 1.0), model="ecfp")
    for record in baseline:
        record.job["train"] = {"name": "none"}
    rows = curves(
        *(three("lp", "esol", (3.0, 2.0, 1.0)), three("lp", "esol", (3.0, 2.0, 1.0), split="size")),
        *(three("lp", "esol", (3.0, 2.0, 1.0), model="other"), baseline, of("lp", "lipo", [1.0], model="other")),
    )
    groups = curve_groups(rows)
    assert [(names["model"], names["split"]) for names, _ in groups] == [
        *(("gin", "scaffold"), ("gin", "size"), ("other", "scaffold"))
    ]
    assert [sorted(group["method"].unique()) for _, group in groups] == [
        ["lp", "random_forest"],
        ["lp"],
        ["lp", "random_forest"],
    ]
    figure = draw_curves(groups[0][1], "t")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["LP", "Random forest · ecfp"]
    assert figure.axes[0].containers[1][0].get_xdata() == pytest.approx([50, 100, 902])


def test_all_labels_are_the_end_of_every_variant() -> None:
    ratios = ("n50", "n50-strict", "n100-strict", "full")
    groups = curve_groups(curves(*(of("lp", "esol", [1.0], labels) for labels in ratios)))
    assert [(names["variant"], group["label_ratio"].tolist()) for names, group in groups] == [
        *(("", ["n50", "full"]), ("strict", ["full", "n50-strict", "n100-strict"]))
    ]
    seeds = [of("lp", "esol", [1.0], label_ratio={"name": "n50", "seed": seed}, labels=f"{seed}") for seed in (0, 1)]
    groups = curve_groups(curves(*seeds, of("lp", "esol", [2.0])))
    assert [names["variant"] for names, _ in groups] == ["seed=0", "seed=1"]
    assert [len(group) for _, group in groups] == [2, 2]
    alone = curve_groups(curves(of("lp", "esol", [2.0])))
    assert [names["variant"] for names, _ in alone] == [""]


def test_nothing_is_cut_off_in_a_small_and_in_a_large_figure() -> None:
    names = [*methods(), "my_quite_long_method"]
    parts = [three(m, d, (2.0, 1.5, 1.0)) for m in names for d in ("esol", "lipo", "freesolv", "cep")]
    rows = curves(*parts)
    assert texts_outside(draw_curves(rows, "a model · scaffold split", UNITS)) == []
    assert texts_outside(draw_curves(rows[rows["dataset"] == "esol"], "a model · scaffold split", UNITS)) == []


def test_numbers_of_labels_close_to_one_another_do_not_overlap() -> None:
    rows = curves(three("lp", "esol", (3.0, 2.0, 1.0)), of("lp", "esol", [1.5, 1.5], "n500"))
    crowded = pd.concat([rows, rows.assign(labels=rows["labels"] + 15)])
    figure = draw_curves(crowded, "t")
    assert texts_outside(figure) == []  # lays out the figure, too
    ticks = figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["65", "115", "515", "917"]
    boxes = [tick.get_window_extent() for tick in ticks]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
