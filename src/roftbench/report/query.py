"""What `roftbench tables` is asked for: which records, which scores, and what a table is for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roftbench.errors import UsageError, suggest
from roftbench.metrics import METRICS
from roftbench.report.aggregate import By
from roftbench.report.cell_key import SEEDED
from roftbench.store.results import Record

FILTERS = ("model", "method", "dataset", "split", "label_ratio", "train", "seed")
GROUP = ("model", "split", "label_ratio")  # what one table is for, besides task and training setting
CHOICES: dict[str, tuple[str, ...]] = {"metric": tuple(METRICS), "select": ("val", "test"), "pool": ("split_seed",)}
KEYS = (*FILTERS, *CHOICES, "group")
_Values = tuple[str, ...]


FOLD = re.compile(r"fold\d+(of\d+)?(-half)?")  # how `advise` calls its parts


@dataclass(frozen=True)
class Request:
    """Which records (`filters`: names by part of a job), which metric (None: each data set's own), and how.

    select: "test" shows beside the honest selection what selection on test scores would have given. group: of GROUP,
    what a table is for; the others become part of its rows. pool: seeds of split and label ratio are replicates.
    """

    filters: Mapping[str, _Values] = field(default_factory=dict)
    metric: str | None = None
    select: By = "val"
    group: _Values = GROUP
    pool: bool = False

    @classmethod
    def parse(cls, words: Sequence[str]) -> "tuple[Request, list[str]]":
        """Return the request of `key=value` words and the words that are none of its keys: those of `paths`.

        Raises:
            UsageError: an unknown key, an empty value, or one that is not among its choices.
        """
        given: dict[str, _Values] = {}
        rest = []
        for word in words:
            key, _, text = word.partition("=")
            if key.startswith("paths."):
                rest.append(word)
                continue
            if key not in KEYS:
                raise UsageError(f"unknown key '{key}'.{suggest(key, (*KEYS, 'paths.results'))}")
            given[key] = _values(key, text)
        choice = {key: _one(key, given[key]) for key in CHOICES if key in given}
        filters = {key: given[key] for key in FILTERS if key in given}
        by: By = "test" if choice.get("select") == "test" else "val"
        group = tuple(name for name in GROUP if name in given.get("group", GROUP))
        if "pool" in choice and (inside := [part for part in SEEDED if part not in group]):
            words = " or ".join(f"{part}s" for part in inside)
            raise UsageError(
                f"pool=split_seed without {' and '.join(inside)} in group= would put {words} into one table whose"
                f" replicates differ: keep {' and '.join(SEEDED)} in group="
            )
        return cls(filters, choice.get("metric"), by, group, "pool" in choice), rest

    def words(self) -> list[str]:
        """Return the words that ask for the same; what is left at its default is left out."""
        chosen = {**{key: ",".join(values) for key, values in self.filters.items()}}
        chosen |= {"metric": self.metric} if self.metric else {}
        chosen |= {"select": self.select} if self.select != "val" else {}
        chosen |= {"group": ",".join(self.group)} if self.group != GROUP else {}
        chosen |= {"pool": "split_seed"} if self.pool else {}
        return [f"{key}={value}" for key, value in chosen.items()]

    def chosen(self, records: list[Record], failures: list[Record]) -> tuple[list[Record], list[Record]]:
        """Return the finished jobs, and the failed and skipped ones, that pass all filters.

        Those on the folds of `roftbench advise` are no results of their own: they pass where `split` names them.

        Raises:
            UsageError: a filter names what no record has.
        """
        for key, wanted in self.filters.items():
            known = {name_of(record["job"], key) for record in (*records, *failures)}
            for value in wanted:
                if value not in known:
                    raise UsageError(f"no record has {key}={value}.{suggest(value, known)}")
        return [one for one in records if self.passes(one)], [one for one in failures if self.passes(one)]

    def passes(self, record: Record) -> bool:
        """Return whether a record passes all filters; one on a fold of `advise` only where `split` names it."""
        if "split" not in self.filters and _is_fold(record["job"]["split"]):
            return False
        return all(name_of(record["job"], key) in wanted for key, wanted in self.filters.items())


def name_of(job: Mapping[str, Any], part: str) -> str:
    """Return the name of a job's part, or its seed as text."""
    return str(job["seed"] if part == "seed" else job[part]["name"])


def _values(key: str, text: str) -> _Values:
    values = tuple(dict.fromkeys(text.split(",")))
    if not all(values):
        raise UsageError(f"{key}={text}: write {key}=NAME, or several with commas between")
    allowed: Iterable[str] = GROUP if key == "group" else CHOICES.get(key, values)
    for value in values:
        if value not in allowed:
            raise UsageError(f"{key} is '{value}'.{suggest(value, allowed)}")
    return values


def _one(key: str, values: _Values) -> str:
    if len(values) > 1:
        raise UsageError(f"{key}={','.join(values)}: give one of them")
    return values[0]


def _is_fold(split: Mapping[str, Any]) -> bool:
    return FOLD.fullmatch(str(split["name"])) is not None and str(split["target"]).endswith(".FileSplit")
