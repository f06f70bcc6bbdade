"""Tables of the scores of all jobs: scores.csv, and settings.json with the contents behind its hashes.

    write_scores(records, failures, folder) -> [Path]
    read_scores(*paths) -> (records, failures)     as `read_records` returns them

There is one row per job and candidate; a failed or skipped job has one row without scores. Numbers have full precision,
so that repeated jobs can be compared bit for bit. An empty cell is a value that the job does not have, such as a metric
of the other task; `nan` is an undefined metric.
"""

import csv
import gzip
import io
import json
import logging
import math
from collections.abc import Iterator, Mapping
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from roftbench.errors import UsageError
from roftbench.formatting import csv_lines, from_spreadsheet_text, spreadsheet_text
from roftbench.metrics import METRICS
from roftbench.report.cell_key import canonical_json
from roftbench.report.cost import FITS, TOTAL, fit_cpu_seconds, fit_seconds
from roftbench.report.pretrain_gain import Gain, pretrain_gains
from roftbench.report.score_columns import (
    ADDED,
    COLUMNS,
    COST,
    DATA,
    DIAGNOSTICS,
    ENV,
    GRAPHS,
    LABELS,
    NUMBERS,
    PARTS,
    SPREAD,
    TRAIN,
    UNNAMED,
)
from roftbench.store.checksums import digest_of_text
from roftbench.store.files import atomic, write_text
from roftbench.store.gzipped import GZIP, unpacked
from roftbench.store.record_schema import (
    CandidateResult,
    Count,
    DataResult,
    Failure,
    GraphCount,
    JobResult,
    LabelCount,
    LabelStatistics,
    PartScores,
    RecordSummary,
    Scores,
)

logger = logging.getLogger(__name__)

SCORES, PACKED, SETTINGS = "scores.csv", "scores.csv.gz", "settings.json"
_Row = dict[str, str]


def write_scores(
    records: list[RecordSummary], failures: list[Failure], folder: Path, *, packed: bool = False
) -> list[Path]:
    """Write scores.csv and settings.json into a folder, each replaced as a whole; returns their paths.

    `packed`: write scores.csv.gz instead. Columns of training scores stand there if a record has them. Equal records
    give equal files. Raises OSError if a file cannot be written.
    """
    settings, gains = _Settings(), pretrain_gains(records)
    results: list[RecordSummary | Failure] = [*records, *failures]
    rows = (row for result in results for row in _rows(result, settings, gains))
    trained = any(one.scores is not None for one in records)
    kept = [number for number, name in enumerate(COLUMNS) if trained or name not in TRAIN]
    text = csv_lines([row[number] for number in kept] for row in chain([COLUMNS], rows))
    write_text(folder / SETTINGS, json.dumps(settings.contents, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    path = folder / (PACKED if packed else SCORES)
    if packed:
        with atomic(path) as temporary:
            temporary.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        write_text(path, text)
    return [path, folder / SETTINGS]


def read_scores(*paths: Path) -> tuple[list[RecordSummary], list[Failure]]:
    """Return the finished jobs, and the failed and skipped ones, of one or several files, as `read_records` does.

    A job in several files counts once: the first finished one, or the first if none is. A warning counts the jobs with
    other scores in a later file.

    Raises:
        UsageError: a file is missing or not in the format of `write_scores`.
    """
    found: dict[str, RecordSummary | Failure] = {}
    others: dict[str, float] = {}
    for result in (result for path in paths for result in _read(path)):
        first = found.setdefault(result.key, result)
        if isinstance(result, Failure):
            continue
        if isinstance(first, Failure):
            found[result.key] = result
        elif _scores(result) != _scores(first):
            others[result.key] = _apart(first, result)
    if others:
        worst = max(others, key=lambda key: others[key])
        parts = [found[worst].name(part) for part in ("model", "method", "dataset", "seed")]
        name = ", ".join(parts[:-1]) + f", seed {parts[-1]}"
        logger.warning(
            "%d jobs have other scores in a later file, the test score by up to %.2g %% (%s); those of the first count",
            len(others),
            100 * others[worst],
            name,
        )
    ordered = [found[key] for key in sorted(found)]
    failures = [one for one in ordered if isinstance(one, Failure)]
    return [one for one in ordered if isinstance(one, RecordSummary)], failures


def _scores(result: RecordSummary) -> list[tuple[Any, ...]]:
    return [(one.params, one.val, one.test, one.best_epoch) for one in result.candidates]


def _apart(first: RecordSummary, other: RecordSummary) -> float:
    """Return the largest relative difference of a job's test scores in two files; 1 where only one is undefined."""
    of = {str(one.params): one.test.get(first.metric) for one in first.candidates}
    pairs = [(of.get(str(one.params)), one.test.get(first.metric)) for one in other.candidates]
    shares = (float(a is not b) if a is None or b is None else abs(a - b) / max(abs(a), 1e-12) for a, b in pairs)
    return max(shares, default=0.0)


def _read(path: Path) -> list[RecordSummary | Failure]:
    beside = path.with_name(SETTINGS)
    try:
        settings = json.loads(beside.read_text(encoding="utf-8"))
        raw = path.read_bytes()
        content = unpacked(raw) if raw.startswith(GZIP) else raw
        with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            there = list(rows.fieldnames or ())
            if there != [name for name in COLUMNS if name in there or name not in ADDED]:
                raise ValueError(f"{path.name} has not the columns of a {SCORES} of this version")
            whole = map(_whole, rows)
            return [_result(list(group), settings) for _, group in groupby(whole, key=itemgetter("key", "status"))]
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
    """Contents of parts by their hashes; a part that many records share as one object is hashed once."""

    def __init__(self) -> None:
        self.contents: dict[str, dict[str, Any]] = {part: {} for part in (*PARTS, *UNNAMED)}
        self._known: dict[int, tuple[Any, str]] = {}

    def hash(self, part: str, content: Any) -> str:
        if id(content) not in self._known:
            # With the content, because ids of deleted objects are reused.
            self._known[id(content)] = content, digest_of_text(canonical_json(content))
        name = self._known[id(content)][1]
        self.contents[part][name] = content
        return name


def _rows(result: RecordSummary | Failure, settings: _Settings, gains: Mapping[Any, Gain]) -> Iterator[list[Any]]:
    """Yield the rows of a record, in the order of COLUMNS."""
    job = result.job
    named = [result.key, result.status, *(spreadsheet_text(result.name(part)) for part in PARTS), job["seed"]]
    about = [job["dataset"]["task"], result.metric]
    versions = [job["protocol"], job.get("featurizer"), *(result.env.get(name) for name in ENV)]
    hashes = [settings.hash(part, job[part]) if part in job else None for part in (*PARTS, *UNNAMED)]
    if isinstance(result, Failure):
        counts = [None] * len((*LABELS, *GRAPHS, *DATA, *SPREAD))
        unscored = [params_text(result), *about, *[None] * (2 * len(METRICS) + len(TRAIN)), None]
        costs = [None] * len(("seconds", *COST, "peak_memory_mb", "trained_parameters", *DIAGNOSTICS))
        yield [*named, *unscored, *counts, *versions, *costs, *hashes, spreadsheet_text(result.error)]
        return
    spread = result.data.test_labels or LabelStatistics()
    parts = ((result.count.labels, LABELS), (result.count.graphs, GRAPHS), (result.data, DATA), (spread, SPREAD))
    counts = [getattr(part, name) for part, names in parts for name in names]
    spans = [result.seconds.get(TOTAL), fit_seconds(result), fit_cpu_seconds(result)]
    cost = [*spans, result.peak_memory_mb, result.trained_parameters]
    train = _train_scores(result)
    for number, one in enumerate(result.candidates):
        found = [scores.get(metric, "") for metric in METRICS for scores in (one.val, one.test)]
        found += [train.get(number, {}).get(metric, "") for metric in METRICS]
        scored = ["nan" if value is None else value for value in found]
        yield [
            *(*named, params_text(result, one.params), *about, *scored, one.best_epoch),
            *(*counts, *versions, *cost, *_diagnostics(result, one, gains), *hashes, None),
        ]


def _train_scores(result: RecordSummary) -> dict[int, Scores]:
    """Return the training scores by number of the candidate: of the chosen one alone, as records hold them."""
    chosen = result.scores
    if chosen is None:
        return {}
    equal = [one.val == chosen.val and one.test == chosen.test for one in result.candidates]
    return {equal.index(True): chosen.train} if any(equal) else {}


def _diagnostics(result: RecordSummary, one: CandidateResult, gains: Mapping[Any, Gain]) -> list[Any]:
    """Return the values of DIAGNOSTICS, as far as they are known."""
    blocks = None if one.parameter_shift is UNSET else json.dumps(one.parameter_shift)
    shift = "nan" if one.feature_shift is None else None if one.feature_shift is UNSET else one.feature_shift
    gain = gains.get((result.key, canonical_json({**result.job["method"]["params"], **one.params})), (None, None))
    return [blocks, shift, *gain]


def params_text(result: JobResult, candidate: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return the hyperparameters of a job, with those of one of its candidates, as JSON."""
    params = {**result.job["method"]["params"], **candidate}
    return msgspec.json.encode(params, order="sorted").decode()


def _result(rows: list[_Row], settings: dict[str, Any]) -> RecordSummary | Failure:
    """Return the record that gave some rows."""
    row = rows[0]
    parts = {part: settings[part][row[f"{part}_hash"]] for part in (*PARTS, *UNNAMED) if row[f"{part}_hash"]}
    numbers = {name: _number(row[name]) for name in ("protocol", "featurizer", "seed")}
    job = {**numbers, **parts}
    env = {name: (_number(row[name]) if name in NUMBERS else row[name] or None) for name in ENV}
    if row["status"] != "done":
        status: Literal["failed", "skipped"] = "skipped" if row["status"] == "skipped" else "failed"
        return Failure(key=row["key"], status=status, job=job, error=from_spreadsheet_text(row["error"]), env=env)
    scores = [_part_scores(one) for one in rows]
    return RecordSummary(
        key=row["key"],
        job=job,
        candidates=[_candidate(*one) for one in zip(rows, scores, strict=True)],
        scores=next((one for one in scores if one.train), None),
        count=Count(
            GraphCount(*(_number(row[f"graphs_{name}"]) for name in GRAPHS)),
            LabelCount(*(_number(row[f"labels_{name}"]) for name in LABELS)),
        ),
        data=_data(row),
        env=env,
        seconds=_spans(row, {FITS: "fit_seconds", TOTAL: "seconds"}),
        cpu_seconds=_spans(row, {FITS: "fit_cpu_seconds"}),
        peak_memory_mb=_number(row["peak_memory_mb"]),
        trained_parameters=_number(row["trained_parameters"]),
    )


def _spans(row: _Row, columns: Mapping[str, str]) -> dict[str, Any]:
    return {name: _number(row[column]) for name, column in columns.items() if row[column]}


def _data(row: _Row) -> DataResult:
    spread = LabelStatistics(*(_number(row[f"test_label_{name}"]) for name in SPREAD))
    numbers = {name: _number(row[f"data_{name}"]) for name in DATA if name != "sha256"}
    return DataResult(
        row["data_sha256"] or None, **numbers, test_labels=None if spread == LabelStatistics() else spread
    )


def _part_scores(row: _Row) -> PartScores:
    parts = ("train", "val", "test")
    return PartScores(*({name: _score(text) for name in METRICS if (text := row[f"{part}_{name}"])} for part in parts))


def _candidate(row: _Row, scores: PartScores) -> CandidateResult:
    blocks = json.loads(row["parameter_shift"]) if row["parameter_shift"] else UNSET
    shift = _score(row["feature_shift"]) if row["feature_shift"] else UNSET
    params, epoch = json.loads(row["params"]), _number(row["best_epoch"])
    return CandidateResult(params, scores.val, scores.test, epoch, parameter_shift=blocks, feature_shift=shift)


def _number(text: str) -> Any:
    return json.loads(text) if text else None


def _score(text: str) -> float | None:
    value = float(text)
    return None if math.isnan(value) else value
