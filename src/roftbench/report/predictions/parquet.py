"""predictions.parquet: predictions beside labels, the companion of scores.csv.

One row per job, part, molecule and target with a label. `job` is the `key` of scores.csv, and `params` its `params`.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from roftbench.console import bar
from roftbench.errors import UsageError
from roftbench.formatting import counted
from roftbench.report.cell_key import canonical_json
from roftbench.report.predictions.origin import Labels, Origins
from roftbench.report.scores import params_text
from roftbench.store.files import atomic
from roftbench.store.record_schema import Predictions, Record, RecordSummary
from roftbench.store.results import Store

logger = logging.getLogger(__name__)

FILE = "predictions.parquet"
FEW = 250_000  # rows that are written by default, in about a second
ROWS = 100_000  # of a row group, at least: the memory that writing needs
PATIENCE = 2.0  # seconds without a progress bar
_TEXT = ("job", "model", "method", "dataset", "split", "label_ratio")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXT),
        *(("seed", pa.int64()), ("fold", pa.int32()), ("params", pa.string()), ("part", pa.string())),
        *(("row", pa.int64()), ("id", pa.string()), ("smiles", pa.string()), ("target", pa.string())),
        *(("label", pa.float64()), ("prediction", pa.float64())),
    ]
)


def expected_rows(records: Sequence[RecordSummary]) -> int:
    """Return about how many rows `write_predictions` would write, from the numbers of labels of the jobs."""
    return sum((one.count.labels.test or 0) + (one.count.labels.selection or 0) for one in records)


def write_predictions(records: Sequence[RecordSummary], store: Store, origins: Origins, folder: Path) -> list[Path]:
    """Write predictions.parquet for finished jobs of a store, as a whole; returns its path, if there is a row.

    Jobs whose data file cannot be found again are left out, and a warning names the reason. Row groups have ROWS rows,
    and no more are in memory. Equal records give equal files.

    Raises:
        OSError: the file cannot be written.
    """
    path = folder / FILE
    groups = _row_groups(_tables(records, store, origins))
    first = next(groups, None)
    if first is None:
        return []
    with atomic(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for group in chain([first], groups):
            writer.write_table(group, row_group_size=len(group))
    return [path]


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of tables in groups of at least ROWS, the last of fewer; a table is never divided."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(map(len, held)) >= ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _tables(records: Sequence[RecordSummary], store: Store, origins: Origins) -> Iterator[pa.Table]:
    """Yield the rows of each job, those of one data file together, as it is then read once."""
    left_out: dict[str, int] = {}
    order = sorted(records, key=lambda one: (canonical_json(one.job["dataset"]), str(one.data.place), one.key))
    for one in bar(order, "predictions", "job", delay=PATIENCE):
        record = store.get(one.key)
        if record is None:  # removed meanwhile, or unreadable, which has been reported
            continue
        try:
            yield from tables_of(record, origins.labels(record))
        except UsageError as error:
            left_out[str(error)] = left_out.get(str(error), 0) + 1
    for reason, count in left_out.items():
        logger.warning("%s lacks %s: %s", FILE, counted(count, "job"), reason)


def tables_of(record: Record, labels: Labels) -> Iterator[pa.Table]:
    """Yield the rows of a job: those of the validation part, which older records lack, then those of the test part."""
    for part, found in (("val", record.val_predictions), ("test", record.test_predictions)):
        if found is not None and found.row:
            yield _table(record, part, found, labels)


def _table(record: Record, part: str, found: Predictions, labels: Labels) -> pa.Table:
    """Return the rows of a part: of each molecule in order, those targets that it has a label of."""
    rows = np.array(found.row)
    y, prediction = labels.y[rows], np.array(found.prediction)
    molecule, target = np.nonzero(~np.isnan(y))
    count, at = len(molecule), pa.array(rows[molecule])
    named = {name: record.key if name == "job" else record.name(name) for name in _TEXT}
    named |= {"seed": record.job["seed"], "fold": record.job["split"]["params"].get("fold"), "part": part}
    named["params"] = params_text(record, record.chosen)
    columns = {name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), count) for name, value in named.items()}
    columns |= {
        "row": at,
        "id": pa.nulls(count, pa.string()) if labels.ids is None else pa.array(labels.ids, pa.string()).take(at),
        "smiles": pa.array(labels.smiles, pa.string()).take(at),
        "target": pa.array(labels.targets, pa.string()).take(pa.array(target)),
        "label": pa.array(y[molecule, target]),
        "prediction": pa.array(prediction[molecule, target]),
    }
    return pa.table(columns, SCHEMA)
