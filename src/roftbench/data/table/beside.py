"""Warnings on columns beside the labels of a user's table: signs, units, marks of missing values."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from roftbench.data.config import DatasetSpec
from roftbench.data.table.labels import Labels
from roftbench.data.table.relations import EQUAL, RELATIONS
from roftbench.formatting import counted
from roftbench.overrides import as_needed, shell_word

PER = r"[ ./*]?[uµμm]?(l|kg|g)(\^?-1)?"
UNITS = re.compile(
    rf"%|[fpnuµμm]?M|[fpnuµμm]?mol({PER})?|[npuµμmk]?g{PER}|min|hr?s?|k(cal|j)([ ./]mol(\^?-1)?)?", re.IGNORECASE
)
NINES = re.compile(r"-?9{2,}(\.[09]+)?")  # as in -999, 9999.0, -99.9, common marks of missing values
GLANCE = 2000  # first cells, which show whether a column has many different values
FEW = 20  # different values of a column of signs or units


def reading_notes(spec: DatasetSpec, read: Sequence[Labels]) -> Iterator[str]:
    """Yield notes for the record on the effect of the options for label cells."""
    missing, bounded = sum(one.missing for one in read), sum(one.bounded for one in read)
    if missing:
        verb = "is a mark of a missing value" if missing == 1 else "are marks of missing values"
        yield f"{counted(missing, 'label')} {verb} (dataset.na_values) and left out"
    if bounded:
        done = "left out" if spec.censored == "drop" else "taken as the bound itself"
        how = f"{'is' if bounded == 1 else 'are'} {done} (dataset.censored={spec.censored})"
        yield f"{counted(bounded, 'label')} with a sign such as > or < {how}"


def cautions(
    spec: DatasetSpec, targets: Sequence[str], labels: NDArray[np.float64], others: Mapping[str, pa.ChunkedArray]
) -> Iterator[str]:
    """Yield warnings on the labels [R, T] of the target columns and on the other columns, given by name."""
    labeled = pa.array(~np.isnan(labels).all(axis=1))
    for name, cells in others.items():
        if len(pc.unique(cells[:GLANCE])) <= FEW:
            yield from _beside(name, cells.filter(labeled))
    if spec.task == "regression":
        for name, y in zip(targets, labels.T, strict=True):
            yield from _sentinels(name, y[~np.isnan(y)])


def _beside(name: str, cells: pa.ChunkedArray) -> Iterator[str]:
    """Yield a warning if a column holds signs other than "=", or several units."""
    counts = pc.value_counts(pc.utf8_trim(cells, characters=" \t'\""))
    if not 0 < len(counts) <= FEW:
        return
    found = dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True))
    found.pop("", None)
    listed = ", ".join(f"{text} in {counted(count, 'row')}" for text, count in found.items())
    signs = {text.lower() for text in found}
    if found and signs <= RELATIONS and not signs <= EQUAL:
        yield (
            f"column '{name}' holds signs beside the labels ({listed}): a label with > or < is a bound, and is read as"
            f" a number. dataset.censored=drop {shell_word('dataset.relation_column', as_needed(name))} leaves such"
            " labels out"
        )
    elif len(found) > 1 and (all(map(UNITS.fullmatch, found)) or re.search(r"\bunits?\b", name.lower())):
        yield f"column '{name}' holds several units beside the labels ({listed}): convert the labels to one of them"


def _sentinels(name: str, y: NDArray[np.float64]) -> Iterator[str]:
    """Yield a warning on labels such as -999 far outside of all others."""
    values, counts = np.unique(y, return_counts=True)
    ends = np.zeros(len(values), np.bool_)
    for at in {*range(len(values))[:FEW], *range(len(values))[-FEW:]}:
        ends[at] = NINES.fullmatch(f"{values[at]:.15g}") is not None
    rest = values[~ends]
    if not ends.any() or len(rest) < 2:
        return
    span = rest[-1] - rest[0]
    for value, count in zip(values[ends], counts[ends], strict=True):
        if not rest[0] - span <= value <= rest[-1] + span:
            yield (
                f"{count} labels of '{name}' are {value:.15g}, far from all others: a mark of missing values?"
                f" 'dataset.na_values=[{value:.15g}]' leaves them out"
            )
