"""Compare rules that choose among estimators from their predictions on folds, as `roftbench advise` does.

    python -m scripts.advise_rules --datasets esol,lipo --labels 50,100 --seeds 0,1,2 [--features ecfp,minimol]

For each data set, number of labels and seed, labels are drawn at random, cut into five stratified folds (three to fit,
one for the penalty of ridge, one to be judged on), and the estimators of `advise` are fitted, the forest with 200
trees. Each rule names candidates whose predictions are averaged; its regret is by how much their RMSE on up to 400
other molecules, fitted to seven eighths of the labels, is above that of the best single candidate.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from roftbench.advise.ensembling import MOST
from roftbench.advise.significance import standard_error
from roftbench.config.components import build
from roftbench.config.compose import composed
from roftbench.config.job import NETWORK
from roftbench.config.parse import parse
from roftbench.data.dataset import load_dataset
from roftbench.methods.estimator import Estimator, Predict
from roftbench.methods.gaussian_process import GaussianProcess
from roftbench.methods.random_forest import RandomForest
from roftbench.methods.ridge import Ridge
from roftbench.report.format import markdown_table
from roftbench.runner.devices import CPU
from roftbench.runner.embeddings import embeddings

FOLDS, BINS, TEST, TREES = 5, 5, 400, 200
FOREST = "ecfp · random_forest"
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
Floats = NDArray[np.float64]
Parts = Sequence[NDArray[np.int64]]


@dataclass(frozen=True)
class Draw:
    """Losses of candidates on the folds, and predictions: by name, [5], [labels] and [test]; labels of both."""

    losses: dict[str, Floats]
    folds: dict[str, Floats]
    test: dict[str, Floats]
    y: Floats
    y_test: Floats
    sizes: list[int]

    def loss(self, names: Sequence[str]) -> float:
        """Return the mean over folds of the RMSE of candidates' mean."""
        error = np.mean([self.folds[name] for name in names], axis=0) - self.y
        return float(np.mean([rmse(part) for part in np.split(error, np.cumsum(self.sizes)[:-1])]))

    def score(self, names: Sequence[str]) -> float:
        """Return the test RMSE of candidates' mean."""
        return rmse(np.mean([self.test[name] for name in names], axis=0) - self.y_test)

    @property
    def ranked(self) -> list[str]:
        """The candidates, the best on the folds first."""
        return sorted(self.losses, key=lambda name: float(self.losses[name].mean()))


def best(draw: Draw) -> list[str]:
    """Return the best candidate."""
    return draw.ranked[:1]


def within_one_error(draw: Draw) -> list[str]:
    """Return the best candidate and those within one corrected standard error, as `advise` does."""
    first, *others = draw.ranked
    apart = {name: draw.losses[name] - draw.losses[first] for name in others}
    close = [name for name in others if apart[name].mean() <= standard_error(apart[name].tolist(), 1 / (FOLDS - 2))]
    return [first, *close][:MOST]


def forward(draw: Draw) -> list[str]:
    """Return up to three by forward selection where each gains 1 %, and the forest if the mean is at most 2 % worse."""
    chosen = draw.ranked[:1]
    while len(chosen) < 3:
        options = [[*chosen, name] for name in draw.ranked if name not in chosen]
        option = min(options, key=draw.loss)
        if not draw.loss(option) < 0.99 * draw.loss(chosen):
            break
        chosen = option
    joined = [*chosen, FOREST]
    return joined if FOREST not in chosen and draw.loss(joined) <= 1.02 * draw.loss(chosen) else chosen


def forest(_: Draw) -> list[str]:
    """Return the forest on fingerprints."""
    return [FOREST]


RULES: dict[str, Callable[[Draw], list[str]]] = {
    "best on the folds": best,
    "mean within one standard error": within_one_error,
    "forward selection and the forest": forward,
    "the forest": forest,
}


def draw(features: dict[str, NDArray[np.generic]], y: Floats, labels: int, seed: int) -> Draw:
    """Return the predictions of all candidates for a random draw of labels."""
    order = np.random.default_rng([seed, labels]).permutation(len(y))
    pool, test = order[:labels], order[labels:][:TEST]
    strata = np.argsort(np.argsort(y[pool])) * BINS // labels
    cut = [pool[part] for _, part in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(strata, strata)]
    held = labels // 8
    folds: dict[str, Floats] = {}
    found: dict[str, Floats] = {}
    for name, x in features.items():
        for method in ("random_forest", "gp", "ridge"):
            predicted = []
            for number in range(FOLDS):
                val = (number + 1) % FOLDS
                train = np.concatenate([cut[k] for k in range(FOLDS) if k not in (number, val)])
                predicted.append(fitted(method, x, y, (train, cut[val]))(x[cut[number]]))
            folds[f"{name} · {method}"] = np.concatenate(predicted)
            found[f"{name} · {method}"] = fitted(method, x, y, (pool[held:], pool[:held]))(x[test])
    truth, sizes = y[np.concatenate(cut)], [len(part) for part in cut]
    edges = np.cumsum(sizes)[:-1]
    losses = {name: np.array([rmse(part) for part in np.split(one - truth, edges)]) for name, one in folds.items()}
    return Draw(losses, folds, found, truth, y[test], sizes)


def fitted(method: str, x: NDArray[np.generic], y: Floats, parts: Parts) -> Predict:
    """Return the predictions of an estimator; ridge chooses its penalty on the second part."""
    train, val = parts

    def fit(one: Estimator) -> Predict:
        return one.fit(x[train], y[train], "regression", seed=0, threads=1)

    if method == "ridge":
        return min((fit(Ridge(penalty=one)) for one in PENALTIES), key=lambda one: rmse(one(x[val]) - y[val]))
    return fit(GaussianProcess() if method == "gp" else RandomForest(n_estimators=TREES))


def rmse(error: Floats) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(error**2)))


def load(name: str, models: Sequence[str], overrides: Sequence[str]) -> tuple[dict[str, NDArray[np.generic]], Floats]:
    """Return the features of a data set by model, [N, D], and its first label [N]."""
    found: dict[str, NDArray[np.generic]] = {}
    y: Floats = np.empty(0)
    for model in models:
        job, env, _ = parse(composed([f"dataset={name}", f"model={model}", "method=gp", *overrides], None), None)
        dataset = load_dataset(job.dataset, env.cache / "data", env.places)
        known = ~np.isnan(dataset.y[:, 0])
        x = embeddings(job, env, dataset, CPU) if job.model.kind == NETWORK else build(job.model).features(dataset)
        found[model], y = x[known], dataset.y[known, 0]
    return found, y


def report(draws: Sequence[Draw]) -> str:
    """Return a table of the rules: mean and worst regret, and worst place behind the forest."""
    rows = []
    for name, rule in RULES.items():
        chosen = [(one.score(rule(one)), one) for one in draws]
        regrets = [score / min(one.score([each]) for each in one.losses) - 1 for score, one in chosen]
        behind = max(score / one.score([FOREST]) - 1 for score, one in chosen)
        rows.append([name, *(f"{100 * value:+.1f} %" for value in (float(np.mean(regrets)), max(regrets), behind))])
    return markdown_table([f"{len(draws)} draws", "mean regret", "worst regret", "worst behind the forest"], rows)


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--datasets", default="esol,lipo,chembl2034_ki,chembl2835_ki,chembl4005_ki")
    parser.add_argument("--labels", default="50,100")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--features", default="ecfp,minimol")
    parser.add_argument("overrides", nargs="*", help="of the data sets, such as paths.cache=DIR")
    given = parser.parse_intermixed_args(arguments)
    draws = []
    for name in given.datasets.split(","):
        features, y = load(name, given.features.split(","), given.overrides)
        for labels in map(int, given.labels.split(",")):
            draws += [draw(features, y, labels, int(seed)) for seed in given.seeds.split(",")]
        print(report(draws), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
