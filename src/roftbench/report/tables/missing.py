"""Missing jobs of a table, and the commands that run them."""

from collections.abc import Sequence
from typing import Any

from roftbench.metrics import DEFAULT_LOSS
from roftbench.report.tables.board import Board
from roftbench.report.tables.commands import NotShippedError, commands, overrides

_Job = dict[str, Any]
_Row = dict[Any, Any]  # of a data frame


class Filler:
    """Finds the jobs behind the gaps of a board's tables.

    A missing job is derived from another one of its cell or, where there is none, of its method on another data set
    under the same setting.
    """

    def __init__(self, board: Board) -> None:
        self.jobs = board.jobs
        self._of_method: dict[tuple[str, str], str] = {}
        self._of_dataset: dict[str, str] = {}
        for frame in (board.grouped, board.failed.assign(home=board.failed["setting"])):
            columns = (frame[name] for name in ("home", "method", "dataset", "key"))
            for home, method, dataset, key in zip(*columns, strict=True):
                self._of_method.setdefault((home, method), key)
                self._of_dataset.setdefault(dataset, key)
        skipped = board.failed[board.failed["status"] == "skipped"]
        places = (skipped[name] for name in ("setting", "dataset", "method", "replicate"))
        self._skipped = set(zip(*places, strict=True))

    def missing(self, rows: Sequence[_Row]) -> tuple[list[str], list[str]]:
        """Return the commands that run what `rows` lack, and why there is none for some; skipped jobs stay so."""
        wanted, reasons = [], dict[str, None]()
        for row in rows:
            try:
                wanted += [overrides(job) for job in self._jobs(row)]
            except NotShippedError as error:
                reasons[f"No command for what is missing: {error.args[0]}."] = None
        return commands(wanted), list(reasons)

    def _jobs(self, row: _Row) -> list[_Job]:
        """The jobs that a cell lacks."""
        there = set(row["replicates"].split())
        cell = row["home"], row["dataset"], row["method"]
        lacking = [one for one in row["expected"].split() if one not in there]
        if not row["n"]:  # what is shown of a cell is one candidate's; what was skipped was another one's
            lacking = [one for one in lacking if (*cell, one) not in self._skipped]
        if not lacking:
            return []
        if row["n"]:
            like = self.jobs[row["key"]]
        else:
            like = self.jobs[self._of_method[row["home"], row["method"]]]
            like = _on(like, self.jobs[self._of_dataset[row["dataset"]]]["dataset"])
        return [_repeated(like, replicate) for replicate in lacking]


def _on(job: _Job, dataset: dict[str, Any]) -> _Job:
    """A job on another data set; a loss that its task filled in is the other task's then."""
    train = job["train"]
    if train.get("loss") == DEFAULT_LOSS[job["dataset"]["task"]]:
        train = {**train, "loss": DEFAULT_LOSS[dataset["task"]]}
    return {**job, "dataset": dataset, "train": train}


def _repeated(job: _Job, replicate: str) -> _Job:
    """A job as another replicate: see `CellKeys.replicate`."""
    run, *others = replicate.split("/")
    seed, _, fold = run.partition("@")
    job = {**job, "seed": int(seed)}
    if fold:
        job["split"] = {**job["split"], "params": {**job["split"]["params"], "fold": int(fold)}}
    if others:
        split, labels = (None if other == "None" else int(other) for other in others)
        params = job["split"]["params"]
        job["split"] = {**job["split"], "params": {**params, "seed": split} if "seed" in params else params}
        job["label_ratio"] = {**job["label_ratio"], "seed": labels}
    return job
