"""The column of signs beside labels, such as "Standard Relation" of ChEMBL: a label with > or < is a bound."""

import re
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from roftbench.data.config import DatasetSpec
from roftbench.data.table.labels import Labels
from roftbench.data.table.reader import Sheet
from roftbench.errors import UsageError
from roftbench.formatting import counted

RELATIONS = {
    "=", ">", "<", ">=", "<=", "=>", "=<", ">>", "<<", "~", "≥", "≤", "≈", "＞", "＜", "⩾", "⩽", "≧", "≦",
    "eq", "gt", "lt", "ge", "le", "gte", "lte",
}  # fmt: skip
EQUAL = {"", "=", "eq"}
NAMES = (  # usual names, in lower case with _ between words
    "standard_relation", "relation", "published_relation", "activity_qualifier", "acqualifier", "qualifier", "operator",
    "sign",
)  # fmt: skip


def relation_column(sheet: Sheet, used: Collection[str | None]) -> str | None:
    """Return the column with a usual name that holds nothing but signs, or None; `used` have another role."""
    named = {re.sub(r"[^a-z]+", "_", name.lower()).strip("_"): name for name in reversed(sheet.names)}
    for usual in NAMES:
        name = named.get(usual)
        if name is not None and name not in used and sheet.names.count(name) == 1:
            texts = set(pc.unique(signs(sheet.columns([name])[0])).to_pylist())
            if texts - {""} and texts <= RELATIONS | {""}:
                return name
    return None


def signs(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells in lower case, without blanks and quotes around them: ChEMBL writes '>'."""
    return pc.utf8_lower(pc.utf8_trim(cells, characters=" \t'\""))


def with_relations(
    spec: DatasetSpec, sheet: Sheet, cells: pa.ChunkedArray, read: Sequence[Labels]
) -> tuple[list[Labels], list[str]]:
    """Return labels [R] after `dataset.censored` for rows with a sign other than "=", and a note with their number.

    Args:
        spec: description of the data set, with a column of signs.
        sheet: its table.
        cells: the cells of that column.
        read: label columns; the sign of a row holds for all of them.

    Raises:
        UsageError: a cell is no sign, or a label is a bound and dataset.censored does not state what to do.
    """
    name, found = str(spec.relation_column), signs(cells)
    bounds = pc.invert(pc.is_in(found, value_set=pa.array(sorted(EQUAL))))
    unknown = pc.index(pc.is_in(found, value_set=pa.array(["", *sorted(RELATIONS)])), False).as_py()
    if unknown >= 0:
        problem = f"{sheet.what}, column '{name}', data row {unknown + 1}: '{cells[unknown].as_py()[:80]}' is no sign"
        hint = "Allowed: =, >, <, >=, <=, ~ and the like, or an empty cell, which means =."
        raise UsageError(problem, key="dataset.relation_column", got=cells[unknown].as_py(), hint=hint)
    labels = [pc.and_(bounds, pc.not_equal(one.cells, "")) for one in read]
    count = sum(pc.sum(one).as_py() or 0 for one in labels)
    if not count:
        return list(read), []
    if spec.censored == "error":
        row = min(at for at in (pc.index(one, True).as_py() for one in labels) if at >= 0)
        problem = (
            f"{sheet.what}: {count} labels are bounds by column '{name}', the first in data row {row + 1}:"
            f" '{cells[row].as_py()}'"
        )
        hint = "Set dataset.censored=drop (no label) or dataset.censored=bound (the number)."
        raise UsageError(problem, key="dataset.censored", got=spec.censored, hint=hint)
    if spec.censored == "drop":
        read = [one._replace(cells=pc.if_else(bounds, "", one.cells)) for one in read]
    done = "left out" if spec.censored == "drop" else "taken as the bound itself"
    note = (
        f"{counted(count, 'label')} with a sign other than = in column '{name}' {'is' if count == 1 else 'are'} {done}"
    )
    note += f" (dataset.censored={spec.censored})"
    return list(read), [note]
