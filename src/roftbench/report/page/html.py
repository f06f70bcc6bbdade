"""The HTML page of `roftbench report`: tables, figures and jobs in one file that needs no network."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from roftbench.config.paths import Paths
from roftbench.errors import UsageError
from roftbench.formatting import printable
from roftbench.report.aggregate import long_table
from roftbench.report.page.data import page_data
from roftbench.report.page.jobs import POINTS
from roftbench.report.page.sections import Beside, beside_tables, empty_sections
from roftbench.report.page.templates import content, environment, source_hash, styles
from roftbench.report.query import Request
from roftbench.report.records import read_records
from roftbench.report.scores import read_scores
from roftbench.store.files import check_output, write_output
from roftbench.store.results import Store

# In order of use.
SCRIPTS = (
    "dom",
    "data",
    "state",
    "notes",
    "cost",
    "board",
    "chart",
    "versus",
    "within",
    "curves",
    "jobs",
    "facts",
    "app",
)
COUNTS = ("jobs", "models", "methods", "datasets", "seeds", "failed", "skipped")


def write_report(
    results: Path,
    out: Path,
    scores: Sequence[Path] = (),
    paths: Paths | None = None,
    request: Request | None = None,
) -> dict[str, Any]:
    """Write the page of all records under `results`, or of `scores.csv` files without learning curves, atomically.

    Returns the data of the page. With `paths`, where data files are found, it has pictures of predictions. `request`
    names reference and delta of comparisons.

    Raises:
        UsageError: there is no finished job, the reference has none, a file cannot be read, or the page cannot be
            written.
    """
    check_output(out)
    store = None if scores else Store(results)
    records, failures = Request().chosen(*(read_records(store) if store else read_scores(*scores)))
    long = long_table(records)
    if long.empty:
        source = ", ".join(map(str, scores)) or results
        problem = f"no finished jobs under {source}: run `roftbench run method=… dataset=…` first"
        raise UsageError(problem, key="paths.results", got=str(source))
    data = page_data(store, records, failures, long, request)
    write_output(out, render(data, beside_tables(store, long, paths) if store and paths else None))
    return data


def words(data: dict[str, Any], out: Path) -> str:
    """Return a message about the written page, and the learning curves that were omitted."""
    size = f"{out.stat().st_size / 1e6:.1f} MB"
    left = {0: "no learning curves: too many jobs for one page", POINTS: ""}.get(
        data["points"], f"learning curves of at most {data['points']} epochs per stage"
    )
    left = "no learning curves, which scores.csv does not hold" if data["from_scores"] else left
    return printable(f"{len(data['jobs'])} records; written: {out} ({size}{'; ' * bool(left)}{left})")


def render(data: dict[str, Any], beside: Beside | None = None) -> str:
    """Return the page of `page_data`; equal data give equal text.

    Its content security policy allows its own scripts and style by their hashes alone: no text in the data can run, and
    nothing is requested from the network.
    """
    parts = {"style": styles("style"), "theme": content("theme.js")}
    parts["app"] = "\n".join(content(f"{name}.js") for name in SCRIPTS)
    return (
        environment()
        .get_template("template.html")
        .render(
            beside=beside or Beside(),
            empty=empty_sections(data),
            version=data["version"],
            jobs=len(data["jobs"]),
            source="jobs of scores.csv" if data["from_scores"] else "job records",
            counts=[(_named(name, n), n) for name in COUNTS if (n := data["counts"][name]) or name != "skipped"],
            hashes={name: Markup(source_hash(text)) for name, text in parts.items()},
            data=Markup(to_script(data)),
            **{name: Markup(text) for name, text in parts.items()},
        )
    )


def to_script(data: Any) -> str:
    """Return data as JSON for a script element, without characters that could end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _named(name: str, count: int) -> str:
    words = name.replace("datasets", "data sets")
    return words.removesuffix("s") if count == 1 else words
