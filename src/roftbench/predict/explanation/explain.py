"""Explanations of predictions: `roftbench.explain`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.data.featurizers.base import atoms_of
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.errors import UsageError, check_choice
from roftbench.predict.ensemble import Ensemble
from roftbench.predict.explanation.drawing import Drawing
from roftbench.predict.explanation.explainers import explainer_of, mean
from roftbench.predict.featurize import CHUNK, Molecules, featurized
from roftbench.predict.smiles_input import as_list

MOST_TASKS = 12  # that are explained without being named


@dataclass(frozen=True)
class Explanation:
    """What the atoms of a molecule contribute to one prediction.

    Attributes:
        row: Position of the molecule in the list or table.
        smiles: Its SMILES, whose atoms are meant: without a name and atom maps, for models with `strip_salts` its
            largest organic fragment.
        task: Name of the task.
        quantity: What is explained: "prediction" in the label's unit, or for classes the uncalibrated "log-odds",
            "probability" or "unclipped probability" of the positive class.
        contributions: Contribution of each atom, [N], in the order of the SMILES.
        baseline: Value without any atom.
        value: Value of the molecule, of several models their mean.
    """

    row: int
    smiles: str
    task: str
    quantity: str
    contributions: NDArray[np.float64]
    baseline: float
    value: float

    @property
    def gap(self) -> float:
        """Value − baseline − sum of the contributions: zero but for the error of the integral."""
        return float(self.value - self.baseline - self.contributions.sum())

    @cached_property
    def elements(self) -> list[str]:
        """Symbols of the atoms."""
        return [atom.GetSymbol() for atom in atoms_of(parse_smiles(self.smiles))]

    def svg(self) -> str:
        """Return a drawing: orange atoms raise the value, blue ones lower it."""
        lines = (f"{self.task}: {self.quantity} {self.value:.3g}", f"without atoms: {self.baseline:.3g}")
        return Drawing(self.smiles, self.contributions, lines).svg()

    def _repr_svg_(self) -> str:
        return self.svg()


def explain(model: Ensemble, smiles: Any, tasks: Sequence[str] | None = None) -> list[Explanation]:
    """Return what each atom contributes to the predictions of saved models.

    Graph networks are explained by integrated gradients, linear models on ECFP exactly, other estimators on ECFP by
    sampled Shapley values; of several models it is the mean. A contribution describes the model, relative to a baseline
    without atoms. It is no effect of changing or removing the atom, and no evidence of a mechanism.

    Args:
        model: The models, from `roftbench.load` or `roftbench.finetune`.
        smiles: N SMILES or RDKit molecules in a list, Series, array or a table with a column "smiles".
        tasks: Names of tasks; by default all, of which there may be 12.

    Returns:
        One explanation per molecule and task. A row that has no graph has none.

    Raises:
        UsageError: A model of this kind cannot be explained, or a task is unknown or has no fit.

    Example:
        ```python
        [one] = roftbench.explain(model, ["CCO"])
        one.contributions  # [3], in the label's unit
        one.svg()
        ```
    """
    explainer = EnsembleExplainer(model, tasks)
    texts = as_list(smiles)
    found: list[Explanation] = []
    for start in range(0, len(texts), CHUNK):
        found += explainer.rows(featurized(texts[start : start + CHUNK], model.featurizers, model.strip_salts), start)
    return found


class EnsembleExplainer:
    """Explains chunks of molecules for chosen tasks; raises as `explain` does."""

    def __init__(self, model: Ensemble, tasks: Sequence[str] | None = None) -> None:
        names = [str(one.folder) for one in model.saved]
        self._explainers = [explainer_of(one, name) for one, name in zip(model.members, names, strict=True)]
        quantities = sorted({one.quantity for one in self._explainers})
        if len(quantities) > 1:
            problem = f"the models cannot be explained together, as they add up to different quantities: {quantities}"
            raise UsageError(problem, key="explain", got=quantities, hint="Explain them one by one.")
        [self.quantity] = quantities
        self.targets = model.targets
        constant = {*model.untrained, *(task for one in model.members for task in getattr(one, "constants", ()))}
        self.tasks = _chosen(model.targets, [place in constant for place in range(len(model.targets))], tasks)

    def rows(self, molecules: Molecules, start: int = 0) -> Iterator[Explanation]:
        """Yield the explanations of a chunk whose first row is `start`."""
        if not molecules.places:
            return
        found = mean([one(molecules, self.tasks) for one in self._explainers])
        for k, (place, smiles) in enumerate(zip(molecules.places, molecules.smiles, strict=True)):
            for column, task in enumerate(self.tasks):
                numbers = found.atoms[k][:, column], float(found.baseline[k, column]), float(found.value[k, column])
                yield Explanation(start + place, smiles, self.targets[task], self.quantity, *numbers)


def _chosen(targets: Sequence[str], constant: Sequence[bool], names: Sequence[str] | None) -> list[int]:
    """Return the positions of the tasks to explain."""
    if names is None:
        fitted = [place for place in range(len(targets)) if not constant[place]]
        if not fitted:
            raise UsageError("no task of the model has a fit that could be explained", key="explain")
        if len(fitted) > MOST_TASKS:
            problem = f"the model has {len(fitted)} tasks: name up to {MOST_TASKS} of them"
            raise UsageError(problem, key="explain_tasks", allowed=targets, hint="For example explain_tasks=A,B.")
        return fitted
    for name in names:
        check_choice("explain_tasks", name, targets)
        if constant[targets.index(name)]:
            raise UsageError(
                f"explain_tasks: {name} has a constant prediction, which has no parts", key="explain_tasks"
            )
    return [targets.index(name) for name in dict.fromkeys(names)]
