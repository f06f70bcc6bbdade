"""`roftbench tables`: read the store, write leaderboards, print them."""

import json
from pathlib import Path

from rich.console import Console

from roftbench.errors import UsageError
from roftbench.report.aggregate import cells, long_table, mean_rank
from roftbench.report.models import by_model, render, write_models
from roftbench.report.tables import finished, print_rich, to_json, write_tables
from roftbench.store import Record, Store


def show_tables(results: Path, out: Path | None, *, by: str, as_json: bool) -> int:
    """Print the tables of all records under `results` and write them as Markdown and CSV; returns 0.

    `by` says what their rows are: "method" or "model".

    Raises:
        UsageError: there is no finished job, or the tables cannot be written.
    """
    records = Store(results).load()
    show = _show_models if by == "model" else _show_methods
    try:
        written = show(records, results, out or results / "tables", as_json=as_json)
    except OSError as error:
        raise UsageError(f"the tables cannot be written: {error}") from None
    if not as_json:
        print(f"{len(records)} records; written: {', '.join(map(str, written))}")
    return 0


def _show_methods(records: list[Record], results: Path, out: Path, *, as_json: bool) -> list[Path]:
    written = write_tables(records, out, results)
    table = cells(long_table(records))
    ranks = mean_rank(table)
    if as_json:
        print(json.dumps(json.loads(to_json(table, ranks)), indent=1))
    else:
        print_rich(table, ranks, Console())
    return written


def _show_models(records: list[Record], results: Path, out: Path, *, as_json: bool) -> list[Path]:
    frame = by_model(cells(finished(records, results)))
    written = write_models(frame, out)
    print(json.dumps(json.loads(frame.to_json(orient="records")), indent=1) if as_json else render(frame))
    return written
