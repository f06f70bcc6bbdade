"""The request of `roftbench tables`: records, metric, and the parts of a job that share a table."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roftbench.config.method_cards import proposed
from roftbench.errors import UsageError, check_choice
from roftbench.metrics import METRICS
from roftbench.report.aggregate import By
from roftbench.report.cell_key import SEEDED
from roftbench.report.format import newest
from roftbench.store.record_schema import Failure, JobResult, RecordSummary

FILTERS = ("model", "method", "dataset", "split", "label_ratio", "train", "seed")
GROUP = ("model", "split", "label_ratio")  # shared by all rows of a table, as are task and training setting
ALL = "all"  # as `metric`: every metric of the task
CHOICES: dict[str, tuple[str, ...]] = {"metric": (*METRICS, ALL), "select": ("val", "test"), "pool": ("split_seed",)}
COMPARISON = ("reference", "delta")  # what is compared, not what is shown
KEYS = (*FILTERS, *CHOICES, "group", *COMPARISON)
_Values = tuple[str, ...]


FOLD = re.compile(r"fold\d+(of\d+)?(-half|-\d+)?")  # names of the folds of `advise`


@dataclass(frozen=True)
class Request:
    """The records and scores that tables show.

    Attributes:
        filters: allowed names by part of a job.
        metric: None for each data set's own; ALL for its own and all others of the task beside it.
        select: "test" adds the result of selection on test scores.
        group: members of GROUP that are fixed within a table; the others become part of its rows.
        pool: whether seeds of split and label ratio are replicates.
        reference: the method that is compared with the others.
        delta: smallest differences of interest by metric, in its unit; "" for the one metric of a request.
    """

    filters: Mapping[str, _Values] = field(default_factory=dict)
    metric: str | None = None
    select: By = "val"
    group: _Values = GROUP
    pool: bool = False
    reference: str = field(default_factory=proposed)
    delta: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, words: Sequence[str]) -> "tuple[Request, list[str]]":
        """Return the request of `key=value` words, and the words that set `paths`.

        Raises:
            UsageError: an unknown key, an empty value, or a value that is not allowed.
        """
        given: dict[str, _Values] = {}
        rest = []
        for word in words:
            key, _, text = word.partition("=")
            if key.startswith("paths."):
                rest.append(word)
                continue
            if key not in KEYS:
                raise UsageError(f"unknown key '{key}'", key=key, got=key, allowed=(*KEYS, "paths.results"))
            given[key] = _values(key, text)
        choice = {key: _one(key, given[key]) for key in CHOICES if key in given}
        filters = {key: given[key] for key in FILTERS if key in given}
        by: By = "test" if choice.get("select") == "test" else "val"
        group = tuple(name for name in GROUP if name in given.get("group", GROUP))
        if "pool" in choice and (inside := [part for part in SEEDED if part not in group]):
            words = " or ".join(f"{part}s" for part in inside)
            problem = (
                f"pool=split_seed without {' and '.join(inside)} in group= would put {words} into one table whose"
                f" replicates differ: keep {' and '.join(SEEDED)} in group="
            )
            raise UsageError(problem, key="pool", got="split_seed")
        reference = _one("reference", given.get("reference", (proposed(),)))
        delta = _differences(given.get("delta", ()))
        return cls(filters, choice.get("metric"), by, group, "pool" in choice, reference, delta), rest

    def words(self) -> list[str]:
        """Return the words that `parse` turns into this request, without defaults."""
        chosen = {**{key: ",".join(values) for key, values in self.filters.items()}}
        chosen |= {"metric": self.metric} if self.metric else {}
        chosen |= {"select": self.select} if self.select != "val" else {}
        chosen |= {"group": ",".join(self.group)} if self.group != GROUP else {}
        chosen |= {"pool": "split_seed"} if self.pool else {}
        chosen |= {"reference": self.reference} if self.reference != proposed() else {}
        delta = ",".join(f"{metric}:{value:g}".removeprefix(":") for metric, value in self.delta.items())
        chosen |= {"delta": delta} if delta else {}
        return [f"{key}={value}" for key, value in chosen.items()]

    def chosen(
        self, records: list[RecordSummary], failures: list[Failure]
    ) -> tuple[list[RecordSummary], list[Failure]]:
        """Return the finished jobs, and the failed and skipped ones, that pass all filters.

        Jobs on the folds of `roftbench advise` pass only where `split` names them.

        Raises:
            UsageError: no record has a name in a filter.
        """
        for key, wanted in self.filters.items():
            known = {result.name(key) for result in (*records, *failures)}
            for value in wanted:
                if value not in known:
                    raise UsageError(f"no record has {key}={value}", key=key, got=value, allowed=known)
        return [one for one in records if self.passes(one)], [one for one in failures if self.passes(one)]

    def comparison(self, methods: Iterable[str], metrics: Iterable[str]) -> tuple[str, dict[str, float]]:
        """Return the reference among the methods of a table (the newest of its protocols), and delta by metric.

        Raises:
            UsageError: none of them is a reference that was asked for, or one delta is given for several metrics.
        """
        methods, metrics = set(methods), sorted(set(metrics))
        reference = newest(self.reference, methods)
        if reference not in methods and self.reference != proposed():
            raise UsageError(
                f"no record has method={self.reference}", key="reference", got=self.reference, allowed=methods
            )
        if "" in self.delta and len(metrics) > 1:
            number = f"{self.delta['']:g}"
            problem = f"delta={number} is one number, and the scores have several metrics, each with its own unit"
            words = ",".join(f"{metric}:{number}" for metric in metrics)
            raise UsageError(problem, key="delta", got=number, hint=f"Give one for each that matters: delta={words}.")
        return reference, {metric: self.delta.get(metric, self.delta.get("", 0.0)) for metric in metrics}

    def passes(self, result: JobResult) -> bool:
        """Return whether a record passes all filters; one on a fold of `advise` only where `split` names it."""
        if "split" not in self.filters and _is_fold(result.job["split"]):
            return False
        return all(result.name(key) in wanted for key, wanted in self.filters.items())


def _values(key: str, text: str) -> _Values:
    values = tuple(dict.fromkeys(text.split(",")))
    if not all(values):
        raise UsageError(f"{key}={text}: write {key}=NAME, or several with commas between", key=key, got=text)
    allowed: Iterable[str] = GROUP if key == "group" else CHOICES.get(key, values)
    for value in values:
        check_choice(key, value, allowed)
    return values


def _differences(texts: Iterable[str]) -> dict[str, float]:
    """Return the numbers of `delta=0.1` or `delta=rmse:0.1,roc_auc:0.02` by metric, "" without one."""
    found: dict[str, float] = {}
    for text in texts:
        metric, _, number = text.rpartition(":")
        if metric:
            check_choice("delta", metric, METRICS)
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf or metric in found or (found and "" in (metric, *found)):
            problem = f"delta={text}: write a positive number, or one for each of several metrics with commas between"
            raise UsageError(problem, key="delta", got=text, hint="Examples: delta=0.1, delta=rmse:0.1,roc_auc:0.02.")
        found[metric] = value
    return found


def _one(key: str, values: _Values) -> str:
    if len(values) > 1:
        raise UsageError(f"{key}={','.join(values)}: give one of them", key=key, got=values)
    return values[0]


def _is_fold(split: Mapping[str, Any]) -> bool:
    return FOLD.fullmatch(str(split["name"])) is not None and str(split["target"]).endswith(".FileSplit")
