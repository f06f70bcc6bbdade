"""Aggregation of records: long table, cells (mean, std, n over seeds), average ranks."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import pandas as pd
from msgspec import UNSET

from roftbench.metrics import METRICS
from roftbench.report.cell_key import PARTS, CellKeys, describe, differing, names
from roftbench.report.cost import fit_cpu_seconds, fit_seconds
from roftbench.report.pretrain_gain import Gain, pretrain_gains
from roftbench.report.statistics.contest import test_share
from roftbench.store.record_schema import Failure, JobResult, LabelStatistics, RecordSummary

CELL = ["setting", "dataset", "method"]
BUDGET = {"labels": "weights", "labels_selection": "selection", "labels_interpolation": "interpolation"}
SPREAD = {"test_sd": "sd", "test_min": "min", "test_max": "max", "test_positives": "positives"}
BOUNDS = [*SPREAD, "noise"]
SECONDS = ["fit_seconds", "fit_cpu_seconds"]
COST = ["trained_parameters", *SECONDS]
DIAGNOSTICS = ["feature_shift", "pretrain_gain", "pretrain_gain_percent"]
MEANS = [*BUDGET, *BOUNDS, *COST, *DIAGNOSTICS]  # columns that a cell averages over its replicates
By = Literal["val", "test"]
_Result = TypeVar("_Result", bound=JobResult)
_KEY = ["setting", *PARTS, "protocol", "terms", "baseline", "dataset"]
_SCORES = ["val", "test", "test_own"]


def long_table(records: Iterable[RecordSummary], metric: str | None = None, *, pool: bool = False) -> pd.DataFrame:
    """Return one row per finished record and candidate.

    Columns: setting (hash of model, split, label ratio, training settings, protocol and featurizer), their names,
    protocol, terms (hash of the setting without model and training), baseline (whether no network is trained),
    dataset, task, metric (of `test`), own (the data set's own metric), method, params (canonical JSON), seed,
    replicate (what is averaged over: the seed, as text), val (by the own metric), test, test_own (NaN = undefined),
    labels, labels_selection, labels_interpolation (how many labels were used for weights, selection and interpolation
    coefficients; NaN = not recorded), test_sd, test_min, test_max, test_positives (spread of the test labels), noise
    (of the assay; NaN = not recorded), trained_parameters, fit_seconds, fit_cpu_seconds (`report.cost`), feature_shift,
    pretrain_gain, pretrain_gain_percent (NaN = not known), parameter_shift (by block; None: not recorded), searched
    (whether the job searched hyperparameters, whose seconds are those of all candidates), test_share (of `contest`),
    key.

    Contents that share a name get the fields in which they differ appended: "paper (epochs=30)". The same candidate
    of a search job and of a single job is one row, that of the search, else the one of the smaller key. `metric` gives
    `test` by another metric than each data set's own; records of the other task are left out. `pool` makes replicates
    of jobs that differ in the seeds of split or label ratio. Raises ValueError for a metric that is unknown.
    """
    done = sorted(records, key=lambda record: (not record.job["method"]["search"], record.key))
    if metric is not None:
        done = [record for record in done if metric in record.candidates[0].test]
    keys = CellKeys(pool=pool)
    gains = pretrain_gains(done)
    rows = [row for key, record in _with_key(done, keys) for row in _candidates(key, record, metric, keys, gains)]
    columns = [
        *_KEY,
        "task",
        "own",
        "metric",
        "method",
        "params",
        "seed",
        "replicate",
        *_SCORES,
        *MEANS,
        "parameter_shift",
        "searched",
        "test_share",
        "key",
    ]
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys([*_SCORES, *MEANS], float))  # None -> NaN
    return table.drop_duplicates([*CELL, "params", "replicate"], ignore_index=True)


def unfinished_table(
    records: Iterable[RecordSummary], failures: Iterable[Failure], metric: str | None = None, *, pool: bool = False
) -> pd.DataFrame:
    """Return one row per failed or skipped job whose setting has finished jobs in `records`; names as in `long_table`.

    Columns: those of `long_table` that do not come from scores, and status (failed, skipped), error.
    """
    keys = CellKeys(pool=pool)
    failures = list(failures)
    done = list(records) if failures else []
    known = {keys.of(record.job).setting for record in done}
    beside = [failure for failure in failures if keys.of(failure.job).setting in known]
    wanted = METRICS[metric].task if metric else None
    rows = []
    for (*key, task, method, seed, replicate), result in _with_key([*done, *beside], keys):
        if isinstance(result, Failure) and wanted in (None, task):
            ended = result.status, result.error, result.key
            rows.append([*key, task, metric or result.metric, method, seed, replicate, *ended])
    columns = [*_KEY, "task", "metric", "method", "seed", "replicate", "status", "error", "key"]
    return pd.DataFrame(rows, columns=columns)


def select(long: pd.DataFrame, by: By = "val") -> pd.DataFrame:
    """Return the hyperparameters with the best mean validation score over seeds, one row per cell.

    Only among the params with the most seeds; an undefined validation score in any seed is worst; equal means
    go to the first params in the order of their text. The test scores are not read. Always by the data set's own
    metric. Columns: setting, dataset, method, params.

    `by="test"` takes the best mean test score instead. It shows what an oracle would choose and must not be reported.
    """
    score = {"val": "val", "test": "test_own"}[by]
    grouped = long.groupby([*CELL, "own", "params"])[score]
    means = pd.DataFrame({"mean": _mean(grouped), "n": grouped.size()}).reset_index()
    means["loss"] = means["mean"] * sign(means["own"])
    order = means.sort_values(
        [*CELL, "n", "loss", "params"], ascending=[True, True, True, False, True, True], na_position="last"
    )
    return order.drop_duplicates(CELL, ignore_index=True)[[*CELL, "params"]]


def selected(long: pd.DataFrame, by: By = "val") -> pd.DataFrame:
    """Return the rows of `long_table` with the hyperparameters that `select` chooses."""
    return long.merge(select(long, by), on=[*CELL, "params"])


def cells(long: pd.DataFrame, by: By = "val") -> pd.DataFrame:
    """Return test scores of the selected params over seeds, one row per (setting, dataset, method).

    Columns: setting, model, split, label_ratio, train, protocol, terms, baseline, dataset, task, own, metric, method,
    params, mean, std, n, n_expected (how many seeds there are in the cells of the setting and task), replicates (those
    of the cell, separated by blanks), scores (those of the replicates, in their order), labels, labels_selection,
    labels_interpolation, bounds, cost and diagnostics of `long_table` (means over the replicates; NaN where one is not
    known; seconds only over searches where there are any), tuned (the hyperparameters that had other candidates, as
    text). The standard deviation is the population's (ddof 0), the convention of the field and of the paper. A score
    undefined in any seed makes mean and std NaN: it is never left out of an average.
    """
    chosen = selected(long, by).sort_values("replicate", kind="stable")
    table = chosen.drop_duplicates(CELL)[[*_KEY, "task", "own", "metric", "method", "params"]].set_index(CELL)
    grouped = chosen.groupby(CELL)
    table["mean"], table["std"] = _mean(grouped["test"]), _std(grouped["test"])
    table["n"] = grouped.size()
    chosen["n_expected"] = chosen.groupby(["setting", "task"])["replicate"].transform("nunique")
    table["n_expected"] = chosen.groupby(CELL)["n_expected"].first()
    table["replicates"] = grouped["replicate"].agg(" ".join)
    table["scores"] = grouped["test"].agg(tuple)
    searched = chosen["searched"] | ~chosen.groupby(CELL)["searched"].transform("any")
    alike = chosen[searched.astype(bool)].groupby(CELL)
    for column in MEANS:
        table[column] = _mean((alike if column in SECONDS else grouped)[column])
    candidates = long.groupby(CELL)["params"].unique()
    pairs = zip(table["params"], candidates.reindex(table.index), strict=True)
    table["tuned"] = [_tuned(params, list(others)) for params, others in pairs]
    order = [*_KEY, "task", "own", "metric", "method", "params"]
    numbers = ["mean", "std", "n", "n_expected", "replicates", "scores", *MEANS, "tuned"]
    return table.reset_index()[[*order, *numbers]].sort_values(order, ignore_index=True)


def sign(metrics: "pd.Series[str]") -> "pd.Series[int]":
    """Return -1 where a higher score is better, else 1: score times sign is lower for the better score."""
    return metrics.map({name: metric.sign for name, metric in METRICS.items()}).astype(int)


def mean_rank(table: pd.DataFrame) -> pd.DataFrame:
    """Return the average rank of each method of `cells` over data sets, per setting and task; ties share the mean.

    Columns: setting, task, method, average_rank, datasets (over how many). Ranked are the data sets for which
    every method of the table has all seeds. A method short of seeds, missing a data set, or undefined where
    another is not, has no rank (NaN), but remains a rival where it is ranked; a data set that is undefined for
    every method is left out for all. A baseline has a setting of its own, for its model, and no rank there.
    """
    rows = [
        {"setting": setting, "task": task, "method": method, "average_rank": rank, "datasets": datasets}
        for (setting, task), group in table.groupby(["setting", "task"])
        for method, rank, datasets in _ranks(group)
    ]
    return pd.DataFrame(rows, columns=["setting", "task", "method", "average_rank", "datasets"])


def complete_losses(table: pd.DataFrame) -> "pd.Series[float]":
    """Return the means of `cells` with the sign that makes lower better; NaN where seeds are missing or undefined."""
    return (table["mean"] * sign(table["metric"])).where(table["n"] == table["n_expected"])


def _ranks(table: pd.DataFrame) -> list[tuple[str, float, int]]:
    """Return (method, average rank, number of data sets) of one table."""
    methods = sorted(table["method"].unique())
    defined = table.groupby("dataset")["mean"].transform("count") > 0
    losses = table.assign(loss=complete_losses(table))[defined].pivot(index="method", columns="dataset", values="loss")
    losses = losses.reindex(methods)
    shared = losses.loc[:, losses.notna().all()]
    ranked = losses.notna().all(axis="columns") & (not table["baseline"].any())
    ranks = shared.rank().mean(axis="columns").where(ranked)
    return [(method, float(ranks[method]), shared.shape[1]) for method in methods]


def _with_key(results: Sequence[_Result], keys: CellKeys) -> Iterator[tuple[list[Any], _Result]]:
    """Yield each record with the values of `_KEY`, task, method, seed and replicate."""
    found = [keys.of(result.job) for result in results]
    for result, at, name in zip(results, found, names(found), strict=True):
        job = result.job
        key = [at.setting, *(name[part] for part in PARTS), at.protocol, at.terms, at.baseline, name["dataset"]]
        yield [*key, job["dataset"]["task"], name["method"], job["seed"], keys.replicate(job)], result


def _candidates(
    start: list[Any], record: RecordSummary, metric: str | None, keys: CellKeys, gains: Mapping[tuple[str, str], Gain]
) -> Iterator[list[Any]]:
    """Yield the rows of a record, in the columns of the long table."""
    own = record.metric
    if own not in METRICS:
        raise ValueError(f"record {record.key}: unknown metric {own!r}; one of {', '.join(METRICS)}")
    *key, task, method, seed, replicate = start
    budget = [getattr(record.count.labels, name) for name in BUDGET.values()]
    spread = record.data.test_labels or LabelStatistics()
    bounds = [*(getattr(spread, name) for name in SPREAD.values()), record.data.noise]
    cost = [record.trained_parameters, fit_seconds(record), fit_cpu_seconds(record)]
    for one in record.candidates:
        params = keys.params(record.job, one.params)
        scores = one.val[own], one.test[metric or own], one.test[own]
        gain = gains.get((record.key, params), (None, None))
        means = [*budget, *bounds, *cost, None if one.feature_shift is UNSET else one.feature_shift, *gain]
        blocks = None if one.parameter_shift is UNSET else one.parameter_shift
        from_job = blocks, bool(record.job["method"]["search"]), test_share(record.job["split"]), record.key
        yield [*key, task, own, metric or own, method, params, seed, replicate, *scores, *means, *from_job]


def _tuned(params: str, candidates: list[str]) -> str:
    return describe(json.loads(params), differing(map(json.loads, candidates))) if len(candidates) > 1 else ""


# pandas' mean and std skip NaN, so that a seed with an undefined score would be ignored.
def _mean(grouped: Any) -> Any:
    return grouped.mean().where(grouped.count() == grouped.size())


def _std(grouped: Any) -> Any:
    return grouped.std(ddof=0).where(grouped.count() == grouped.size())
