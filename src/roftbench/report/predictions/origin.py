"""Molecules and labels of a job, found again from its record: the data file, verified, and the parts of the split."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from roftbench.config.dataset_specs import dataset_specs
from roftbench.config.job import DATASET_IDENTITY, Component
from roftbench.config.paths import Paths, absolute
from roftbench.config.stable_names import present_path
from roftbench.data.config import DatasetSpec
from roftbench.data.smiles import BLANKS
from roftbench.data.table.identifiers import identifier_columns
from roftbench.data.table.load import open_table, read_table
from roftbench.errors import UsageError
from roftbench.report.cell_key import canonical_json
from roftbench.store.checksums import sha256
from roftbench.store.record_schema import Record, RecordSummary

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Labels:
    """The R rows of a data file as jobs use them.

    Attributes:
        smiles: SMILES, [R].
        y: labels, [R, T], NaN where missing.
        targets: names of the T labels.
        ids: cells of the first column that is named like an identifier, [R]; None without one.
        units: unit of the labels, "" where it is not known.
    """

    smiles: list[str]
    y: NDArray[np.float64]
    targets: list[str]
    ids: list[str] | None
    units: str = ""


class Origins:
    """Data files behind records, none of which is downloaded; what was read last is kept: jobs of one should follow."""

    def __init__(self, paths: Paths) -> None:
        self.results, self.cache, self.places = (
            absolute(paths.results),
            absolute(paths.cache),
            replace(paths.places(), offline=True),
        )
        self._last: dict[str, tuple[str, Any]] = {}

    def labels(self, record: Record | RecordSummary) -> Labels:
        """Return the rows of a job's data file.

        Raises:
            UsageError: the file is missing, or no longer the one of the job.
        """
        return self._once("labels", record, self._labels)

    def dataset(self, record: Record | RecordSummary) -> Any:
        """Return the `MoleculeDataset` of a job; raises as `labels` does."""
        from roftbench.data.dataset import load_dataset  # here, as it imports torch, which takes seconds

        return self._once("dataset", record, lambda spec: load_dataset(spec, self.cache / "data", self.places))

    def train(self, record: Record | RecordSummary) -> NDArray[np.int64]:
        """Return the indices of a job's training molecules in its `dataset`.

        Raises:
            UsageError: the data file or the split cannot be found again, or gives other parts than the job had.
        """
        from roftbench.config.components import build
        from roftbench.data.label_ratio import LabelRatio

        job = record.job
        ratio = LabelRatio(**{field.name: job["label_ratio"][field.name] for field in fields(LabelRatio)})
        _, parts = self.dataset(record).cut(build(self._split(job["split"])), ratio)
        if record.data.parts_sha256 not in (None, parts.sha256):
            raise UsageError(f"split={job['split']['name']} gives other parts now than the job had", key="split")
        train: NDArray[np.int64] = parts.train
        return train

    def _split(self, given: dict[str, Any]) -> Component:
        """Return a recorded split; only classes of roftbench are built, and files of parts are those of `advise`."""
        from roftbench.config.plugins import import_allowed
        from roftbench.data.split import Splitter

        target, params = present_path(given["target"]), dict(given["params"])
        import_allowed(target, "split", (), (Splitter,))
        if "sha256" in params:
            found = (self.results / "advise").glob(f"*/{given['name']}.json")
            paths = [path for path in sorted(found) if sha256(path.read_bytes()) == params["sha256"]]
            if not paths:
                raise UsageError("the path of the split's file is not recorded", key="split.path")
            params["path"] = str(paths[0])
        return Component(given["name"], target, params)

    def _once(self, kind: str, record: Record | RecordSummary, make: Callable[[DatasetSpec], _Value]) -> _Value:
        spec = spec_of(record)
        key = canonical_json([repr(spec)])
        if kind not in self._last or self._last[kind][0] != key:
            self._last[kind] = key, make(spec)
        value: _Value = self._last[kind][1]
        return value

    def _labels(self, spec: DatasetSpec) -> Labels:
        table = read_table(spec, self.places)
        y = table.labels
        if spec.duplicates == "merge":  # the first row of a molecule has the label of all
            from roftbench.data.dataset import load_dataset

            merged = load_dataset(spec, self.cache / "data", self.places)
            y = np.full_like(y, np.nan)
            y[merged.rows] = merged.y
        smiles = ["" if spec.own_graphs else text.strip(BLANKS) for text in table.smiles]
        return Labels(smiles, y, table.targets, self._ids(spec, table.place), spec.units or "")

    def _ids(self, spec: DatasetSpec, place: str) -> list[str] | None:
        if place == "bundled":  # the copy has no other columns
            return None
        sheet, _ = open_table(spec, self.places)
        used = {spec.smiles_column, spec.split_column, spec.group_column, spec.relation_column, *(spec.targets or ())}
        column = next((at for at in identifier_columns(sheet.names) if sheet.names[at] not in used), None)
        return None if column is None else sheet.load([column])[0].to_pylist()


def spec_of(record: Record | RecordSummary) -> DatasetSpec:
    """Return the data set of a job: the shipped one with its checksum, else the file that the record names.

    Raises:
        UsageError: the record does not name a file.
    """
    given, place = record.job["dataset"], record.data.place
    known = {name: given[name] for name in DATASET_IDENTITY if name in given}
    known |= {**DatasetSpec.fields_of(given), "group_column": record.job["split"]["params"].get("column")}
    shipped = _shipped().get(given["name"])
    if shipped is not None and shipped.sha256 == given["sha256"]:
        return replace(shipped, **known)
    if place is None:
        raise UsageError(f"the record does not name the file of data set {given['name']}", key="dataset.path")
    return DatasetSpec(path=str(Path(place)), units=record.data.units, **known)


@cache
def _shipped() -> dict[str, DatasetSpec | None]:
    return dataset_specs()
