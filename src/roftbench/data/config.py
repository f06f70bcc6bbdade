"""Schema of `conf/dataset/`: name of a data set, origin of its file, and meaning of its columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roftbench.errors import UsageError, check_choice, check_range
from roftbench.metrics import METRICS
from roftbench.store.downloads import Source, check_places
from roftbench.store.http import check_file

TASKS = ("regression", "classification")
DUPLICATES = ("keep", "drop_conflicts", "merge")
CENSORED = ("error", "drop", "bound")
ALL_OTHERS = "*"  # as `targets`: all columns except those of SMILES and split
PART_NAMES = {  # names of parts in tables and files; "" for no part
    "": "", "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip
READING = ("na_values", "censored", "strip_salts", "relation_column", "own_graphs")  # settings for reading cells
KNOWN = ("name", "smiles_column", "targets", "task", "metric", "file", "sha256")


@dataclass(frozen=True)
class DatasetSpec:
    """A published data set (`sources`) or a table of the user (`path`), and the meaning of its columns.

    For a user's table, everything that is None is guessed from the file (`data.table.load.complete`).

    Attributes:
        targets: columns of labels; `["*"]` for all columns except those of SMILES and split.
        classes: texts of the negative and the positive class, if these are not 0 and 1.
        group_column: column that a split reads (split.column), which is then no label; set from the split.
        duplicates: policy for molecules that occur several times (`data.duplicates.resolve`).
        na_values: label cells that mean a missing label.
        censored: treatment of labels such as ">100": "error", "drop" for no label, or "bound" for the number.
        relation_column: column of signs (=, >, <) of the labels, to which `censored` applies; looked for by its usual
            name if there is a single target and `censored` is not "error".
        strip_salts: reduce each molecule to the largest organic fragment of its SMILES.
        noise: standard deviation of repeated measurements in the label's unit, which tables show; not part of a job.
        noise_source: publication that `noise` is from.
        title: name in tables of a paper; `name` if empty.
        own_graphs: columns of x and of edge_attr of graphs without SMILES (`dataset=pyg`); set by `complete`.
        reading_version: version of the rules for cells, set by `complete` if earlier rules gave other results.
        unlabeled: whether a row of a table with a single target has no label; set by `complete`.
        sources: where the published file is looked for, in order.
        sha256: digest of the unpacked file, which identifies the data in a job's key.
        asset_sha256: digest of the bundled copy, which has the same molecules and labels in fewer columns.
        absent_rows: data rows (from 0) that the bundled copy lacks because RDKit cannot parse them.
        rows: expected number of rows.
        num_tasks: expected number of target columns.
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
    group_column: str | None = None
    duplicates: str = "keep"
    na_values: list[str] = field(default_factory=list)
    censored: str = "error"
    relation_column: str | None = None
    strip_salts: bool = False
    own_graphs: list[int] | None = None
    reading_version: int | None = None
    unlabeled: bool = False
    path: str | None = None
    sources: list[str] = field(default_factory=list)
    file: str | None = None
    sha256: str | None = None
    asset_sha256: str | None = None
    absent_rows: list[int] = field(default_factory=list)
    rows: int | None = None
    num_tasks: int | None = None
    title: str = ""
    noise: float | None = None
    noise_source: str | None = None
    reference: str | None = None
    license: str | None = None

    def __post_init__(self) -> None:
        self._check_origin()
        self._check_meaning()

    def _check_origin(self) -> None:
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

    def _check_meaning(self) -> None:
        if self.task is not None:
            check_choice("task", self.task, TASKS)
        if self.metric is not None:
            of_task = [name for name, metric in METRICS.items() if self.task in (None, metric.task)]
            check_choice("metric", self.metric, of_task)
        if self.noise is not None:
            check_range("noise", self.noise, 0, open_low=True)
        check_choice("duplicates", self.duplicates, DUPLICATES)
        check_choice("censored", self.censored, CENSORED)
        if self.targets is not None and (not self.targets or len(set(self.targets)) < len(self.targets)):
            problem = f"targets must name at least one column, each once: {self.targets}"
            raise UsageError(problem, key="targets", got=self.targets)
        if self.classes is not None and (len(self.classes) != 2 or self.classes[0] == self.classes[1]):
            problem = f"classes must be the texts of the negative and the positive class: {self.classes}"
            raise UsageError(problem, key="classes", got=self.classes)

    def reading(self) -> dict[str, Any]:
        """Return the settings for reading cells that differ from their defaults, part of a job's identity."""
        given = {name: getattr(self, name) for name in READING} | {"na_values": sorted(self.na_values)}
        given["relation_column"] = self.relation_column if self.censored == "drop" else None
        given["reading"] = self.reading_version
        return {name: value for name, value in given.items() if value not in ([], "error", False, None)}

    @staticmethod
    def fields_of(identity: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that `reading` put into a job's identity."""
        found = {name: identity[name] for name in READING if name in identity}
        return found | {"reading_version": identity.get("reading")}

    def source(self) -> Source:
        """Return the sources of the published file."""
        return Source(
            what=f"data set {self.name}",
            file=str(self.file),
            sha256=str(self.sha256),
            places=tuple(self.sources),
            asset=f"data/{self.name}.csv.gz" if "bundled" in self.sources else None,
            asset_sha256=self.asset_sha256,
        )
