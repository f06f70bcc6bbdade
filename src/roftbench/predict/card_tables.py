"""Tables of a model card on the reliability of intervals and probabilities."""

from collections.abc import Iterator
from typing import Any

from roftbench.formatting import markdown_text
from roftbench.predict.saved_model import SavedModel

SHOWN = 20  # tasks in a table


def reliability_lines(saved: SavedModel) -> Iterator[str]:
    """Yield the lines of a card on intervals or probabilities; none for models of earlier versions."""
    found = saved.facts["calibration"]
    if saved.task == "regression" and found.get("test"):
        yield from _of_intervals(saved.targets, found["test"])
    elif saved.task == "classification" and found.get("test_nll"):
        yield "| task | negative log likelihood before calibration | after |"
        yield "|---|---|---|"
        rows = zip(saved.targets, found["test_nll_before"], found["test_nll"], strict=True)
        yield from _some([f"| {cell(name)} | {number(before)} | {number(after)} |" for name, before, after in rows])
        yield ""


def _of_intervals(targets: list[str], tasks: list[dict[str, Any]]) -> Iterator[str]:
    yield "| task | correlation of error and width | negative log likelihood | ENCE |"
    yield "|---|---|---|---|"
    values = ([one["correlation"], one["nll"], one["ence"]] for one in tasks)
    rows = [" | ".join([cell(name), *map(number, row)]) for name, row in zip(targets, values, strict=True)]
    yield from _some([f"| {row} |" for row in rows])
    yield ""
    named = zip(targets, tasks, strict=True)
    if bands := [(name, band) for name, one in named for band in one["by_similarity"]]:
        yield "| task | similarity to the nearest training molecule | labels | coverage of the 90 % interval |"
        yield "|---|---|---|---|"
        yield from _some([f"| {cell(name)} | {_band(band)} |" for name, band in bands])
        yield ""
    yield "Likelihood and ENCE, the expected normalized calibration error, take a prediction as normal with the"
    yield "standard deviation that gives its interval 90 %; 0 is the best ENCE. A band of few labels shows little."
    yield ""


def _band(band: dict[str, Any]) -> str:
    return f"{band['from']:g} to {band['to']:g} | {band['labels']} | {share(band['coverage'])}"


def _some(rows: list[str]) -> Iterator[str]:
    yield from rows[:SHOWN]
    if len(rows) > SHOWN:
        yield f"\n{len(rows) - SHOWN} more rows are in `model.json`."


def cell(name: str) -> str:
    """Return the name of a task, which is that of a column of the user's table, as a cell."""
    return markdown_text(name).replace("|", r"\|")


def number(value: float | None) -> str:
    """Return a value with four significant digits."""
    return "undefined" if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """Return a share as a percentage."""
    return "undefined" if value is None else f"{100 * value:.0f} %"
