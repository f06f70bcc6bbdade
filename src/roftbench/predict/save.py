"""Save a finished experiment as a model for `roftbench predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.descriptors import fingerprints
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.methods.base import Method
from roftbench.methods.estimator import Estimator
from roftbench.predict.calibration import calibrated, calibration_error, cross_calibrated, platt
from roftbench.predict.conformal import COVERAGE, covered, cross_covered, half_widths
from roftbench.predict.evaluation import Evaluation
from roftbench.predict.held_out import HeldOut, joined
from roftbench.predict.model_card import card
from roftbench.predict.saved_model import SavedModel, write_saved
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
    val, test = _held_out(experiment, "val"), _held_out(experiment, "test")
    judged = [] if evaluation is None else evaluation.parts(experiment.dataset)
    used = joined(judged) if judged else val if calibration is None else calibration
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.train]
    train = fingerprints([parse_smiles(text) for text in smiles])
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
        "atoms": [
            int(size) for size in np.percentile(experiment.dataset.sizes[experiment.parts.train], (0, 5, 95, 100))
        ],
        "calibration": {
            "labels": _source(used is val, judged),
            "fits_coefficients": used is val and bool(experiment.method.fits_on_validation),
            **(_cross_calibration(objective.task, judged) if judged else _calibration(objective.task, used, test)),
        },
        "scores": plain(record.scores),
        **({} if evaluation is None else {"evaluation": evaluation.facts()}),
        "count": plain(record.count),
        "warnings": record.warnings,
        "data": {name: value for name, value in plain(record.data).items() if name not in ("dropped", "place")}
        | {"place": _place(experiment, str(record.data.place))},
        "deviation": objective.task == "regression" and _has_deviation(experiment.method),
        "license": experiment.job.dataset.license,
        "env": record.env,
    }
    saved = SavedModel(experiment.store.model_path(experiment.job.key), facts, experiment.weights(), train, used, test)
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


def _held_out(experiment: Experiment, part: str) -> HeldOut:
    index: NDArray[np.int64] = getattr(experiment.parts, part)
    prediction = experiment.predict(experiment.chosen, getattr(experiment.objective, part))
    return HeldOut(experiment.dataset.rows[index], experiment.dataset.y[index], prediction)


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
    found = _calibration(task, joined(parts), joined(parts))
    if task == "regression":
        return {**found, "test_coverage": cross_covered(parts)}
    after = calibration_error(cross_calibrated(parts)) if len(parts) > 1 else [None] * len(found["count"])
    return {**found, "test_error": after}


def _calibration(task: str, used: HeldOut, test: HeldOut) -> dict[str, Any]:
    """Return the parameters of intervals or probabilities and their quality on the test part."""
    count = (~np.isnan(used.y)).sum(axis=0).tolist()
    if task == "regression":
        widths = half_widths(used)
        return {
            "count": count,
            "coverage": COVERAGE,
            "half_width": [None if np.isnan(width) else float(width) for width in widths],
            "test_coverage": covered(test, widths),
        }
    maps = platt(used)
    after = HeldOut(test.rows, test.y, calibrated(test.prediction, maps))
    return {
        "count": count,
        "slope_and_offset": maps.tolist(),
        "test_error_before": calibration_error(test),
        "test_error": calibration_error(after),
    }
