"""Real jobs for the report's page: few, small, and with everything that the page must be able to show."""

from itertools import product

from lab import FOREST, Lab

METHODS = ("full_ft", "lp", "roftmol")
ALPHAS = (0.1, 0.9)  # what the search tries


def fill(lab: Lab) -> None:
    """Run full tables at 50 and 100 labels, a gap, a search, another model, a baseline, and a job that fails."""
    for labels, dataset, method, seed in product(("n50", "n100"), ("esol", "bbbp"), METHODS, (0, 1)):
        lab.done(f"label_ratio={labels}", f"dataset={dataset}", f"method={method}", f"seed={seed}")
    random = ("split=random", "dataset=esol")
    for seed in (0, 1):
        lab.done(*random, "method=wise_ft", "method.search=true", f"method.grid.alpha={list(ALPHAS)}", f"seed={seed}")
    lab.done(*random, "method=full_ft", "seed=0")
    lab.done("model=scratch", "model.dim=16", "model.num_layers=2", "method=lp", "seed=0")
    lab.done(*FOREST, "seed=0")
    lab.done(*FOREST, "seed=1")
    failed = lab.run("method=bss", "train.lr=1e30")
    assert failed.status == "failed"
