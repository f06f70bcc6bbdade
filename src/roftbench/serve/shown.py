"""Rows of a table of predictions as the page shows them; every text is that of the downloaded table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roftbench.formatting import printable_name
from roftbench.predict.column_names import (
    DOMAIN,
    HIGH,
    ID,
    LOW,
    NEIGHBOR,
    PREDICTED,
    PROBABILITY,
    REASON,
    ROW,
    SIMILARITY,
    SMILES,
    STD,
)


@dataclass(frozen=True)
class Value:
    """The prediction of one task, as cells of the table and as numbers for a drawing.

    Attributes:
        task: Name of the task.
        text: The prediction, or the probability of the positive class.
        low: Lower end of the interval, "" without one.
        high: Upper end.
        std: Standard deviation, "" without one.
        numbers: Prediction and, if there is one, the ends of the interval.
    """

    task: str
    text: str
    low: str
    high: str
    std: str
    numbers: list[float]


@dataclass(frozen=True)
class Neighbor:
    """The nearest training molecule: its identifier or row, and its labels by task."""

    name: str
    labels: dict[str, str]
    smiles: str


@dataclass(frozen=True)
class Row:
    """A molecule with its predictions; without any, `reason` says why. `neighbor` is None where it is unknown."""

    smiles: str
    name: str
    reason: str
    similarity: str
    domain: str
    values: list[Value]
    neighbor: Neighbor | None


@dataclass(frozen=True)
class Answer:
    """The table with the added columns as CSV, and its rows for the page."""

    table: bytes
    rows: list[Row]


@dataclass(frozen=True)
class About:
    """What the page says of its models.

    Attributes:
        names: Models and methods.
        task: "regression" or "classification".
        targets: Names of the tasks.
        units: Unit of the labels, "" if it is not known.
        positive: The class that probabilities are those of, "" for a regression.
        ranges: Smallest and largest training label by task, of a regression.
        labels: Number of training labels of all tasks.
        cards: Model cards, as Markdown.
    """

    names: str
    task: str
    targets: list[str]
    units: str
    positive: str
    ranges: dict[str, tuple[float, float]]
    labels: int
    cards: list[str]


def row_of(smiles: str, name: str, tasks: Sequence[str], cells: Mapping[str, str]) -> Row:
    """Return a row from the columns that predictions add to a table."""
    values = [found for task in tasks if (found := _value(task, cells)) is not None]
    return Row(
        smiles=printable_name(smiles),
        name=printable_name(name),
        reason=printable_name(cells[REASON]),
        similarity=cells.get(SIMILARITY, ""),
        domain=cells.get(DOMAIN, ""),
        values=values,
        neighbor=_neighbor(tasks, cells) if values else None,
    )


def _value(task: str, cells: Mapping[str, str]) -> Value | None:
    text = cells.get(task + PREDICTED, "") or cells.get(task + PROBABILITY, "")
    if not text:
        return None
    low, high, std = (cells.get(task + end, "") for end in (LOW, HIGH, STD))
    return Value(printable_name(task), text, low, high, std, [float(one) for one in (text, low, high) if one])


def _neighbor(tasks: Sequence[str], cells: Mapping[str, str]) -> Neighbor | None:
    smiles, row = cells.get(SMILES, ""), cells.get(ROW, "")
    if not (smiles or row):
        return None
    name = cells.get(ID, "") or f"training row {row}"
    labels = {printable_name(task): cells.get(task + NEIGHBOR, "") for task in tasks}
    return Neighbor(printable_name(name), {task: label for task, label in labels.items() if label}, smiles)
