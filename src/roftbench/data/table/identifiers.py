"""Columns that identify molecules or rows, by their names: no labels, but what a molecule is called."""

import re
from collections.abc import Sequence

BETWEEN = r"[^A-Za-z0-9#°º]*"
NUMBERED = (  # what has numbers of its own; a property such as an octane number, or a count of hits, does not
    "accession|assay|batch|bottle|box|cas|cat|catalogu?e?|chemical|cmpd|compound|container|cpd|drug|entry|example|exp"
    "|experiment|inventory|item|ligand|line|lot|mdl|mol|molecule|nsc|order|page|part|patent|plate|position|product|project"
    "|rack|record|ref|reference|reg|registration|registry|row|run|sample|sequence|serial|series|structure|study|substance"
    "|table|test|tube|vial|well"
)
NUMBER = "ids?|no|nr|n[°º]|num|numbers?|codes?|rn|#|uuid|guid"
IDENTIFIERS = re.compile(
    rf"(?i:{BETWEEN}(({NUMBERED}){BETWEEN})*({NUMBER}){BETWEEN}|ids?[ _.-].*|batch.*|barcode.*|lot|plate|well|vial"
    r"|sample|run|replicate|cas|reg|entry|[sac]id|eln|molregno|.*[ _.-]([csa]?id|uuid|guid)|.*chembl_?id"
    r"|((compound|molecule|drug|mol)[ _.-]?)?name|title|compound)|.*[a-z]I[Dd]"
)
ROW_NUMBERS = re.compile(r"(|id|index|idx|cid|row|num|unnamed.*|__index_level_.*|.*_id)", re.IGNORECASE | re.DOTALL)


def identifier_kind(name: str) -> str | None:
    """Return why numbers in a column of this name are no labels, "row number" or "identifier"; None if they may be."""
    if ROW_NUMBERS.fullmatch(name.strip()):
        return "row number"
    return "identifier" if IDENTIFIERS.fullmatch(name.strip()) else None


def identifier_columns(names: Sequence[str]) -> list[int]:
    """Return the positions of columns that name molecules, in order, those of mere row numbers last."""
    found = [at for at, name in enumerate(names) if name.strip() and identifier_kind(name)]
    return sorted(found, key=lambda at: IDENTIFIERS.fullmatch(names[at].strip()) is None)
