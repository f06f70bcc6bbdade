"""Measure what calibration by few held-out labels changes in the log loss of a test part.

    python -m scripts.calibration_gain --out results/calibration_gain.md

Three bundled data sets of classes and five targets of MoleculeACE, whose classes are the labels more than half a
standard deviation above the median and the others. Four random draws of 200 training labels each and of so many
held-out ones; all other molecules are the test part. Platt's map is applied always, and where `calibration.platt`
does.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roftbench.config.compose import composed
from roftbench.config.parse import parse
from roftbench.console import bar
from roftbench.data.dataset import load_dataset
from roftbench.methods.estimator import Estimator
from roftbench.methods.gaussian_process import GaussianProcess
from roftbench.methods.random_forest import RandomForest
from roftbench.methods.ridge import Ridge
from roftbench.predict.calibration import LEAST, UNCHANGED, calibrated, fitted, log_losses, platt
from roftbench.predict.held_out import HeldOut
from roftbench.predict.neighbors import packed_bits
from roftbench.report.format import markdown_table
from roftbench.store.files import write_text

CLASSES = ("bace", "bbbp", "clintox")
NUMBERS = ("chembl2034_ki", "chembl2047_ec50", "chembl2147_ki", "chembl2835_ki", "chembl4616_ec50")
METHODS: dict[str, Estimator] = {
    "random_forest, 50 trees": RandomForest(n_estimators=50),
    "ridge": Ridge(),
    "gp": GaussianProcess(),
}
TRAIN, HELD_OUT, DRAWS = 200, (20, 50, 200), 4


def loaded(name: str) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the ECFP4 bits [N, 2048] and classes [N] of a data set."""
    job, context, _ = parse(composed(["model=ecfp", "method=ridge", f"dataset={name}"], None), None)
    dataset = load_dataset(job.dataset, context.cache, context.places)
    y = dataset.y[:, 0]
    classes = y if name in CLASSES else (y > np.median(y) + 0.5 * y.std()).astype(float)
    return np.unpackbits(packed_bits(dataset.smiles), axis=1), classes


def changes(
    bits: NDArray[np.uint8], y: NDArray[np.float64], order: NDArray[np.int64], held: int, method: Estimator
) -> tuple[float, float, bool] | None:
    """Return the change of the test log loss by the map always and by the rule, and whether the rule applies it."""
    train, val, test = np.split(order, [TRAIN, TRAIN + held])
    if min((y[val] == 1).sum(), (y[val] == 0).sum()) < LEAST or len(np.unique(y[train])) < 2:
        return None
    predict = method.fit(bits[train], y[train], "classification", seed=0, threads=1)
    held_out = HeldOut(val, y[val, None], predict(bits[val])[:, None])
    before = predict(bits[test])[:, None]
    maps = (np.array([UNCHANGED]), np.array([fitted(held_out.y[:, 0], held_out.prediction[:, 0])]), platt(held_out))
    never, always, rule = (
        float(log_losses(HeldOut(test, y[test, None], calibrated(before, one)))[0] or 0) for one in maps
    )
    return always - never, rule - never, maps[2].tolist() != [list(UNCHANGED)]


def main() -> None:
    """Measure all cells and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the report, Markdown")
    given = parser.parse_args()
    cells: dict[tuple[int, str], list[tuple[float, float, bool]]] = {key: [] for key in product(HELD_OUT, METHODS)}
    for name in bar((*CLASSES, *NUMBERS), "data sets", "set"):
        bits, y = loaded(name)
        draw = np.random.default_rng(0)
        for held, _ in product(HELD_OUT, range(DRAWS)):
            order = draw.permutation(len(y))
            for method, estimator in METHODS.items():
                if (one := changes(bits, y, order, held, estimator)) is not None:
                    cells[held, method].append(one)
    head = ["held-out labels", "ecfp", "fits", "always", "worst", "by the rule", "worst", "applied"]
    rows = []
    for (held, method), fits in cells.items():
        always, rule, applied = np.array(fits).T
        numbers = [always.mean(), always.max(), rule.mean(), rule.max()]
        rows.append([str(held), method, str(len(fits)), *(f"{one:+.4f}" for one in numbers), f"{applied.mean():.0%}"])
    title = "# Calibration by few labels\n\nWritten by `python -m scripts.calibration_gain --out FILE`.\n\n"
    text = " ".join((__doc__ or "").split("\n\n")[2].split())
    below = "Change of the log loss of the test part, negative where it is better: mean over the fits, and the worst."
    write_text(given.out, f"{title}{text}\n{below}\n\n{markdown_table(head, rows)}\n")


if __name__ == "__main__":
    main()
