"""The content of all tables, computed once: rows for cells and gaps, ranks, missing jobs."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from roftbench.errors import UsageError
from roftbench.metrics import METRICS
from roftbench.report.aggregate import CELL, By, cells, long_table, mean_rank, selected, unfinished_table
from roftbench.report.format import amount, method_name, method_order
from roftbench.report.query import ALL, GROUP, Request
from roftbench.report.statistics.overall_ranks import overall_ranks
from roftbench.store.record_schema import Failure, RecordSummary

logger = logging.getLogger(__name__)

TABLE = ["setting", "task"]  # after `_grouped`: what makes a table
LINE = [
    *("home", "row", "label", "order", "method", "model", "split", "label_ratio", "train", "protocol", "terms"),
    "baseline",
]
COMPARABLE = ("split", "label_ratio")  # rows that differ in one of them have other test molecules, or fewer labels
DESIGN = [*TABLE, *COMPARABLE]  # rows that share it should have the same replicates
_ENDED = [*TABLE, "row", "dataset"]


@dataclass(frozen=True)
class Board:
    """The records of a request, aggregated.

    `long`, `table`: `long_table` and `cells`, independent of the request's group. `failed`: `unfinished_table`.
    `reference`: the method that is compared, as tables name it. `delta`: smallest differences of interest by metric, 0
    for none.
    """

    request: Request
    records: list[RecordSummary]
    failures: list[Failure]
    long: pd.DataFrame
    table: pd.DataFrame
    failed: pd.DataFrame
    reference: str
    delta: Mapping[str, float]

    @classmethod
    def create(
        cls, records: list[RecordSummary], failures: list[Failure], request: Request, source: Path | str
    ) -> "Board":
        """Aggregate the records of `source`; raises UsageError if the request matches no finished job."""
        done, beside = request.chosen(records, failures)
        _report_unrecorded(done, request.metric)
        board = cls._of(done, beside, request)
        if board.long.empty:
            asked = " ".join(request.words())
            what = f"no finished jobs of {asked} under" if asked else "no finished jobs under"
            raise UsageError(
                f"{what} {source}: run `roftbench run method=… dataset=…` first", key="paths.results", got=str(source)
            )
        metrics = board._recorded() if request.metric == ALL else sorted(set(board.long["metric"]))
        if unknown := [metric for metric in request.delta if metric and metric not in metrics]:
            problem = f"delta={unknown[0]}:…: no score of these tables is by {unknown[0]}"
            raise UsageError(problem, key="delta", got=unknown[0], allowed=metrics)
        return board

    @classmethod
    def _of(cls, done: list[RecordSummary], beside: list[Failure], request: Request) -> "Board":
        metric = None if request.metric == ALL else request.metric
        long = long_table(done, metric, pool=request.pool)
        failed = unfinished_table(done, beside, metric, pool=request.pool)
        reference, delta = request.comparison(long["method"], long["metric"])
        return cls(request, done, beside, long, cells(long), failed, reference, delta)

    def panel(self) -> "list[Board]":
        """Return this board alone, or with `metric=all` one per metric that records hold, in the order of METRICS."""
        if self.request.metric != ALL:
            return [self]
        boards = (replace(self.request, metric=name) for name in self._recorded())
        return [Board._of(self.records, self.failures, request) for request in boards]

    def _recorded(self) -> list[str]:
        """Return the metrics that records hold, in the order of METRICS."""
        recorded = {name for record in self.records for name in record.candidates[0].test}
        return [name for name in METRICS if name in recorded]

    @cached_property
    def grouped(self) -> pd.DataFrame:
        """`cells` as rows of the requested tables, with `key`, one of the jobs of each."""
        return self._grouped_cells("val")

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """`mean_rank` of each table; `method` is the row."""
        return mean_rank(self.grouped.assign(method=self.grouped["row"]))

    @cached_property
    def overall(self) -> pd.DataFrame:
        """`overall_ranks` of all cells."""
        return overall_ranks(self.table, self.reference)

    @cached_property
    def by_test(self) -> pd.DataFrame:
        """Cells with several candidates, selected on test scores; empty unless requested."""
        if self.request.select != "test":
            return self.grouped.head(0)
        found = self._grouped_cells("test")
        return found[found["tuned"] != ""]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """A row for each line and data set of every table, in the order of the tables; gaps have n = 0.

        Columns beside those of `cells`: home (the cell's own setting), row, label, order, replicates, key, expected
        (all replicates of the table, of rows with the same split and label ratio), status (of jobs that did not end
        well, "failed" before "skipped"; else ""), ranked (whether the table's rows are compared with one another),
        average_rank and datasets (over how many).
        """
        failed = self._grouped(self.failed)
        both = pd.concat([self.grouped, failed], ignore_index=True)
        columns = both[[*TABLE, "dataset", "metric"]].drop_duplicates()
        lines = both[[*TABLE, *LINE]].drop_duplicates([*TABLE, "row"])
        own = self.grouped.drop(columns=[*LINE, "metric", "expected"], errors="ignore").assign(row=self.grouped["row"])
        full = lines.merge(columns, on=TABLE).merge(own, on=_ENDED, how="left")
        status = failed.groupby(_ENDED)["status"].min().reset_index()  # "failed" before "skipped"
        full = full.merge(status, on=_ENDED, how="left")
        full = full.merge(self.ranks.rename(columns={"method": "row"}), on=[*TABLE, "row"], how="left")
        expected = self.grouped.groupby(DESIGN)["expected"].first()
        tried = failed.groupby(DESIGN)["replicate"].agg(every_replicate)  # where nothing is finished
        both_of = expected.combine_first(tried).rename("expected").reset_index()
        full = full.drop(columns="n_expected").merge(both_of, on=DESIGN, how="left")
        full = full.fillna({"status": "", "replicates": "", "tuned": "", "expected": "", "n": 0, "datasets": 0})
        full["n_expected"] = [len(text.split()) for text in full["expected"]]
        full = full.astype({"n": int, "n_expected": int, "datasets": int, "baseline": bool})
        full["datasets"] = full.groupby(TABLE)["datasets"].transform("max")
        full["ranked"] = self._ranked(full)
        full.loc[~full["ranked"], "average_rank"] = float("nan")
        full["amount"] = full["label_ratio"].map(amount)
        parts = [name for part in self.request.group for name in (["amount"] if part == "label_ratio" else [part])]
        order = [*parts, "train", "task", "setting", "order", "label", "dataset"]
        return full.sort_values(order, ignore_index=True)

    @cached_property
    def jobs(self) -> Mapping[str, dict[str, Any]]:
        """The jobs of all records by their keys."""
        return {result.key: result.job for result in (*self.failures, *self.records)}

    def _ranked(self, full: pd.DataFrame) -> "pd.Series[bool]":
        """Whether there are several rows of networks, of the same test molecules and number of labels."""
        if not set(COMPARABLE) <= set(self.request.group):
            return pd.Series(False, index=full.index)
        there = full["row"].where((full["n"] > 0) & ~full["baseline"])
        return there.groupby([full[name] for name in TABLE]).transform("nunique") > 1

    def _grouped_cells(self, by: By) -> pd.DataFrame:
        table = self.table if by == "val" else cells(self.long, by)
        chosen = selected(self.long, by)
        keys = chosen.groupby(CELL)["key"].first().reset_index()
        return self._grouped(table.merge(keys, on=CELL))

    def _grouped(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Name the row of each cell, and make `setting` what one table is for: a baseline's is its own."""
        inside = [part for part in GROUP if part not in self.request.group]
        frame = frame.assign(
            home=frame["setting"],
            row=_joined([frame["method"], *(frame[part] for part in inside)], "\0"),
            label=_joined([frame["method"].map(method_name), *(frame[part] for part in inside)], " · "),
            order=[method_order(name)[0] for name in frame["method"]],
        )
        if "labels_interpolation" in frame:
            frame["label"] += (frame["labels_interpolation"] > 0).map({True: " ‡", False: ""})
        if inside:
            outside = [frame[part] for part in (*self.request.group, "train")]
            frame["setting"] = _joined([*outside, frame["baseline"].map({True: "baseline", False: ""})], "\0")
        if "replicates" in frame:
            every = frame.groupby(DESIGN)["replicates"].agg(every_replicate)
            frame = frame.merge(every.rename("expected").reset_index(), on=DESIGN)
            frame["n_expected"] = [len(text.split()) for text in frame["expected"]]
        return frame


def _report_unrecorded(done: list[RecordSummary], metric: str | None) -> None:
    """Warn of records that were made before a metric of their task was recorded; UsageError if there are no others."""
    again = "Older versions did not record it; the same job with run.rerun=true does."
    lacking = []
    for name in METRICS if metric == ALL else [metric] if metric else []:
        of_task = [one for one in done if one.job["dataset"]["task"] == METRICS[name].task]
        count = sum(name not in one.candidates[0].test for one in of_task)
        if count and count == len(of_task) and metric != ALL:
            recorded = sorted({name for one in of_task for name in one.candidates[0].test})
            raise UsageError(f"no record has {name}", key="metric", got=name, allowed=recorded, hint=again)
        lacking += [f"{name} ({count} of {len(of_task)} records)"] * bool(count)
    if lacking:
        logger.warning("left out, as it is not recorded: %s. %s", ", ".join(lacking), again)


def _joined(columns: "list[pd.Series[str]]", between: str) -> "pd.Series[str]":
    joined = columns[0].astype(str)
    for column in columns[1:]:
        joined = joined + between + column.astype(str)
    return joined


def every_replicate(texts: Iterable[str]) -> str:
    """Return all replicates of texts that have blanks between them, in the order of their numbers."""
    found = set(" ".join(texts).split())
    return " ".join(
        sorted(found, key=lambda one: [int(part) if part.isdigit() else -1 for part in re.split("[/@]", one)])
    )
