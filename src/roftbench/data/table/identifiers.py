"""Columns that identify molecules or rows, by their names: no labels, but what a molecule is called."""

import re
from collections.abc import Sequence

IDENTIFIERS = re.compile(
    r"(?i:(batch|lot|plate|well|sample|compound|cmpd|cpd|molecule|mol|cas|registry|entry|run)?[ _.-]?"
    r"(ids?|no\.?|nr\.?|number)|ids?[ _.-].*|batch.*|barcode.*|lot|plate|well|vial|sample|run|replicate|cas|[sac]id|eln"
    r"|molregno|#|.*[ _.-][csa]?id|.*chembl_?id|((compound|molecule|drug|mol)[ _.-]?)?name|title|compound)|.*[a-z]I[Dd]"
)
ROW_NUMBERS = re.compile(r"(|id|index|idx|cid|row|unnamed.*|__index_level_.*|.*_id)", re.IGNORECASE | re.DOTALL)


def identifier_kind(name: str) -> str | None:
    """Return why numbers in a column of this name are no labels, "row number" or "identifier"; None if they may be."""
    if ROW_NUMBERS.fullmatch(name.strip()):
        return "row number"
    return "identifier" if IDENTIFIERS.fullmatch(name.strip()) else None


def identifier_columns(names: Sequence[str]) -> list[int]:
    """Return the positions of columns that name molecules, in order, those of mere row numbers last."""
    found = [at for at, name in enumerate(names) if name.strip() and identifier_kind(name)]
    return sorted(found, key=lambda at: IDENTIFIERS.fullmatch(names[at].strip()) is None)
