"""How a configuration was judged by other fits, for a model that is fitted to all labeled molecules."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.formatting import score_text
from roftbench.predict.held_out import HeldOut, from_record
from roftbench.predict.neighbors import among_others
from roftbench.store.record_schema import Record

GROUPS = {
    "random": "rows of one molecule stay in one fold",
    "scaffold": "whole scaffolds",
    "butina": "whole Butina clusters, Tanimoto distance {cutoff:g}",
    "column": "equal cells of the column `{column}` stay in one fold",
}


@dataclass(frozen=True)
class Evaluation:
    """Records of the fits that judged a configuration: one per fold, in order of folds, or a single one."""

    records: tuple[Record, ...]

    def parts(self, dataset: MoleculeDataset, rows: NDArray[np.int64]) -> list[HeldOut]:
        """Return the test molecules of the folds of one repeat: each molecule once, predicted by a fit without it.

        Args:
            dataset: The data set.
            rows: Its rows that are in a part of the split.
        """
        folds = self.records[0].job["split"]["params"].get("folds", 1)
        records = self.records[:folds]
        return among_others(dataset, records, [from_record(dataset, record) for record in records], rows)

    def facts(self, outside: int) -> dict[str, Any]:
        """Return split, job keys, and mean and standard deviation over the folds of all metrics, as in tables.

        `outside` is the number of labeled molecules in no part of the split.
        """
        metrics = self.records[0].scores.test
        values = {name: [record.scores.test[name] for record in self.records] for name in metrics}
        return {
            "split": self.records[0].job["split"],
            "jobs": [record.key for record in self.records],
            "test_molecules": [record.count.graphs.test for record in self.records],
            "scores": {name: _spread([one for one in found if one is not None]) for name, found in values.items()},
            **({"outside": outside} if outside else {}),
        }


def _spread(values: list[float]) -> dict[str, Any]:
    return {
        "folds": len(values),
        "mean": float(np.mean(values)) if values else None,
        "std": float(np.std(values)) if len(values) > 1 else None,
    }


def folds_in_words(facts: dict[str, Any]) -> str:
    """Return the folds of `Evaluation.facts`, and what they keep together, or the single test part."""
    jobs, split = facts["jobs"], facts["split"]
    params = split["params"]
    if len(jobs) == 1:
        return f"one test part ({facts['test_molecules'][0]} molecules, split `{split['name']}`)"
    folds = params["folds"]
    repeats = f"{len(jobs) // folds} × {folds} folds; " if len(jobs) > folds else ""
    grouping = GROUPS[params["by"]].format(**params) if params.get("by") in GROUPS else split["name"]
    return f"{len(jobs)} folds ({repeats}{grouping})"


def learned_in_words(facts: dict[str, Any], selection: int) -> str:
    """Return what the model of `Evaluation.facts` was fitted to; `selection` labels chose its epoch or candidate."""
    outside = facts.get("outside", 0)
    words = "all labeled molecules" + (f" but {outside} that are in no part of the split" if outside else "")
    return words + (f", {selection} labels of which select the epoch or candidate" if selection else "")


def evaluation_lines(facts: dict[str, Any], selection: int) -> Iterator[str]:
    """Yield the lines of a model card on `Evaluation.facts`; `selection` as in `learned_in_words`."""
    jobs = facts["jobs"]
    folds = len(jobs) > 1
    keys = ", ".join(f"`{key}`" for key in jobs)
    itself = f"This model itself was fitted to {learned_in_words(facts, selection)}: nothing is left to test it."
    yield "## Scores of the configuration"
    yield ""
    if folds:
        yield f"Scores are of cross-validation over {folds_in_words(facts)} by other fits of the same"
        yield f"configuration. {itself}"
    else:
        yield f"Scores are of {folds_in_words(facts)} by another fit of the"
        yield f"same configuration. {itself}"
    yield "It had more training molecules than the fits that were scored, so the scores are rather pessimistic."
    yield ""
    yield f"| metric | {f'mean ± SD over {len(jobs)} folds' if folds else 'test'} |"
    yield "|---|---|"
    for name, one in facts["scores"].items():
        spread = "" if one["std"] is None else f" ± {score_text(one['std'], 4)}"
        fewer = f" ({one['folds']} folds, undefined in the others)" if one["folds"] < len(jobs) else ""
        yield f"| {name} | {score_text(one['mean'], 4)}{spread}{fewer} |"
    yield ""
    yield f"Job{'s of the folds' if folds else ''}: {keys}"
