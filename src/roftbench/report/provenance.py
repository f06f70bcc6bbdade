"""Where the numbers of a table come from: data, protocol, versions, commits."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from roftbench.report.board import Board
from roftbench.report.text import MISSING, markdown_table

_Line = list[str]
_ENV = {"roftbench": "roftbench", "commit": "commit", "torch": "torch", "device": "device"}


def data_lines(board: Board) -> list[_Line]:
    """Return a row for each data set and fingerprint: name, sha256, rows, rows kept, jobs."""
    found = Counter(
        (record["job"]["dataset"]["name"], *(_text(record["data"].get(name)) for name in ("sha256", "rows", "kept")))
        for record in board.records
    )
    return [[*names, str(count)] for names, count in sorted(found.items())]


def facts(board: Board) -> list[str]:
    """Return what made the numbers, each with the number of jobs where it is not that of all."""
    jobs, failures = len(board.records), Counter(record["status"] for record in board.failures)
    lines = [f"{jobs} finished jobs, {failures['failed']} failed, {failures['skipped']} skipped"]
    lines.append(_counted("protocol", (record["job"]["protocol"] for record in board.records)))
    lines.append(_counted("featurizer", (record["job"].get("featurizer") for record in board.records)))
    return lines + [
        _counted(name, (record["env"].get(field) for record in board.records)) for name, field in _ENV.items()
    ]


def render_provenance(board: Board) -> str:
    """Return it all as a section of Markdown."""
    command = " ".join(["roftbench tables", *board.request.words()])
    data = markdown_table(["Data set", "sha256 of the file", "Rows", "Kept", "Jobs"], data_lines(board))
    return "\n\n".join(["## Provenance", f"Made by `{command}`.", "\n".join(f"- {one}" for one in facts(board)), data])


def _counted(name: str, values: Iterable[Any]) -> str:
    found = Counter(map(_text, values))
    if len(found) == 1:
        return f"{name}: {next(iter(found))}"
    return f"{name}: {', '.join(f'{value} ({count} jobs)' for value, count in sorted(found.items()))}"


def _text(value: Any) -> str:
    return MISSING if value is None else str(value)
