"""Provenance of a table: request, data, protocol, versions, commits."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from roftbench.formatting import printable_name
from roftbench.report.format import METRIC_NAMES, MISSING, markdown_table
from roftbench.report.query import ALL
from roftbench.report.tables.board import Board

_Line = list[str]
_DATA = ("sha256", "rows", "kept")
_ENV = ("roftbench", "commit", "torch", "device")
_LATER = ("processor", "arithmetic")  # missing from older records: named where recorded


def data_lines(board: Board) -> list[_Line]:
    """Return a row for each data set and fingerprint: name, sha256, rows, rows kept, jobs."""
    found = Counter(
        (record.name("dataset"), *(getattr(record.data, name) for name in _DATA)) for record in board.records
    )
    return sorted([*map(_text, names), str(count)] for names, count in found.items())


def protocol_of(job: dict[str, Any]) -> int:
    """Return the protocol of a job, or that of its method's own definition where it was raised later."""
    return max(int(job["protocol"]), int(job["method"].get("protocol", 0)))


def asked(board: Board, *flags: str) -> str:
    """Return a sentence with the metric of the scores and the command that prints them."""
    metrics = ", ".join(METRIC_NAMES[name] for name in sorted(set(board.long["metric"])))
    by = f"by {metrics}" if board.request.metric else f"by each data set's own metric ({metrics})"
    by = f"by each metric, comparisons by each data set's own ({metrics})" if board.request.metric == ALL else by
    return f"Scores {by}; made by `{' '.join(['roftbench tables', *flags, *board.request.words()])}`."


def brief(board: Board, *flags: str) -> str:
    """Return the provenance in one line for the terminal, with shortened hashes."""
    protocols = _some({str(protocol_of(record.job)) for record in board.records})
    env = [record.env for record in board.records]
    versions = _some(set(map(_text, {one.get("roftbench") for one in env})))
    commits = _some(set(map(_commit, {one.get("commit") for one in env})))
    data = ", ".join(f"{name} {sha256[:8]}" for name, sha256, *_ in data_lines(board))
    parts = [f"protocol {protocols}", f"roftbench {versions}", f"commit {commits}", f"data {data}"]
    return f"{asked(board, *flags)} {' · '.join(parts)}"


def facts(board: Board) -> list[str]:
    """Return protocol, versions and machines, with the number of jobs for each where there are several."""
    jobs, failures = len(board.records), Counter(failure.status for failure in board.failures)
    lines = [f"{jobs} finished jobs, {failures['failed']} failed, {failures['skipped']} skipped"]
    lines.append(_counted("protocol", (protocol_of(record.job) for record in board.records)))
    lines.append(_counted("featurizer", (record.job.get("featurizer") for record in board.records)))
    found = {name: [record.env.get(name) for record in board.records] for name in (*_ENV, *_LATER)}
    return lines + [_counted(name, values) for name, values in found.items() if name in _ENV or any(values)]


def render_provenance(board: Board, *flags: str) -> str:
    """Return the provenance as a section of Markdown; `flags`: those of the command that prints the tables."""
    data = markdown_table(["Data set", "sha256 of the file", "Rows", "Kept", "Jobs"], data_lines(board))
    return "\n\n".join(["## Provenance", asked(board, *flags), "\n".join(f"- {one}" for one in facts(board)), data])


def _counted(name: str, values: Iterable[Any]) -> str:
    found = {_text(value): count for value, count in Counter(values).items()}
    if len(found) == 1:
        return f"{name}: {next(iter(found))}"
    return f"{name}: {', '.join(f'{value} ({count} jobs)' for value, count in sorted(found.items()))}"


def _some(values: set[str]) -> str:
    """Return the first value and the number of further ones."""
    first, *others = sorted(values)
    return f"{first} and {len(others)} more" if others else first


def _commit(text: str | None) -> str:
    """Return the first digits of a commit, and whether there were local changes."""
    digits, dash, rest = (text or MISSING).partition("-")
    return digits[:8] + dash + rest


def _text(value: Any) -> str:
    return MISSING if value is None else printable_name(value)
