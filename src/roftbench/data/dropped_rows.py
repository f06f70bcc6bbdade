"""Rows of a file that give no molecule, with reasons, and remarks on how the cells of the others were read."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roftbench.data.config import DatasetSpec

ABSENT = "RDKit cannot parse the SMILES of the published file; the bundled copy leaves the row out"
NUMBERS = re.compile(r"(?<![+\w])\d+(, ?\d+)*(?!\w)")  # in reasons that are counted together
NOTES = {  # on cells with more than a SMILES, by field of `roftbench.data.smiles.Cell`
    "named": "{} SMILES cells have a name after a blank: it is not read",
    "extended": "{} SMILES cells have a CXSMILES extension: it is read by RDKit",
    "mapped": "atom-map numbers of {} SMILES are ignored",
    "stripped": "{} molecules are the largest organic fragment of their SMILES (dataset.strip_salts)",
}


@dataclass(frozen=True)
class Dropped:
    """A row that is not used: its data row (from 0), its SMILES, and the reason."""

    row: int
    smiles: str
    reason: str


def reason_counts(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """Return the kinds of reasons, which differ in more than numbers, and their counts, the most frequent first."""
    return Counter(NUMBERS.sub("…", reason) for reason in reasons).most_common()


def no_graph(spec: DatasetSpec, dropped: Sequence[tuple[int, str]]) -> str:
    """Return why a data set has no molecule: the most frequent reasons of its rows, and advice."""
    kinds = reason_counts(reason for _, reason in dropped)
    reasons = "; ".join(f"{count} × {reason}" for reason, count in kinds[:3])
    if any(kind.startswith("dummy atom") for kind, _ in kinds):
        ends = "cap the ends of a polymer's repeating unit with H or C, say"
        return f"data set {spec.name}: no row of {len(dropped)} has a graph ({reasons}). Replace each '*': {ends}."
    return f"data set {spec.name}: no row of {len(dropped)} has a graph; is '{spec.smiles_column}' SMILES? ({reasons})"


def cell_notes(counts: Mapping[str, int]) -> list[str]:
    """Return remarks on cells with more than a SMILES, from their counts by kind."""
    return [text.format(counts[name]) for name, text in NOTES.items() if counts.get(name)]
