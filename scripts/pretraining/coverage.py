"""Measure which atoms of benchmarks a pretraining corpus knows: share of atoms whose element and charge it has.

python -m scripts.pretraining.coverage --corpus pretrain/corpus [--benchmarks FOLDER_OF_PUBLISHED_FILES]
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rdkit import Chem, rdBase

from scripts.pretraining.molecules import ASSETS, CHEMBL, CHUNK, tables

COMMON = 100  # atoms in the corpus from which on an element with a charge counts as known


def count_kinds(texts: Iterable[str]) -> Counter[str]:
    """Return how many atoms of each element and charge ("N+1") the molecules have; what cannot be read is skipped."""
    found: Counter[str] = Counter()
    with rdBase.BlockLogs():
        molecules = [Chem.MolFromSmiles(text) for text in texts]
    for molecule in molecules:
        if molecule is not None:
            found.update(f"{atom.GetSymbol()}{atom.GetFormalCharge():+d}" for atom in molecule.GetAtoms())
    return found


def kinds_of(texts: list[str]) -> Counter[str]:
    """Return `count_kinds` of many molecules, on all cores."""
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    total: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        for part in pool.map(count_kinds, chunks):
            total.update(part)
    return total


def share(kinds: Counter[str], known: set[str]) -> float:
    """Return the share of atoms whose kind is known."""
    return sum(count for kind, count in kinds.items() if kind in known) / kinds.total()


def rows(tested: Iterable[tuple[str, list[str]]], known: set[str]) -> Iterator[str]:
    """Yield the lines of a Markdown table: coverage and the commonest unknown kinds of each named list of molecules."""
    yield "| data set | atoms | covered | commonest that are not |"
    yield "|---|--:|--:|---|"
    for name, texts in tested:
        kinds = kinds_of(texts)
        missing = [f"{kind} {count}" for kind, count in kinds.most_common() if kind not in known][:4]
        yield f"| {name} | {kinds.total():,} | {100 * share(kinds, known):.2f} % | {', '.join(missing) or '–'} |"


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that scripts.pretraining.corpus wrote")
    parser.add_argument("--wheels", type=Path, default=None, help="folder with or for MoleculeACE's wheel")
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[], help="folders with more tables")
    args = parser.parse_args()
    counts = kinds_of((args.corpus / "corpus.smi").read_text().split())
    known = {kind for kind, count in counts.items() if count >= COMMON}
    print(f"{len(known)} kinds of atoms occur at least {COMMON} times:", ", ".join(k for k in counts if k in known))
    tested = [
        *tables([ASSETS / "data", *args.benchmarks]),
        (str(CHEMBL), CHEMBL.smiles(args.wheels or args.corpus / "wheels")),
    ]
    print("\n".join(rows(tested, known)))


if __name__ == "__main__":
    main()
