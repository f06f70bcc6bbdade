"""Save a finished experiment as a model for `roftbench predict`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.similarity import Packed
from roftbench.methods.base import Method
from roftbench.methods.estimator import Estimator
from roftbench.predict.calibration import calibrated, calibration_error, cross_calibrated, log_losses, platt
from roftbench.predict.conformal import COVERAGE, Intervals, covered, cross_widths
from roftbench.predict.domain import Domain
from roftbench.predict.evaluation import Evaluation
from roftbench.predict.held_out import HeldOut, Matrix, joined
from roftbench.predict.model_card import card
from roftbench.predict.neighbors import among, packed_bits
from roftbench.predict.reliability import interval_quality
from roftbench.predict.saved_model import SavedModel, write_saved
from roftbench.predict.training_set import TrainingSet, learned_from, training_set
from roftbench.runner.experiment import Experiment
from roftbench.store.record_schema import Record, plain


def save(
    experiment: Experiment,
    record: Record,
    calibration: HeldOut | None = None,
    evaluation: Evaluation | None = None,
) -> Path:
    """Write the model of a finished experiment to `<results>/models/<key>` and return that folder.

    Args:
        experiment: The experiment, with its stages fitted.
        record: Its record.
        calibration: Held-out labels for intervals and probabilities in place of the validation part, such as
            out-of-fold predictions of jobs with the same settings.
        evaluation: The fits that judged the configuration of a refit, which has no test part; intervals and
            probabilities then come from their test parts.

    Raises:
        OSError: The folder cannot be written.
    """
    training = training_set(experiment)
    learned = learned_from(experiment)
    train = packed_bits([experiment.dataset.smiles[i] for i in learned])
    val, test = (_held_out(experiment, part, train, training) for part in ("val", "test"))
    dataset, inside = experiment.dataset, np.concatenate([experiment.whole.train, experiment.whole.val])
    judged = [] if evaluation is None else evaluation.parts(dataset, dataset.rows[inside])
    used = joined(judged) if judged else val if calibration is None else calibration
    objective = experiment.objective
    facts = {
        "key": experiment.job.key,
        "job": experiment.job.identity(),
        "kind": experiment.job.kind,
        "plugins": list(experiment.context.plugins),
        "targets": experiment.dataset.targets,
        "task": objective.task,
        "metric": objective.metric.name,
        "units": experiment.job.dataset.units,
        "offset": objective.offset.tolist(),
        "scale": objective.scale.tolist(),
        "method": record.chosen,
        **({"extended": True} if _extends(experiment.method) else {}),
        **({} if (count := len(getattr(experiment.chosen, "others", ()))) == 0 else {"members": count + 1}),
        "labels": _labels(experiment),
        "atoms": [int(size) for size in np.percentile(experiment.dataset.sizes[learned], (0, 5, 95, 100))],
        "calibration": {
            "labels": _source(used is val, judged),
            "fits_coefficients": used is val and bool(experiment.method.fits_on_validation),
            **(_cross_calibration(objective.task, judged) if judged else _calibration(objective.task, used, test)),
        },
        "domain": Domain.of(used.similarity, train).plain(),
        "training": training.facts(),
        "scores": plain(record.scores),
        **(
            {}
            if evaluation is None
            else {"evaluation": evaluation.facts(int(dataset.labeled.sum() - dataset.labeled[inside].sum()))}
        ),
        "count": plain(record.count),
        "warnings": record.warnings,
        "data": {name: value for name, value in plain(record.data).items() if name not in ("dropped", "place")}
        | {"place": _place(experiment, str(record.data.place))},
        "deviation": objective.task == "regression" and _has_deviation(experiment.method),
        "license": experiment.job.dataset.license,
        "env": record.env,
    }
    folder = experiment.store.model_path(experiment.job.key)
    saved = SavedModel(folder, facts, experiment.weights(), train, used, test, training=training)
    write_saved(saved, card(saved))
    return saved.folder


def _extends(method: Any) -> bool:
    return isinstance(method, Method) and method.overrides("extend")


def _has_deviation(method: Any) -> bool:
    return isinstance(method, Estimator) and method.has_deviation()


def _source(of_model: bool, judged: Sequence[HeldOut]) -> str:
    """Return which labels intervals and probabilities are based on, in words for the card."""
    return "validation part" if of_model else "test part of the other fit" if len(judged) == 1 else "folds"


def _place(experiment: Experiment, place: str) -> str:
    """Return where the table came from; only the name of a user's own file, as the model may be passed on."""
    return place if experiment.job.dataset.path is None else Path(place).name


def _held_out(experiment: Experiment, part: str, train: Packed, training: TrainingSet) -> HeldOut:
    """Return a part of the data set with its predictions, beside the training molecules."""
    index: NDArray[np.int64] = getattr(experiment.parts, part)
    prediction = experiment.predict(experiment.chosen, getattr(experiment.objective, part))
    found = HeldOut(experiment.dataset.rows[index], experiment.dataset.y[index], prediction)
    y = training.y if experiment.objective.task == "regression" else None
    return among(found, packed_bits([experiment.dataset.smiles[i] for i in index]), train, y)


def _labels(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the number of training labels of each task and their distribution."""
    found = []
    for name, column in zip(experiment.dataset.targets, experiment.dataset.y[experiment.parts.train].T, strict=True):
        y = column[~np.isnan(column)]
        one: dict[str, Any] = {"task": name, "labels": len(y)}
        if experiment.objective.task == "classification":
            one["positives"] = int((y == 1).sum())
        elif len(y):
            one |= {"mean": float(y.mean()), "std": float(y.std()), "min": float(y.min()), "max": float(y.max())}
        found.append(one)
    return found


def _cross_calibration(task: str, parts: Sequence[HeldOut]) -> dict[str, Any]:
    """Return the parameters from all parts, and the quality on each part of those from the other parts."""
    whole = joined(parts)
    if task == "regression":
        return {**_interval_parameters(whole, Intervals.of(whole)), **_interval_quality(*cross_widths(parts))}
    after = cross_calibrated(parts) if len(parts) > 1 else None
    return {**_class_parameters(whole, platt(whole)), **_class_quality(whole, after)}


def _calibration(task: str, used: HeldOut, test: HeldOut) -> dict[str, Any]:
    """Return the parameters of intervals or probabilities and their quality on the test part."""
    if task == "regression":
        intervals = Intervals.of(used)
        widths = intervals.half_widths(test.prediction, test.around)
        return {**_interval_parameters(used, intervals), **_interval_quality(test, widths)}
    maps = platt(used)
    after = replace(test, prediction=calibrated(test.prediction, maps))
    return {**_class_parameters(used, maps), **_class_quality(test, after)}


def _interval_parameters(used: HeldOut, intervals: Intervals) -> dict[str, Any]:
    return {
        "count": used.labels.tolist(),
        "coverage": COVERAGE,
        "half_width": [None if np.isnan(width) else float(width) for width in intervals.constant],
        "intervals": intervals.plain(),
    }


def _interval_quality(held_out: HeldOut, widths: Matrix) -> dict[str, Any]:
    return {"test_coverage": covered(held_out, widths), "test": interval_quality(held_out, widths)}


def _class_parameters(used: HeldOut, maps: Matrix) -> dict[str, Any]:
    return {"count": used.labels.tolist(), "slope_and_offset": maps.tolist()}


def _class_quality(before: HeldOut, after: HeldOut | None) -> dict[str, Any]:
    """Return calibration error and negative log likelihood before and after; None without others to calibrate by."""
    unknown = [None] * before.y.shape[1]
    return {
        "test_error_before": calibration_error(before),
        "test_error": unknown if after is None else calibration_error(after),
        "test_nll_before": log_losses(before),
        "test_nll": unknown if after is None else log_losses(after),
    }
