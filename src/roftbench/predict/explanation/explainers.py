"""How each kind of saved model is explained; a kind that cannot be is refused by name."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.data.featurizers.base import HU, GraphKind
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.errors import UsageError
from roftbench.methods.estimator import Predict
from roftbench.methods.linear import linear
from roftbench.models.ecfp import ECFP
from roftbench.models.encoder import Encoder, Predictor
from roftbench.predict.explanation.fingerprints import linear_contributions, shapley_values
from roftbench.predict.explanation.integrated_gradients import Attribution, integrated_gradients
from roftbench.predict.featurize import Molecules
from roftbench.predict.member import Estimators, EstimatorsOnEmbeddings, FineTuned, Member

PREDICTION, LOG_ODDS, PROBABILITY, UNCLIPPED = "prediction", "log-odds", "probability", "unclipped probability"
CAN = "Graph networks, Ridge and PLS on their embeddings, and all estimators on ECFP can be explained."
_OF_LINK = {"identity": PREDICTION, "sigmoid": LOG_ODDS, "clip": UNCLIPPED}


class Explainer(ABC):
    """Contributions of atoms to the values of one saved model.

    Attributes:
        quantity: what the contributions add up to, beside the baseline.
    """

    quantity: str

    @abstractmethod
    def __call__(self, molecules: Molecules, tasks: Sequence[int]) -> Attribution:
        """Return the contributions for all molecules with a graph, atoms in the order of the SMILES."""


@dataclass(frozen=True)
class NetworkExplainer(Explainer):
    """Integrated gradients of networks of one architecture, averaged."""

    encoders: Sequence[Encoder]
    outputs: Sequence[Any]  # of each of them, from a batch to values [B, T]
    featurizer: GraphKind | None
    device: torch.device
    quantity: str

    def __call__(self, molecules: Molecules, tasks: Sequence[int]) -> Attribution:
        """Return the mean of the networks' contributions; raises UsageError where atoms cannot be assigned."""
        name = HU if self.featurizer is None else self.featurizer.label
        graphs = PackedGraphs.from_chunks([molecules.graphs[name]]).to(self.device)
        try:
            each = [
                integrated_gradients(encoder, outputs, graphs, tasks)
                for encoder, outputs in zip(self.encoders, self.outputs, strict=True)
            ]
        except ValueError as error:
            problem = f"{type(self.encoders[0]).__name__} cannot be explained: {error}"
            raise UsageError(problem, key="explain") from error
        found = mean(each)
        order = self.featurizer.order if self.featurizer is not None else None
        pairs = zip(molecules.smiles, found.atoms, strict=True)
        return found._replace(atoms=[self._in_order(smiles, one, order) for smiles, one in pairs])

    def _in_order(self, smiles: str, contributions: NDArray[np.float64], order: Any) -> NDArray[np.float64]:
        """Return contributions in the order of the SMILES; zero for atoms that are not in the graph."""
        count = parse_smiles(smiles).GetNumAtoms()
        if order is None and count != len(contributions):
            assert self.featurizer is not None
            problem = (
                f"graphs of {self.featurizer.name} have {len(contributions)} nodes for the {count} atoms of {smiles}"
            )
            raise UsageError(problem, key="explain")
        spread = np.zeros((count, contributions.shape[1]))
        spread[range(count) if order is None else order(smiles)] = contributions
        return spread


@dataclass(frozen=True)
class FingerprintExplainer(Explainer):
    """Exact contributions of linear models, Shapley values of other estimators, on ECFP."""

    predictions: Sequence[Predict]
    fingerprint: ECFP
    quantity: str

    def __call__(self, molecules: Molecules, tasks: Sequence[int]) -> Attribution:
        """Return the contributions molecule by molecule."""
        atoms, ends = [], np.empty((2, len(molecules.smiles), len(tasks)))
        for row, smiles in enumerate(molecules.smiles):
            columns = []
            for column, task in enumerate(tasks):
                found, *ends[:, row, column] = self._explained(smiles, self.predictions[task])
                columns.append(found)
            atoms.append(np.column_stack(columns))
        return Attribution(atoms, *ends)

    def _explained(self, smiles: str, predict: Predict) -> tuple[NDArray[np.float64], float, float]:
        molecule, counts = parse_smiles(smiles), self.fingerprint.counts
        if not is_linear(predict):
            return shapley_values(molecule, predict, counts=counts)
        coefficients, intercept, _ = predict.args  # type: ignore[attr-defined]
        [features] = self.fingerprint.of_smiles([smiles])
        value = float(features.astype(np.float64) @ coefficients + intercept)
        return linear_contributions(molecule, coefficients, counts=counts), intercept, value


def mean(each: Sequence[Attribution]) -> Attribution:
    """Return the mean of several models' contributions."""
    if len(each) == 1:
        return each[0]
    atoms = [np.mean(parts, axis=0) for parts in zip(*(one.atoms for one in each), strict=True)]
    return Attribution(atoms, np.mean([one.baseline for one in each], axis=0), np.mean([one.value for one in each], 0))


def is_linear(predict: Predict) -> bool:
    """Return whether predictions are those of `roftbench.methods.linear`."""
    return isinstance(predict, partial) and predict.func is linear


def explainer_of(member: Member, name: str) -> Explainer:
    """Return the explainer of a saved model, called `name` in messages.

    Raises:
        UsageError: a model of its kind cannot be explained.
    """
    if isinstance(member, FineTuned):
        _check_encoder(member.encoder, name)
        outputs = [partial(_of_network, model, member) for model in member.models]
        quantity = PREDICTION if member.task == "regression" else LOG_ODDS
        encoders = [model.encoder for model in member.models]
        return NetworkExplainer(encoders, outputs, member.featurizer, member.device, quantity)
    if isinstance(member, EstimatorsOnEmbeddings):
        _check_encoder(member.encoder, name)
        fitted = [predict for task, predict in enumerate(member.tasks) if task not in member.constants]
        if not all(map(is_linear, fitted)) or not fitted:
            raise _refused(name, f"{type(member.estimator).__name__} on embeddings has no gradient", CAN)
        link = fitted[0].args[2]  # type: ignore[attr-defined]
        outputs = [partial(_of_embedding, member)]
        return NetworkExplainer([member.encoder], outputs, member.featurizer, member.device, _OF_LINK[link])
    if isinstance(member, Estimators) and type(member.fingerprint) is ECFP:
        fitted = [predict for task, predict in enumerate(member.tasks) if task not in member.constants]
        if fitted and is_linear(fitted[0]):
            quantity = _OF_LINK[fitted[0].args[2]]  # type: ignore[attr-defined]
        else:
            quantity = PREDICTION if member.estimated == "regression" else PROBABILITY
        return FingerprintExplainer(member.tasks, member.fingerprint, quantity)
    features = type(getattr(member, "fingerprint", member)).__name__
    raise _refused(name, f"features of {features} cannot be assigned to atoms", CAN)


def _of_network(model: Predictor, member: FineTuned, batch: Batch) -> Tensor:
    outputs: Tensor = model(batch).double()
    if member.task == "classification":
        return outputs
    scale, offset = (torch.from_numpy(one).to(outputs.device) for one in (member.scale, member.offset))
    return outputs * scale + offset


def _of_embedding(member: EstimatorsOnEmbeddings, batch: Batch) -> Tensor:
    z = member.encoder.represent(batch).double()
    weights = torch.zeros(z.shape[1], len(member.tasks), dtype=torch.float64)
    offsets = torch.zeros(len(member.tasks), dtype=torch.float64)
    for task, predict in enumerate(member.tasks):
        if task not in member.constants:
            coefficients, offsets[task], _ = predict.args  # type: ignore[attr-defined]
            weights[:, task] = torch.from_numpy(coefficients)
    return z @ weights.to(z.device) + offsets.to(z.device)


def _check_encoder(encoder: Encoder, name: str) -> None:
    if not encoder.atom_inputs():
        raise _refused(name, f"{type(encoder).__name__} names no modules of atoms (Encoder.atom_inputs)")


def _refused(name: str, reason: str, hint: str = "") -> UsageError:
    return UsageError(f"{name} cannot be explained: {reason}", key="explain", got=name, hint=hint)
