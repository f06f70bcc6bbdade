"""Jobs of the report's page: scores, settings and learning curves."""

from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from roftbench.metrics import METRICS
from roftbench.report.cell_key import canonical_json
from roftbench.store.record_schema import CandidateResult, GraphCount, LabelCount, Record, RecordSummary, Scores

POINTS = 40  # largest number of epochs in a learning curve
BUDGET = 300_000  # largest number of points in one page, about 14 bytes each
FEWEST = 6  # curves with fewer points are omitted
_Curve = list[Any]
_FINISH = "interpolation"  # stage name of coefficients that are learned after the stages


class Interned:
    """Values that many rows share, stored once in the order of first use and referred to by index."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._indices: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the index of a value; 1 and 1.0 are equal."""
        index = self._indices.setdefault(canonical_json(value), len(self.values))
        if index == len(self.values):
            self.values.append(value)
        return index


def short(value: float | None, digits: int = 6) -> float | None:
    """Return a number with so many significant digits; None for None and NaN."""
    return None if value is None or value != value else float(f"{value:.{digits}g}")


def job_row(
    record: RecordSummary, whole: Record | None, metrics: list[str], shared: dict[str, Interned]
) -> dict[str, Any]:
    """Return the row of a finished job.

    `whole`: the record with its bulk; None where only a table of scores is there, or the file was removed meanwhile.
    `metrics`: the names of its task's metrics, in whose order scores are listed. `shared` ("params", "envs", "data",
    "warnings") collects values that rows have in common; the row holds their indices. Its curves are
    [stage, epochs, losses, val scores] with at most POINTS epochs.
    """

    def listed(scores: Scores) -> list[float | None]:
        return [short(scores.get(name)) for name in metrics]

    def place(params: dict[str, Any]) -> int:
        return shared["params"].place(params_of(record, params))

    base = whole and whole.base
    details = whole.details if whole else {}
    return {
        "key": record.key,
        "seed": record.job["seed"],
        "candidates": [
            [place(one.params), one.best_epoch, listed(one.val), listed(one.test)] for one in record.candidates
        ],
        "chosen": place(whole.chosen if whole else _best(record).params),
        "train": listed(record.scores.train if record.scores else {}),
        "base": base and [base.method, base.best_epoch, listed(base.val), listed(base.test)],
        "seconds": {name: short(value, 4) for name, value in record.seconds.items()},
        "memory": short(record.peak_memory_mb, 4),
        "warnings": [shared["warnings"].place(text) for text in (whole.warnings if whole else ())],
        "env": shared["envs"].place(record.env),
        "data": shared["data"].place(data_of(record)),
        "details": rounded({key: value for key, value in details.items() if key not in ("history", "best_epoch")}),
        "curves": [_curve(*stage, whole.best_epoch) for stage in _stages(whole)] if whole else [],
    }


def fit_curves(rows: list[dict[str, Any]], epochs: Interned, budget: int = BUDGET) -> int:
    """Thin the curves of rows in place to the budget of a page; returns the number of epochs per stage.

    It is 0 below FEWEST. A curve's epochs are replaced by their index in `epochs`.
    """
    points = min(POINTS, budget // max(1, sum(len(row["curves"]) for row in rows)))
    points = points if points >= FEWEST else 0
    for row in rows:
        row["curves"] = [_fitted(curve, epochs, points, _best_epoch(row)) for curve in row["curves"] if points]
    return points


def params_of(record: RecordSummary, candidate: dict[str, Any]) -> dict[str, Any]:
    """Return all hyperparameters of a candidate, those of the grid and the fixed ones."""
    return {**record.job["method"]["params"], **candidate}


def data_of(record: RecordSummary) -> dict[str, Any]:
    """Return the origin and hashes of a job's data, and how many molecules and labels it used."""
    data = record.data
    return {
        "sha256": data.sha256 or record.job["dataset"].get("sha256"),
        "place": data.place and _without_folders(data.place),
        **{key: getattr(data, key) for key in ("rows", "kept", "split_sha256", "parts_sha256")},
        "dropped": len(data.dropped),
        "count": {"graphs": _recorded(record.count.graphs), "labels": _recorded(record.count.labels)},
    }


def _recorded(counts: GraphCount | LabelCount) -> dict[str, int]:
    return {name: value for name, value in asdict(counts).items() if value is not None}


def _best(record: RecordSummary) -> CandidateResult:
    """Return the candidate with the best validation score; the first of equal ones, as a job chooses it."""
    metric = METRICS[record.metric]
    best = record.candidates[0]
    for one in record.candidates[1:]:
        if metric.better(one.val.get(metric.name), best.val.get(metric.name)):
            best = one
    return best


def _without_folders(place: str) -> str:
    """Return only the file name of a local path: pages may be published, and folders identify person and machine."""
    return place if place.startswith(("http://", "https://", "package:")) else Path(place).name


def _stages(record: Record) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the epochs of each stage of the chosen candidate, in order, as plain values."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for epoch in record.history:
        stages.setdefault(epoch.stage, []).append(asdict(epoch))
    if learned := record.details.get("history"):
        stages[_FINISH] = learned
    return list(stages.items())


def _curve(stage: str, history: list[dict[str, Any]], best: int | None) -> _Curve:
    """Return a stage with its epochs, and the training loss and validation score at each."""
    kept = [history[i] for i in _thinned([one["epoch"] for one in history], best, POINTS)]
    losses = [short(one.get("train_loss", one.get("val_loss")), 4) for one in kept]
    return [stage, [one["epoch"] for one in kept], losses, [short(one.get("val_score"), 4) for one in kept]]


def _best_epoch(row: dict[str, Any]) -> int | None:
    return next((epoch for place, epoch, *_ in row["candidates"] if place == row["chosen"]), None)


def _fitted(curve: _Curve, shared: Interned, points: int, best: int | None) -> _Curve:
    stage, epochs, losses, scores = curve
    kept = _thinned(epochs, best, points)
    return [stage, shared.place([epochs[i] for i in kept]), [losses[i] for i in kept], [scores[i] for i in kept]]


def _thinned(epochs: list[int], best: int | None, points: int) -> list[int]:
    """Return at most `points` indices, evenly spread, including those of the first, best and last epoch."""
    if len(epochs) <= points:
        return list(range(len(epochs)))
    even = {round(i * (len(epochs) - 1) / (points - 2)) for i in range(points - 1)}
    return sorted(even | {place for place, epoch in enumerate(epochs) if epoch == best})


def rounded(value: Any) -> Any:
    """Return plain values with `short` applied to every float."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return short(value) if isinstance(value, float) else value
