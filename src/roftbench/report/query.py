"""The request of `roftbench tables`: records, metric, and the parts of a job that share a table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roftbench.errors import UsageError, check_choice
from roftbench.metrics import METRICS
from roftbench.report.aggregate import By
from roftbench.report.cell_key import SEEDED
from roftbench.store.record_schema import Failure, JobResult, RecordSummary

FILTERS = ("model", "method", "dataset", "split", "label_ratio", "train", "seed")
GROUP = ("model", "split", "label_ratio")  # shared by all rows of a table, as are task and training setting
ALL = "all"  # as `metric`: every metric of the task
CHOICES: dict[str, tuple[str, ...]] = {"metric": (*METRICS, ALL), "select": ("val", "test"), "pool": ("split_seed",)}
KEYS = (*FILTERS, *CHOICES, "group")
_Values = tuple[str, ...]


FOLD = re.compile(r"fold\d+(of\d+)?(-half)?")  # names of the folds of `advise`


@dataclass(frozen=True)
class Request:
    """The records and scores that tables show.

    Attributes:
        filters: allowed names by part of a job.
        metric: None for each data set's own; ALL for its own and all others of the task beside it.
        select: "test" adds the result of selection on test scores.
        group: members of GROUP that are fixed within a table; the others become part of its rows.
        pool: whether seeds of split and label ratio are replicates.
    """

    filters: Mapping[str, _Values] = field(default_factory=dict)
    metric: str | None = None
    select: By = "val"
    group: _Values = GROUP
    pool: bool = False

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
        return cls(filters, choice.get("metric"), by, group, "pool" in choice), rest

    def words(self) -> list[str]:
        """Return the words that `parse` turns into this request, without defaults."""
        chosen = {**{key: ",".join(values) for key, values in self.filters.items()}}
        chosen |= {"metric": self.metric} if self.metric else {}
        chosen |= {"select": self.select} if self.select != "val" else {}
        chosen |= {"group": ",".join(self.group)} if self.group != GROUP else {}
        chosen |= {"pool": "split_seed"} if self.pool else {}
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


def _one(key: str, values: _Values) -> str:
    if len(values) > 1:
        raise UsageError(f"{key}={','.join(values)}: give one of them", key=key, got=values)
    return values[0]


def _is_fold(split: Mapping[str, Any]) -> bool:
    return FOLD.fullmatch(str(split["name"])) is not None and str(split["target"]).endswith(".FileSplit")
