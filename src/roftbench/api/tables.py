"""`roftbench.records`: results as tables of pandas."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from roftbench.config.paths import absolute
from roftbench.errors import UsageError
from roftbench.report.cell_key import PARTS
from roftbench.report.query import Request
from roftbench.report.records import read_records
from roftbench.report.runs import run_rows
from roftbench.report.scores import read_scores
from roftbench.report.tables.board import Board
from roftbench.report.tables.render import to_frame
from roftbench.store.record_schema import Failure, RecordSummary
from roftbench.store.results import Store


class Records:
    """Finished, failed and skipped jobs. `roftbench.records` returns it.

    Attributes:
        done: Summaries of the finished jobs.
        failures: Those that failed or were skipped.
        source: Where they come from.
    """

    def __init__(self, done: list[RecordSummary], failures: list[Failure], source: str) -> None:
        self.done, self.failures, self.source = done, failures, source

    def __len__(self) -> int:
        return len(self.done)

    def __iter__(self) -> Iterator[RecordSummary]:
        return iter(self.done)

    def __repr__(self) -> str:
        others = f", {len(self.failures)} failed or skipped" if self.failures else ""
        return f"<Records of {self.source}: {len(self.done)} finished{others}; leaderboard, cells, jobs>"

    def leaderboard(self, **request: Any) -> pd.DataFrame:
        """Return mean test scores, one row per method and setting, one column per data set.

        Args:
            **request: Filters by name, or by a list of names, of model, method, dataset, split, label_ratio, train or
                seed; and `metric`, `group`, `pool` as for `roftbench tables`.

        Returns:
            A table indexed by model, split, label_ratio, train, metric and method (and protocol, if there are several).
            A score is NaN where the cell lacks seeds; `cells` tells how many. `average_rank` is that of the printed
            tables.

        Raises:
            UsageError: A filter or a name is unknown, has no effect, or no finished job passes.
        """
        if "select" in request:
            raise UsageError("select adds rows to `cells`, not to a leaderboard", key="select", got=request["select"])
        cells = self.cells(**request)
        means = cells.assign(mean=cells["mean"].where(cells["n"] == cells["n_expected"]))
        protocols = ["protocol"] if cells["protocol"].nunique() > 1 else []
        lines = [*PARTS, *protocols, "metric", "method"]
        wide: pd.DataFrame = (
            means.groupby([*lines, "dataset"], sort=False)["mean"].first().unstack("dataset", sort=False)
        )
        wide["average_rank"] = cells.groupby(lines)["average_rank"].first()
        wide.columns.name = None
        return wide

    def cells(self, **request: Any) -> pd.DataFrame:
        """Return one row per cell: mean, std (ddof 0), n and more, the columns of `leaderboard.csv`.

        Args:
            **request: As for `leaderboard`; `select="test"` adds selection on test scores, which must not be reported.

        Raises:
            UsageError: As for `leaderboard`.
        """
        if useless := next((key for key in ("reference", "delta") if key in request), None):
            problem = f"{useless} has no effect on cells; `roftbench tables {useless}=…` writes comparisons"
            raise UsageError(problem, key=useless, got=request[useless])
        words = [f"{key}={_text(value)}" for key, value in request.items()]
        parsed, rest = Request.parse(words)
        if rest:
            raise UsageError(f"unknown key '{rest[0]}'", key=rest[0].partition("=")[0], got=rest[0])
        return to_frame(Board.create(self.done, self.failures, parsed, self.source))

    def jobs(self) -> pd.DataFrame:
        """Return one row per job: key, status, names of its parts, seeds, and val and test score."""
        return pd.DataFrame(run_rows([*self.done, *self.failures]))


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def records(*sources: str | Path) -> Records:
    """Return the records of a results folder, or of tables of scores.

    Args:
        *sources: The results folder ("results" if not given), or one or more `scores.csv`, which are joined.

    Raises:
        UsageError: A source does not exist or cannot be read.

    Example:
        ```python
        table = roftbench.records("results").leaderboard(split="scaffold")
        ```
    """
    paths = [absolute(str(source)) for source in sources or ("results",)]
    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"{missing[0]} does not exist", key="sources", got=str(missing[0]))
    name = ", ".join(map(str, paths))
    if len(paths) == 1 and paths[0].is_dir():
        return Records(*read_records(Store(paths[0])), name)
    if folders := [path for path in paths if path.is_dir()]:
        problem = f"{folders[0]} is a folder: give one results folder, or several scores.csv"
        raise UsageError(problem, key="sources", got=str(folders[0]))
    return Records(*read_scores(*paths), name)
