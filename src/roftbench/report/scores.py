"""The scores of all jobs as a table that outlives the records: scores.csv, and settings.json for what its hashes mean.

    write_scores(records, failures, folder) -> [Path]
    read_scores(*paths) -> (records, failures)     as `read_records` gives them

One row a job and candidate; a failed or skipped job has one row without scores. Numbers are written in full precision,
so that a job that is run again can be compared bit for bit. An empty cell is what the job does not have, such as the
metrics of the other task; `nan` is a metric that is undefined for it.
"""

import csv
import io
import json
import logging
import math
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from roftbench.errors import UsageError
from roftbench.formatting import from_spreadsheet_text, spreadsheet_text
from roftbench.metrics import METRICS
from roftbench.report.cell_key import short_hash
from roftbench.store.files import write_text
from roftbench.store.results import Record

logger = logging.getLogger(__name__)

SCORES, SETTINGS = "scores.csv", "settings.json"
PARTS = ("model", "method", "dataset", "split", "label_ratio", "train")
BESIDE = ("graphs", "fingerprint")  # parts without a name, of some models
LABELS = ("weights", "selection", "interpolation", "test")
GRAPHS = ("train", "val", "test")
DATA = ("sha256", "rows", "kept")
ENV = ("roftbench", "commit", "torch", "device", "processor", "threads", "arithmetic")
ADDED = ("processor", "arithmetic")  # columns that older files lack
NUMBERS = ("threads", "arithmetic")  # of ENV
COLUMNS = [
    *("key", "status", *PARTS, "seed", "params", "task", "metric"),
    *(f"{part}_{metric}" for metric in METRICS for part in ("val", "test")),
    *("best_epoch", *(f"labels_{name}" for name in LABELS), *(f"graphs_{name}" for name in GRAPHS)),
    *(*(f"data_{name}" for name in DATA), "protocol", "featurizer", *ENV, "seconds", "peak_memory_mb"),
    *(*(f"{part}_hash" for part in (*PARTS, *BESIDE)), "error"),
]
_Row = dict[str, str]


def write_scores(records: list[Record], failures: list[Record], folder: Path) -> list[Path]:
    """Write scores.csv and settings.json into a folder, each replaced as a whole; returns their paths.

    Equal records give equal files. Raises OSError if a file cannot be written.
    """
    settings = _Settings()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in (*records, *failures):
        writer.writerows(_rows(record, settings))
    write_text(folder / SETTINGS, json.dumps(settings.contents, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    write_text(folder / SCORES, text.getvalue())
    return [folder / SCORES, folder / SETTINGS]


def read_scores(*paths: Path) -> tuple[list[Record], list[Record]]:
    """Return the finished jobs, and the failed and skipped ones, of one or several files, as `read_records` does.

    A job that is in several of them counts once: where it is finished before where it is not, else where it comes
    first. A warning says how many jobs have other scores elsewhere.

    Raises:
        UsageError: a file is missing or is none that `write_scores` writes.
    """
    found: dict[str, Record] = {}
    others: dict[str, float] = {}
    for record in (record for path in paths for record in _read(path)):
        first = found.setdefault(record["key"], record)
        if _done(record) and not _done(first):
            found[record["key"]] = record
        elif _done(record) and record["candidates"] != first["candidates"]:
            others[record["key"]] = _apart(first, record)
    if others:
        worst = max(others, key=lambda key: others[key])
        job = found[worst]["job"]
        name = ", ".join(str(job[part]["name"]) for part in ("model", "method", "dataset")) + f", seed {job['seed']}"
        logger.warning(
            "%d jobs have other scores in a later file, the test score by up to %.2g %% (%s); those of the first count",
            len(others),
            100 * others[worst],
            name,
        )
    ordered = [found[key] for key in sorted(found)]
    return [one for one in ordered if _done(one)], [one for one in ordered if not _done(one)]


def _apart(first: Record, other: Record) -> float:
    """By which share of it a test score of a job differs in another file, at most; 1 where one alone is undefined."""
    metric = first["job"]["dataset"]["metric"]
    of = {str(one["params"]): one["test"].get(metric) for one in first["candidates"]}
    pairs = [(of.get(str(one["params"])), one["test"].get(metric)) for one in other["candidates"]]
    return max((_share(a, b) for a, b in pairs), default=0.0)


def _share(a: float | None, b: float | None) -> float:
    if a is None or b is None:
        return float(a is not b)
    return abs(a - b) / max(abs(a), 1e-12)


def _done(record: Record) -> bool:
    return bool(record["status"] == "done")


def _read(path: Path) -> list[Record]:
    beside = path.with_name(SETTINGS)
    try:
        settings = json.loads(beside.read_text(encoding="utf-8"))
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if rows.fieldnames not in (COLUMNS, [name for name in COLUMNS if name not in ADDED]):
                raise ValueError(f"{path.name} has not the columns of a {SCORES} of this version")
            whole = map(_whole, rows)
            return [_record(list(group), settings) for _, group in groupby(whole, key=itemgetter("key", "status"))]
    except OSError as error:
        if path.is_file() and not beside.exists():
            problem = f"--from {path} is not what `roftbench tables` writes: no {SETTINGS} lies beside it"
            raise UsageError(problem, key="--from", got=str(path)) from None
        raise UsageError(f"--from {path}: {error.strerror}", key="--from", got=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = f"{beside.name} lacks {error}" if isinstance(error, KeyError) else error
        raise UsageError(
            f"--from {path} is not what `roftbench tables` writes: {reason}", key="--from", got=str(path)
        ) from None


def _whole(row: dict[str, Any]) -> _Row:
    if None in row.values():
        raise ValueError(f"the row of {row['key']} is cut short")
    return {**dict.fromkeys(ADDED, ""), **row}


class _Settings:
    """The contents of parts by their hashes; a part that many records share as one object is hashed once."""

    def __init__(self) -> None:
        self.contents: dict[str, dict[str, Any]] = {part: {} for part in (*PARTS, *BESIDE)}
        self._known: dict[int, tuple[Any, str]] = {}

    def hash(self, part: str, content: Any) -> str:
        if id(content) not in self._known:
            self._known[id(content)] = content, short_hash(content)  # kept, so that its id stays its own
        name = self._known[id(content)][1]
        self.contents[part][name] = content
        return name


def _rows(record: Record, settings: _Settings) -> Iterator[list[Any]]:
    """The rows of a record, in the order of COLUMNS."""
    job, count, env = record["job"], record["count"], record["env"]
    names = (spreadsheet_text(str(job[part]["name"])) for part in PARTS)
    named = [record["key"], record["status"], *names, job["seed"]]
    error = record["error"] and spreadsheet_text(record["error"])
    about = [job["dataset"]["task"], job["dataset"]["metric"]]
    counts = [
        count.get(what, {}).get(name) for what, names in (("labels", LABELS), ("graphs", GRAPHS)) for name in names
    ]
    versions = [*(record["data"].get(name) for name in DATA), job["protocol"], job.get("featurizer")]
    cost = [*(env.get(name) for name in ENV), record["seconds"].get("total"), record["peak_memory_mb"]]
    hashes = [settings.hash(part, job[part]) if part in job else None for part in (*PARTS, *BESIDE)]
    for one in record["candidates"] or [None]:
        params, scores, best_epoch = _candidate(job, one)
        yield [*named, params, *about, *scores, best_epoch, *counts, *versions, *cost, *hashes, error]


def _candidate(job: dict[str, Any], one: dict[str, Any] | None) -> tuple[str, list[Any], int | None]:
    """Hyperparameters, scores and best epoch of a candidate; of a job that has none, the hyperparameters."""
    params = {**job["method"]["params"], **(one["params"] if one else {})}
    text = msgspec.json.encode(params, order="sorted").decode()
    if one is None:
        return text, [None] * 2 * len(METRICS), None
    found = [one[part].get(metric, "") for metric in METRICS for part in ("val", "test")]
    return text, ["nan" if value is None else value for value in found], one.get("best_epoch")


def _record(rows: list[_Row], settings: dict[str, Any]) -> Record:
    """The record that `_rows` made rows of."""
    row = rows[0]
    parts = {part: settings[part][row[f"{part}_hash"]] for part in (*PARTS, *BESIDE) if row[f"{part}_hash"]}
    numbers = {name: _number(row[name]) for name in ("protocol", "featurizer", "seed")}
    return {
        "key": row["key"],
        "status": row["status"],
        "job": {**numbers, **parts},
        "candidates": [_scores(one) for one in rows] if row["status"] == "done" else [],
        "count": {"labels": _taken("labels", row, LABELS), "graphs": _taken("graphs", row, GRAPHS)},
        "data": {"sha256": row["data_sha256"] or None, **{name: _number(row[f"data_{name}"]) for name in DATA[1:]}},
        "env": {name: (_number(row[name]) if name in NUMBERS else row[name] or None) for name in ENV},
        "seconds": {"total": _number(row["seconds"])} if row["seconds"] else {},
        "peak_memory_mb": _number(row["peak_memory_mb"]),
        "error": from_spreadsheet_text(row["error"]) or None,
    }


def _scores(row: _Row) -> dict[str, Any]:
    parts = {
        part: {name: _score(text) for name in METRICS if (text := row[f"{part}_{name}"])} for part in ("val", "test")
    }
    return {"params": json.loads(row["params"]), **parts, "best_epoch": _number(row["best_epoch"])}


def _taken(prefix: str, row: _Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := _number(row[f"{prefix}_{name}"])) is not None}


def _number(text: str) -> Any:
    return json.loads(text) if text else None


def _score(text: str) -> float | None:
    value = float(text)
    return None if math.isnan(value) else value
