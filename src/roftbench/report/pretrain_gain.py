"""Gain from pretraining: a method's score minus that of the same job on random weights (docs/tables.md)."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from roftbench.metrics import METRICS
from roftbench.report.cell_key import canonical_json
from roftbench.store.record_schema import RecordSummary

SHARED = ("dataset", "split", "label_ratio", "train")  # parts that are the same in both jobs
RATIO_SCALE = ("rmse", "mae", "brier", "roc_auc", "average_precision", "balanced_accuracy")  # never below a true zero


class Gain(NamedTuple):
    """Difference of two test scores in the data set's own metric, positive where pretraining helps, and in percent.

    The percentage is of the score on random weights; None in metrics that may be negative, or of a score of zero.
    """

    score: float
    percent: float | None


def pretrain_gains(records: Iterable[RecordSummary]) -> dict[tuple[str, str], Gain]:
    """Return gains by key of the job and hyperparameters of the candidate (canonical JSON), where both jobs are there.

    The job on random weights has the same encoder class and sizes, method with hyperparameters, data set, split, fold,
    labels, training settings and seed, as `model=scratch` has for the GINs. Jobs on random weights have no gain.
    """
    texts = _Texts()
    scratch: dict[tuple[Any, ...], float] = {}
    others: list[tuple[str, str, tuple[Any, ...], str, float]] = []
    for record in sorted(records, key=lambda one: one.key):
        if "fingerprint" in record.job:
            continue
        job, pair = record.job, texts.pair(record.job)
        random = job["model"].get("sha256") is None and job["model"].get("git_blob") is None
        for one in record.candidates:
            params = canonical_json({**job["method"].get("params", {}), **one.params})
            if (score := one.test.get(record.metric)) is None:
                continue
            if random:
                scratch.setdefault((*pair, params), score)
            else:
                others.append((record.key, params, (*pair, params), record.metric, score))
    return {
        (key, params): _gain(metric, score, scratch[place])
        for key, params, place, metric, score in others
        if place in scratch
    }


def _gain(metric: str, score: float, scratch: float) -> Gain:
    difference = (score - scratch) * -METRICS[metric].sign
    return Gain(difference, 100 * difference / scratch if metric in RATIO_SCALE and scratch > 0 else None)


class _Texts:
    """Parts of jobs as text; a part that many records share as one object is written once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[Any, str]] = {}

    def pair(self, job: dict[str, Any]) -> tuple[Any, ...]:
        """Return the common parts of two jobs that differ only in the weights of the model."""
        parts = [self._of(job[part]) for part in SHARED]
        model, method = self._of(job["model"], "target", "params"), self._of(job["method"], "name", "target", "code")
        versions = (job["protocol"], job["method"].get("protocol"), job.get("featurizer"))
        return (*parts, model, method, *versions, self._of(job.get("graphs")), job["seed"])

    def _of(self, part: Any, *fields: str) -> str:
        """Return a part, or some of its fields, as canonical JSON."""
        key = id(part), fields[0] if fields else ""
        if key not in self._known:
            own = {field: part.get(field) for field in fields} if fields else part
            self._known[key] = part, canonical_json(own)  # with the part, because ids of deleted objects are reused
        return self._known[key][1]
