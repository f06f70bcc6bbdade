"""The jobs behind the cells of the report's page: scores, what decided them, and their learning curves."""

from pathlib import Path
from typing import Any

from roftbench.metrics import METRICS
from roftbench.report.aggregate import canonical_json
from roftbench.store.results import Record

POINTS = 40  # epochs of a learning curve that are kept, at most
BUDGET = 300_000  # such points in one page, about 14 bytes each
FEWEST = 6  # with fewer points a curve says nothing: then none is kept
_Curve = list[Any]
_FINISH = "interpolation"  # what a method learns after its stages


class Interned:
    """Values that many rows share: each is kept once, in the order of first use, and named by its place."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return where a value is, 1 and 1.0 being equal."""
        place = self._places.setdefault(canonical_json(value), len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place


def short(value: float | None, digits: int = 6) -> float | None:
    """Return a number with so many significant digits; None for None and NaN."""
    return None if value is None or value != value else float(f"{value:.{digits}g}")


def job_row(record: Record, metrics: list[str], shared: dict[str, Interned]) -> dict[str, Any]:
    """Return the row of a finished job.

    `metrics`: the names of its task's metrics, in whose order scores are listed. `shared` ("params", "envs", "data",
    "warnings") takes in what rows have in common; the row holds places in it. Its curves are
    [stage, epochs, losses, val scores] with at most POINTS epochs.
    """

    def listed(scores: dict[str, float | None] | None) -> list[float | None]:
        return [short((scores or {}).get(name)) for name in metrics]

    def place(params: dict[str, Any]) -> int:
        return shared["params"].place(params_of(record, params))

    base = record.get("base")
    details = {key: value for key, value in record.get("details", {}).items() if key not in ("history", "best_epoch")}
    return {
        "key": record["key"],
        "seed": record["job"]["seed"],
        "candidates": [
            [place(one["params"]), one.get("best_epoch"), listed(one["val"]), listed(one["test"])]
            for one in record["candidates"]
        ],
        "chosen": place(record["chosen"] if "chosen" in record else _best(record)["params"]),
        "train": listed(record.get("scores", {}).get("train")),
        "base": base and [base["method"], base["best_epoch"], listed(base["val"]), listed(base["test"])],
        "seconds": {name: short(value, 4) for name, value in record.get("seconds", {}).items()},
        "memory": short(record.get("peak_memory_mb"), 4),
        "warnings": [shared["warnings"].place(text) for text in record.get("warnings", ())],
        "env": shared["envs"].place(record.get("env", {})),
        "data": shared["data"].place(data_of(record)),
        "details": _rounded(details),
        "curves": [_curve(*stage, record.get("best_epoch")) for stage in _stages(record)],
    }


def fit_curves(rows: list[dict[str, Any]], epochs: Interned, budget: int = BUDGET) -> int:
    """Thin the curves of rows, in place, until the page can hold them; returns how many epochs of a stage are left.

    None are left where too few would be to show anything. A curve's epochs become their place in `epochs`.
    """
    points = min(POINTS, budget // max(1, sum(len(row["curves"]) for row in rows)))
    points = points if points >= FEWEST else 0
    for row in rows:
        row["curves"] = [_fitted(curve, epochs, points, _best_epoch(row)) for curve in row["curves"] if points]
    return points


def params_of(record: Record, candidate: dict[str, Any]) -> dict[str, Any]:
    """Return all hyperparameters of a candidate, those of the grid and the fixed ones."""
    return {**record["job"]["method"]["params"], **candidate}


def data_of(record: Record) -> dict[str, Any]:
    """Return what names the data of a job and how they were cut; the keys of a record that are about it."""
    job, data = record["job"], record.get("data", {})
    facts = {key: data.get(key) for key in ("sha256", "place", "rows", "kept", "split_sha256", "parts_sha256")}
    facts["sha256"] = facts["sha256"] or job["dataset"].get("sha256")
    facts["place"] = facts["place"] and _without_folders(facts["place"])
    return {**facts, "dropped": len(data.get("dropped", ())), "count": record.get("count")}


def _best(record: Record) -> dict[str, Any]:
    """The candidate with the best validation score; the first of equal ones, as a job chooses it."""
    metric = METRICS[record["job"]["dataset"]["metric"]]
    best: dict[str, Any] = record["candidates"][0]
    for one in record["candidates"][1:]:
        if metric.better(one["val"].get(metric.name), best["val"].get(metric.name)):
            best = one
    return best


def _without_folders(place: str) -> str:
    """The name of a file of the user's own: a page may be published, and folders tell of a person and a machine."""
    return place if place.startswith(("http://", "https://", "package:")) else Path(place).name


def _stages(record: Record) -> list[tuple[str, list[dict[str, Any]]]]:
    """The epochs of each stage of the chosen candidate, in order."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for epoch in record.get("history", ()):
        stages.setdefault(epoch["stage"], []).append(epoch)
    if learned := record.get("details", {}).get("history"):
        stages[_FINISH] = learned
    return list(stages.items())


def _curve(stage: str, history: list[dict[str, Any]], best: int | None) -> _Curve:
    """A stage with its epochs, the loss (of the part that it is trained on) and the val score at each."""
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
    """At most `points` places in a curve, evenly spread, those of the first, the best and the last epoch among them."""
    if len(epochs) <= points:
        return list(range(len(epochs)))
    even = {round(i * (len(epochs) - 1) / (points - 2)) for i in range(points - 1)}
    return sorted(even | {place for place, epoch in enumerate(epochs) if epoch == best})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return short(value) if isinstance(value, float) else value
