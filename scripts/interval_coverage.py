"""Measure 90 % intervals on ten targets: coverage by similarity, width, and correlation of error and width.

    python -m scripts.interval_coverage --work DIR --out results/interval_coverage.md [--labels 600,100]

The tables are those of MoleculeACE 3.0.0 in `conf/dataset/chembl*.yaml`. Each is cut into five test folds, at random or
by scaffolds. So many labels are drawn from the other four and cut in the same way; each of these folds is predicted by
a model of the others, the test fold by a model of all. Intervals are made from the out-of-fold errors, as by
`run.keep=all`, of one width and normalized. What is predicted is kept in DIR, so that the same command continues after
an interruption.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold

from roftbench import embed
from roftbench.config.compose import composed
from roftbench.config.parse import parse
from roftbench.console import bar
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.methods.estimator import Estimator
from roftbench.methods.gaussian_process import GaussianProcess
from roftbench.methods.random_forest import RandomForest
from roftbench.methods.ridge import Ridge
from roftbench.predict.conformal import Intervals, half_widths
from roftbench.predict.held_out import HeldOut, joined
from roftbench.predict.neighbors import among, packed_bits
from roftbench.predict.reliability import BANDS
from roftbench.report.format import markdown_table
from roftbench.store.files import atomic, write_text

TABLES = (
    "chembl2034_ki", "chembl2047_ec50", "chembl204_ki", "chembl2147_ki", "chembl237_ec50", "chembl2835_ki",
    "chembl4005_ki", "chembl4203_ki", "chembl4616_ec50", "chembl4792_ki",
)  # fmt: skip
SPLITS = ("random", "scaffold")
MODELS: dict[str, tuple[str, Estimator]] = {
    "ecfp · ridge": ("ecfp", Ridge()),
    "ecfp · gp": ("ecfp", GaussianProcess()),
    "ecfp · random_forest, 100 trees": ("ecfp", RandomForest(n_estimators=100)),
    "gin_masking · gp": ("gin_masking", GaussianProcess()),
}
FOLDS = 5
FEW = 100  # labels in a band, below which its coverage is not shown

Column = NDArray[np.float64]


class Table:
    """A data set, cut into folds."""

    def __init__(self, name: str) -> None:
        job, context, _ = parse(composed(["model=ecfp", "method=ridge", f"dataset={name}"], None), None)
        self.name = name
        self.dataset: MoleculeDataset = load_dataset(job.dataset, context.cache, context.places)
        self.y = self.dataset.y[:, 0]

    @cached_property
    def packed(self) -> NDArray[np.uint8]:
        """The packed ECFP4 fingerprints, [N, 256]."""
        return packed_bits(self.dataset.smiles)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """The fingerprints as bits, [N, 2048]."""
        return np.unpackbits(self.packed, axis=1)

    @cached_property
    def embedding(self) -> NDArray[np.float32]:
        """The representations by gin_masking, [N, d]."""
        return embed(self.dataset.smiles, model="gin_masking")

    def folds(self, index: NDArray[np.int64], split: str, seed: int) -> list[NDArray[np.int64]]:
        """Return some molecules in five parts."""
        if split == "random":
            cuts: Any = KFold(FOLDS, shuffle=True, random_state=seed).split(index)
        else:
            groups = self.dataset.scaffold_groups()[index]
            cuts = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(index, groups=groups)
        return [index[part] for _, part in cuts]

    def parts(self, split: str, labels: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the molecules of the drawn labels and of the test fold, for each test fold."""
        draw = np.random.default_rng(0)
        every = np.arange(len(self.y))
        for test in self.folds(every, split, 0):
            others = np.setdiff1d(every, test)
            yield np.sort(draw.choice(others, min(labels, len(others)), replace=False)), test


@dataclass(frozen=True)
class Judged:
    """Test molecules of one table: absolute errors, half widths (normalized and constant), similarity, [M] each."""

    error: Column
    width: Column
    constant: Column
    similarity: Column


def fitted(table: Table, model: str, rows: NDArray[np.int64], queries: NDArray[np.int64]) -> Column:
    """Return the predictions for some molecules by a model of others."""
    kind, estimator = MODELS[model]
    x: NDArray[Any] = table.bits if kind == "ecfp" else table.embedding
    return estimator.fit(x[rows], table.y[rows], "regression", seed=0, threads=1)(x[queries])


def predicted(table: Table, model: str, split: str, labels: int, work: Path) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield, for each test fold, molecules and their predictions, in and out of fold."""
    for number, (train, test) in enumerate(table.parts(split, labels)):
        path = work / f"{table.name}-{split}-{number}-{labels}-{list(MODELS).index(model)}.npz"
        if not path.exists():
            inside = np.empty(len(train))
            fold = np.empty(len(train), np.int64)
            for at, part in enumerate(table.folds(train, split, 1)):
                place = np.searchsorted(train, part)
                inside[place] = fitted(table, model, np.setdiff1d(train, part), part)
                fold[place] = at
            outside = fitted(table, model, train, test)
            with atomic(path) as temporary, temporary.open("wb") as file:
                np.savez(file, train=train, test=test, fold=fold, inside=inside, outside=outside)
        with np.load(path) as content:
            yield dict(content)


def judged(table: Table, found: dict[str, NDArray[Any]]) -> Judged:
    """Return how intervals from the out-of-fold errors fit the test fold."""
    train, test, fold = found["train"], found["test"], found["fold"]
    parts = []
    for number in range(FOLDS):
        own = fold == number
        one = HeldOut(train[own], table.y[train[own], None], found["inside"][own, None])
        rest = train[~own]
        parts.append(among(one, table.packed[train[own]], table.packed[rest], table.y[rest, None]))
    held_out = joined(parts)
    new = HeldOut(test, table.y[test, None], found["outside"][:, None])
    new = among(new, table.packed[test], table.packed[train], table.y[train, None])
    assert new.similarity is not None
    width = Intervals.of(held_out).half_widths(new.prediction, new.around)[:, 0]
    error = np.abs(new.y - new.prediction)[:, 0]
    return Judged(error, width, np.full(len(test), half_widths(held_out)[0]), new.similarity)


def row(tables: Sequence[Judged], labels: int, split: str, model: str) -> list[dict[str, str]]:
    """Return the rows of the report for all tables together: normalized intervals and those of one width."""
    error, similarity = (np.concatenate([getattr(one, name) for one in tables]) for name in ("error", "similarity"))
    rows = []
    for kind in ("width", "constant"):
        width = np.concatenate([getattr(one, kind) for one in tables])
        ratio = np.mean([getattr(one, kind).mean() / one.constant.mean() for one in tables])
        within = [np.corrcoef(one.error, getattr(one, kind))[0, 1] for one in tables]
        inside, bands = error <= width, {}
        for low, high in pairwise(BANDS):
            band = (similarity >= low) & ((similarity < high) | (high == BANDS[-1]))
            bands[f"{low:g}–{high:g}"] = f"{inside[band].mean():.3f} ({band.sum()})" if band.sum() >= FEW else "–"
        normalized = kind == "width"
        rows.append(
            {
                "labels": str(labels),
                "split": split,
                "model": model,
                "intervals": "normalized" if normalized else "one width",
                "all": f"{inside.mean():.3f}",
                **bands,
                "mean width": f"{ratio:.3f}",
                "correlation": f"{np.corrcoef(error, width)[0, 1]:.2f}",
                "inside tables": f"{np.mean(within):.2f}" if normalized else "–",
            }
        )
    return rows


HEAD = """\
# Coverage of 90 % intervals by similarity

Written by `python -m scripts.interval_coverage --work DIR --out FILE`.

Ten targets of MoleculeACE, five test folds each (random, or whole scaffolds). Intervals come from out-of-fold errors on
at most so many labels, cut in the same way. Coverage of all test labels together and by Tanimoto similarity (ECFP4) to
the nearest training molecule, with the number of labels; its standard error is 0.3/√n, 1.6 % for 350 labels. Mean width
is relative to intervals of one width, averaged over tables; correlation is that of absolute error and width, over all
test labels and as the mean over tables. With intervals of one width, the correlation over all labels is that of the
tables' own widths.

"""


def main() -> None:
    """Judge all cells and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of predictions")
    parser.add_argument("--out", type=Path, required=True, help="the report, Markdown")
    parser.add_argument("--labels", default="600,100", help="numbers of labels, separated by commas")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    counts = [int(count) for count in given.labels.split(",")]
    cells: dict[tuple[int, str, str], list[Judged]] = {}
    for name in bar(TABLES, "tables", "table", total=len(TABLES)):
        table = Table(name)
        for labels, split, model in product(counts, SPLITS, MODELS):
            folds = [judged(table, one) for one in predicted(table, model, split, labels, given.work)]
            fields = ("error", "width", "constant", "similarity")
            whole = Judged(*(np.concatenate([getattr(one, field) for one in folds]) for field in fields))
            cells.setdefault((labels, split, model), []).append(whole)
    rows = [line for key, tables in cells.items() for line in row(tables, *key)]
    write_text(given.out, HEAD + markdown_table(list(rows[0]), [list(one.values()) for one in rows]) + "\n")


if __name__ == "__main__":
    main()
