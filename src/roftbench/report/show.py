"""`roftbench tables`: read the store, write leaderboards, print them."""

import json
from pathlib import Path

from rich.console import Console

from roftbench.errors import UsageError
from roftbench.report.aggregate import cells, long_table, mean_rank
from roftbench.report.tables import print_rich, to_json, write_tables
from roftbench.store import Store


def show_tables(results: Path, out: Path | None, *, as_json: bool) -> int:
    """Print the leaderboards of all records under `results` and write them as Markdown and CSV; returns 0.

    Raises:
        UsageError: there is no finished job, or the tables cannot be written.
    """
    records = Store(results).load()
    try:
        written = write_tables(records, out or results / "tables", results)
    except OSError as error:
        raise UsageError(f"the tables cannot be written: {error}") from None
    table = cells(long_table(records))
    ranks = mean_rank(table)
    if as_json:
        print(json.dumps(json.loads(to_json(table, ranks)), indent=1))
        return 0
    print_rich(table, ranks, Console())
    print(f"{len(records)} records; written: {', '.join(map(str, written))}")
    return 0
