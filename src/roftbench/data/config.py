"""What a data set is called, where its file comes from and what its columns mean: the schema of `conf/dataset/`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError, check_choice
from roftbench.metrics import METRICS
from roftbench.store.downloads import Source, check_places
from roftbench.store.http import check_file

TASKS = ("regression", "classification")
DUPLICATES = ("keep", "drop_conflicts", "merge")
CENSORED = ("error", "drop", "bound")
ALL_OTHERS = "*"  # as `targets`: every column but the SMILES and split columns
PART_NAMES = {  # what a table or a file may call a part; "" is none
    "": "", "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip
KNOWN = ("name", "smiles_column", "targets", "task", "metric", "file", "sha256")


@dataclass(frozen=True)
class DatasetSpec:
    """A published data set (`sources`) or a table of the user's own (`path`), and what its columns mean.

    For an own table, everything that is null is guessed from the file (`data.table.load.complete`). `sha256` is that of
     the unpacked published file and names the data in a job's key, wherever the bytes come from; a bundled
    copy holds the same molecules and labels in the same order, in fewer columns, and has a checksum of its own.
    `absent_rows` are data rows (from 0) of the published file that the bundled copy lacks because RDKit cannot parse
    them. `classes` are the texts of the negative and the positive class, where they are not 0 and 1. `na_values` are
    label cells that mean a missing label; `censored` says what becomes of labels such as ">100": an error, no label, or
    the bound as the label. With `strip_salts` a molecule is the largest organic fragment of its SMILES.
    `reading_version` is set by `complete` where the code before it read the cells of an own table otherwise.
    """

    name: str | None = None
    summary: str = ""
    task: str | None = None
    targets: list[str] | None = None
    metric: str | None = None
    units: str | None = None
    smiles_column: str | None = None
    classes: list[str] | None = None
    split_column: str | None = None
    duplicates: str = "keep"
    na_values: list[str] = field(default_factory=list)
    censored: str = "error"
    strip_salts: bool = False
    reading_version: int | None = None
    path: str | None = None
    sources: list[str] = field(default_factory=list)
    file: str | None = None
    sha256: str | None = None
    asset_sha256: str | None = None
    absent_rows: list[int] = field(default_factory=list)
    rows: int | None = None
    num_tasks: int | None = None
    reference: str | None = None
    license: str | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (not self.sources):
            problem = "path (a table of your own) or sources (a published file): give exactly one of them"
            raise UsageError(problem, key="path", got=self.path)
        if self.sources:
            check_places(self.sources)
            if left := [name for name in KNOWN if not getattr(self, name)]:
                raise UsageError(
                    f"{left[0]} must be set for a published file: it is guessed for a table of your own", key=left[0]
                )
            check_file(str(self.file), self.sha256, None)
            if "bundled" in self.sources and not self.asset_sha256:
                raise UsageError("asset_sha256 must be set where 'bundled' is among the sources", key="asset_sha256")
        if self.name is not None and (Path(self.name).name != self.name or not self.name.isprintable()):
            reason = "it becomes part of a file's name and must not look like a path"
            raise UsageError(f"name is {self.name!r}: {reason}", key="name", got=self.name)
        if self.task is not None:
            check_choice("task", self.task, TASKS)
        if self.metric is not None:
            of_task = [name for name, metric in METRICS.items() if self.task in (None, metric.task)]
            check_choice("metric", self.metric, of_task)
        check_choice("duplicates", self.duplicates, DUPLICATES)
        check_choice("censored", self.censored, CENSORED)
        if self.targets is not None and (not self.targets or len(set(self.targets)) < len(self.targets)):
            problem = f"targets must name at least one column, each once: {self.targets}"
            raise UsageError(problem, key="targets", got=self.targets)
        if self.classes is not None and (len(self.classes) != 2 or self.classes[0] == self.classes[1]):
            problem = f"classes must be the texts of the negative and the positive class: {self.classes}"
            raise UsageError(problem, key="classes", got=self.classes)

    def reading(self) -> dict[str, Any]:
        """Return the settings of how cells are read that are not the defaults: a part of a job's identity."""
        given = {"na_values": sorted(self.na_values), "censored": self.censored, "strip_salts": self.strip_salts}
        given["reading"] = self.reading_version
        return {name: value for name, value in given.items() if value not in ([], "error", False, None)}

    def source(self) -> Source:
        """Return where the published file may lie."""
        return Source(
            what=f"data set {self.name}",
            file=str(self.file),
            sha256=str(self.sha256),
            places=tuple(self.sources),
            asset=f"data/{self.name}.csv.gz" if "bundled" in self.sources else None,
            asset_sha256=self.asset_sha256,
        )
