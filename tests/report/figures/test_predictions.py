"""What figures of predictions draw, against scikit-learn, `predict` and hand computation."""

import re

import numpy as np
import pytest
from drawn import svg, texts_outside
from matplotlib.patches import Rectangle
from sklearn import metrics

from roftbench.predict.calibration import calibration_error
from roftbench.predict.held_out import HeldOut
from roftbench.report.figures import panels as shared
from roftbench.report.figures.classification import draw_calibration, draw_roc_pr, reliability
from roftbench.report.figures.panels import JobPoints, Panel
from roftbench.report.figures.parity import draw_parity
from roftbench.report.figures.similarity_error import EDGES, bands, draw_similarity_error

NUMBER = re.compile(r"−?[\d.]+")


def job(seed: int, *, classes: bool, count: int = 200) -> JobPoints:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=count)
    y = (signal > 0).astype(float) if classes else signal
    noisy = signal + rng.normal(size=count)
    prediction = 1 / (1 + np.exp(-noisy)) if classes else noisy
    return JobPoints(np.arange(count), y, prediction, rng.uniform(0.1, 1.0, count))


def panel(*, classes: bool, jobs: int = 2, method: str = "lp") -> Panel:
    found = tuple(job(seed, classes=classes) for seed in range(jobs))
    return Panel(f"{method} · gin", method, found)


def test_parity_draws_each_point_and_its_residual_on_equal_scales() -> None:
    one = panel(classes=False)
    figure = draw_parity([one], "title", "logS", "log mol/L")
    above, below = figure.axes
    points, residuals = above.lines[1].get_xydata(), below.lines[1].get_xydata()
    y, prediction = (np.concatenate([getattr(each, name) for each in one.jobs]) for name in ("y", "prediction"))
    assert points == pytest.approx(np.stack([y, prediction], axis=1))
    assert residuals[:, 1] == pytest.approx(prediction - y)
    assert above.get_xlim() == above.get_ylim()
    assert above.get_xlim()[0] < min(y.min(), prediction.min())
    low, high = below.get_ylim()
    assert low == -high
    rmse = [metrics.root_mean_squared_error(each.y, each.prediction) for each in one.jobs]
    r2 = [metrics.r2_score(each.y, each.prediction) for each in one.jobs]
    first, second, third = above.get_title(loc="left").split("\n")
    assert first == "lp · gin"
    assert second == f"RMSE {np.mean(rmse):.3f} ± {np.std(rmse):.3f}, R² {np.mean(r2):.3f} ± {np.std(r2):.3f}"
    assert third == "400 predictions of 200 molecules, 2 jobs"
    assert (above.get_ylabel(), below.get_xlabel()) == ("predicted (log mol/L)", "measured (log mol/L)")


def test_without_unit_the_axes_name_the_target() -> None:
    figure = draw_parity([panel(classes=False, jobs=1)], "title", "measured log solubility in mols per litre")
    assert figure.axes[1].get_xlabel() == "measured measured log solubility…"
    assert " ± " not in figure.axes[0].get_title(loc="left")


def test_bands_are_means_and_counts_and_an_edge_belongs_to_the_band_above() -> None:
    found = bands(np.array([0.0, 0.1, 0.2, 0.95, 1.0]), np.array([1.0, 3.0, 5.0, 2.0, 4.0]))
    assert found.total.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 2]
    assert found.mean[[0, 1, 8]].tolist() == [2.0, 5.0, 3.0]
    assert np.isnan(found.mean[2:8]).all()
    assert len(EDGES) == len(found.total) + 1


def test_error_is_drawn_where_the_similarity_is_known() -> None:
    one = panel(classes=False, jobs=1)
    similarity = one.jobs[0].similarity.copy()
    similarity[50:] = np.nan
    some = Panel(
        one.title, one.method, (JobPoints(one.jobs[0].row, one.jobs[0].y, one.jobs[0].prediction, similarity),)
    )
    [axes] = draw_similarity_error([some], "title", "|error|").axes
    points = axes.lines[0].get_xydata()
    expected = np.abs(one.jobs[0].prediction - one.jobs[0].y)[:50]
    assert points == pytest.approx(np.stack([similarity[:50], expected], axis=1))
    assert sum(int(text.get_text()) for text in axes.texts) == 50
    assert axes.get_ylim()[0] == 0


def test_curves_have_the_areas_of_scikit_learn() -> None:
    one = panel(classes=True, jobs=1)
    figure = draw_roc_pr([one], "title")
    assert figure is not None
    roc, pr = figure.axes
    y, prediction = one.jobs[0].y, one.jobs[0].prediction
    x, mean = roc.lines[0].get_data()
    assert metrics.auc(x, mean) == pytest.approx(metrics.roc_auc_score(y, prediction), abs=0.005)
    x, mean = pr.lines[0].get_data()
    assert np.mean(mean) == pytest.approx(metrics.average_precision_score(y, prediction), abs=0.01)
    assert mean[-1] == pytest.approx(y.mean(), abs=0.05)
    assert pr.lines[1].get_ydata()[0] == y.mean()  # class balance
    text = [label.get_text() for label in roc.get_legend().get_texts()]
    assert text == [f"lp · gin\nROC-AUC {metrics.roc_auc_score(y, prediction):.3f}", "chance"]


def test_each_job_has_a_thin_curve_beside_the_mean() -> None:
    figure = draw_roc_pr([panel(classes=True, jobs=3)], "title")
    assert figure is not None
    lines = [line.get_ydata() for line in figure.axes[0].lines]
    assert len(lines) == 3 + 1 + 1
    assert lines[3] == pytest.approx(np.mean(lines[:3], axis=0))


def test_one_class_alone_has_no_curve() -> None:
    alone = JobPoints(np.arange(3), np.ones(3), np.array([0.1, 0.5, 0.9]), np.full(3, np.nan))
    assert draw_roc_pr([Panel("lp", "lp", (alone,))], "title") is None


def test_calibration_error_is_that_of_saved_models() -> None:
    one = job(0, classes=True)
    found = reliability(one.y, one.prediction)
    held_out = HeldOut(one.row, one.y[:, None], one.prediction[:, None])
    assert [found.error] == pytest.approx(calibration_error(held_out), abs=1e-12)
    inside = (one.prediction >= 0.3) & (one.prediction < 0.4)
    assert found.total[3] == inside.sum()
    assert found.predicted[3] == pytest.approx(one.prediction[inside].mean())
    assert found.observed[3] == pytest.approx(one.y[inside].mean())


def test_reliability_curve_and_counts_are_drawn() -> None:
    one = panel(classes=True)
    above, below = draw_calibration([one], "title", "active").axes
    y, prediction = (np.concatenate([getattr(each, name) for each in one.jobs]) for name in ("y", "prediction"))
    found = reliability(y, prediction)
    assert above.lines[1].get_xydata() == pytest.approx(np.stack([found.predicted, found.observed], axis=1))
    heights = [bar.get_bbox().height for bar in below.findobj(Rectangle) if bar in below.patches]
    assert heights == found.total.tolist()
    brier = [metrics.brier_score_loss(each.y, each.prediction) for each in one.jobs]
    line = above.get_title(loc="left").split("\n")[1]
    assert line == f"Brier {np.mean(brier):.3f} ± {np.std(brier):.3f}, ECE {found.error:.3f}"


def test_more_points_than_most_are_sampled_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MOST", 100)
    one = panel(classes=False)
    assert len(one.points.y) == 100
    assert one.count() == "400 predictions of 200 molecules, 2 jobs; a random 100 are drawn"
    pairs = {pair for each in one.jobs for pair in zip(each.y, each.prediction, strict=True)}
    assert set(zip(one.points.y, one.points.prediction, strict=True)) < pairs


def test_many_points_are_a_picture_so_that_the_file_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    few = svg(draw_parity([panel(classes=False)], "title", "y"))
    monkeypatch.setattr(shared, "VECTORS", 10)
    many = svg(draw_parity([panel(classes=False)], "title", "y"))
    assert "<image" in many
    assert "<image" not in few


@pytest.mark.parametrize("count", [1, 3])
def test_no_text_is_cut_off_and_equal_data_give_equal_bytes(count: int) -> None:
    title = "Predicted against measured · a_rather_long_name_of_a_table · random_scaffold split · n100"
    numbers, classes = ([panel(classes=kind, method=name) for name in ("lp", "roftmol", "bss")[:count]]
                        for kind in (False, True))  # fmt: skip
    for draw in (
        lambda: draw_parity(numbers, title, "logS"),
        lambda: draw_similarity_error(numbers, title, "|predicted − measured| logS"),
        lambda: draw_roc_pr(classes, title),
        lambda: draw_calibration(classes, title, "active"),
    ):
        cut_off = [text for text in texts_outside(draw()) if not NUMBER.fullmatch(text)]  # ticks that are not drawn
        assert cut_off == []
        assert svg(draw()) == svg(draw())
