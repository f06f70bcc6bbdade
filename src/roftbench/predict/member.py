"""A model that predicts new molecules: a network with its weights, or estimators on a fingerprint."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.featurizers import graph_kind
from roftbench.config.job import EMBEDDING, NETWORK
from roftbench.config.kinds import KINDS
from roftbench.config.plugins import import_allowed
from roftbench.config.stable_names import present_path
from roftbench.data.featurizers.base import HU, GraphKind
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.errors import UsageError
from roftbench.methods.estimator import Estimator, Predict, constant_prediction
from roftbench.models.encoder import Encoder, Predictor
from roftbench.predict.batches import batches
from roftbench.predict.fast_linear import FastLinear
from roftbench.predict.featurize import CHUNK, Molecules, featurized
from roftbench.predict.saved_model import AGAIN, SavedModel
from roftbench.runner.estimators import CONSTANT, ENCODER
from roftbench.runner.objective import to_predictions


class Member(ABC):
    """One of the models that predict together; `featurizer` makes the graphs that it reads, None for "hu" graphs."""

    featurizer: GraphKind | None = None
    strip_salts: bool = False
    has_deviation: bool = False  # whether `moments` has standard deviations

    @abstractmethod
    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Return values in the label's unit or uncalibrated probabilities, [K, T]."""

    def moments(self, molecules: Molecules) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return `predict` and the model's own standard deviations of measurements, [K, T], None without any."""
        return self.predict(molecules), None

    def embed(self, molecules: Molecules) -> NDArray[np.float32]:
        """Return graph representations [K, d]."""
        raise UsageError("a fingerprint has no representations: use a model with a network", key="model_dir")


class Network(Member):
    """An encoder, with or without a head, in evaluation mode."""

    def __init__(self, encoder: Encoder, device: torch.device, featurizer: GraphKind | None) -> None:
        self.encoder, self.device = encoder.eval().requires_grad_(False).to(device), device
        self.featurizer = featurizer

    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Raise UsageError: a pretrained encoder has no head."""
        raise UsageError(
            "a pretrained model cannot predict before it is fine-tuned", key="model", hint="Use run.keep=true."
        )

    def embed(self, molecules: Molecules) -> NDArray[np.float32]:
        """Return the input of the head, the pooled node states [K, d]."""
        with torch.no_grad(), FastLinear():
            found = [self.encoder.represent(batch) for batch in self._batches(molecules)]
        whole = torch.cat(found) if found else torch.empty(0, self.encoder.dim)
        embedded: NDArray[np.float32] = whole.float().cpu().numpy()
        return embedded

    def _batches(self, molecules: Molecules) -> Iterator[Batch]:
        if not molecules.places:
            return
        name = HU if self.featurizer is None else self.featurizer.label
        yield from batches(PackedGraphs.from_chunks([molecules.graphs[name]]).to(self.device), self.encoder)


class FineTuned(Network):
    """A fine-tuned network with its head, or several whose predictions are averaged."""

    def __init__(self, saved: SavedModel, device: torch.device, plugins: tuple[str, ...]) -> None:
        count = int(saved.facts.get("members", 1))
        states = [saved.weights] if count == 1 else [_of(saved, str(number)) for number in range(count)]
        self.models = [_network(saved, state, plugins).to(device) for state in states]
        encoder = self.models[0].encoder
        super().__init__(encoder, device, _graphs(saved, encoder, plugins))
        self.task, self.strip_salts = saved.task, saved.strip_salts
        self.scale, self.offset = (np.array(saved.facts[name], np.float64) for name in ("scale", "offset"))

    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Return values in the label's unit or probabilities, [K, T]."""
        found = [self._predicted(model, molecules) for model in self.models]
        return found[0] if len(found) == 1 else np.mean(found, axis=0)

    def embed(self, molecules: Molecules) -> NDArray[np.float32]:
        """Return the input of the head, [K, d]; raises UsageError for several networks."""
        if len(self.models) > 1:
            problem = f"the model is an ensemble of {len(self.models)} networks, which have no representation in common"
            raise UsageError(problem, key="model_dir")
        return super().embed(molecules)

    def _predicted(self, model: Predictor, molecules: Molecules) -> NDArray[np.float64]:
        with torch.no_grad(), FastLinear():
            outputs: list[Tensor] = [model(batch) for batch in self._batches(molecules)]
        whole = torch.cat(outputs) if outputs else torch.empty(0, len(self.scale), device=self.device)
        return to_predictions(whole, self.task, self.scale, self.offset)


def _network(saved: SavedModel, state: dict[str, Tensor], plugins: tuple[str, ...]) -> Predictor:
    """Return a saved network in evaluation mode, with the modules that its method has added."""
    model = Predictor(_built(saved, "model", plugins), len(saved.targets))
    if saved.facts.get("extended"):
        _built(saved, "method", plugins, saved.facts["method"]).extend(model)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        problem = f"{saved.folder}: its weights do not fit {type(model.encoder).__name__}: {error}"
        raise UsageError(problem, key="model_dir", got=str(saved.folder)) from None
    return model.eval().requires_grad_(False)


class EstimatorMember(Member):
    """One estimator, or constant, per task; subclasses return the features."""

    def __init__(self, saved: SavedModel, plugins: tuple[str, ...]) -> None:
        self.strip_salts = saved.strip_salts
        self.estimated = saved.task
        self.estimator: Estimator = _built(saved, "method", plugins)
        self.has_deviation = saved.task == "regression" and self.estimator.has_deviation()
        self.constants: dict[int, float] = {}
        self.tasks: list[Predict] = []
        for task in range(len(saved.targets)):
            arrays = {name: tensor.numpy() for name, tensor in _of(saved, str(task)).items()}
            if CONSTANT in arrays:
                self.constants[task] = float(arrays[CONSTANT][0])
                self.tasks.append(partial(constant_prediction, self.constants[task]))
            else:
                self.tasks.append(self.estimator.restored(arrays, saved.task))

    @abstractmethod
    def features(self, molecules: Molecules) -> NDArray[Any]:
        """Return the features of at least one molecule, [K, D]."""

    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Return the predictions of all tasks, [K, T]."""
        if not molecules.places:
            return np.empty((0, len(self.tasks)))
        x = self.features(molecules)
        return np.column_stack([predict(x) for predict in self.tasks])

    def moments(self, molecules: Molecules) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return `predict` and the deviations of `Estimator.moments`, [K, T]; NaN for a task with a constant."""
        if not self.has_deviation or not molecules.places:
            return self.predict(molecules), None
        x = self.features(molecules)
        nothing = np.full(len(x), np.nan)
        found = [
            (predict(x), nothing) if task in self.constants else self.estimator.moments(predict, x)
            for task, predict in enumerate(self.tasks)
        ]
        return np.column_stack([mean for mean, _ in found]), np.column_stack([deviation for _, deviation in found])


class Estimators(EstimatorMember):
    """One estimator per task on the features of a fingerprint."""

    def __init__(self, saved: SavedModel, plugins: tuple[str, ...]) -> None:
        super().__init__(saved, plugins)
        self.fingerprint = _built(saved, "model", plugins)

    def features(self, molecules: Molecules) -> NDArray[Any]:
        """Return bits or counts, [K, D]."""
        found: NDArray[Any] = self.fingerprint.of_smiles(molecules.smiles)
        return found


class EstimatorsOnEmbeddings(EstimatorMember, Network):
    """One estimator per task on the representations of a frozen encoder."""

    def __init__(self, saved: SavedModel, device: torch.device, plugins: tuple[str, ...]) -> None:
        encoder: Encoder = _built(saved, "model", plugins)
        encoder.load_state_dict(_of(saved, ENCODER))
        Network.__init__(self, encoder, device, _graphs(saved, encoder, plugins))
        EstimatorMember.__init__(self, saved, plugins)

    def features(self, molecules: Molecules) -> NDArray[Any]:
        """Return the encoder's representations, [K, d]."""
        return self.embed(molecules)


def _graphs(saved: SavedModel, encoder: Encoder, plugins: tuple[str, ...]) -> GraphKind | None:
    """Return the featurizer of a saved model's encoder, None for "hu" graphs."""
    target = saved.facts["job"].get("graphs", {}).get("target")
    return None if encoder.featurizer == HU else graph_kind(encoder.featurizer, plugins, target=target)


def _of(saved: SavedModel, prefix: str) -> dict[str, Tensor]:
    """Return the weights below a prefix."""
    named = ((name.partition("."), tensor) for name, tensor in saved.weights.items())
    return {name: tensor for (start, _, name), tensor in named if start == prefix}


def member_of(saved: SavedModel, device: torch.device, plugins: tuple[str, ...] = ()) -> Member:
    """Return a saved model, ready to predict.

    Raises:
        UsageError: Its code cannot be imported or does not fit its weights.
    """
    try:
        if saved.facts["kind"] == NETWORK:
            return FineTuned(saved, device, plugins)
        if saved.facts["kind"] == EMBEDDING:
            return EstimatorsOnEmbeddings(saved, device, plugins)
        return Estimators(saved, plugins)
    except UsageError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, MemoryError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        problem = f"model_dir={saved.folder} is damaged: {reason}"
        raise UsageError(problem, key="model_dir", got=str(saved.folder), hint=AGAIN) from None


def _built(saved: SavedModel, group: str, plugins: tuple[str, ...], chosen: Mapping[str, Any] | None = None) -> Any:
    """Return the model or method of a saved model, with the parameters of its job, or those that it has chosen."""
    part = saved.facts["job"][group]
    base = KINDS[saved.facts["kind"]][group]
    return import_allowed(present_path(part["target"]), f"{saved.folder}: {group}", plugins, (base,))(
        **{**part["params"], **(chosen or {})}
    )


def embedded(member: Member, smiles: Sequence[str]) -> NDArray[np.float32]:
    """Return graph representations [N, d], NaN for a SMILES without a graph."""
    starts = range(0, len(smiles), CHUNK) or [0]  # an empty list gives d columns as well
    chunks = (featurized(smiles[i : i + CHUNK], [member.featurizer], member.strip_salts) for i in starts)
    return np.concatenate([spread_out(member.embed(chunk), chunk) for chunk in chunks])


def spread_out(values: NDArray[np.float32], molecules: Molecules) -> NDArray[np.float32]:
    """Return values [K, d] of molecules in the rows [R, d] of their chunk, NaN elsewhere."""
    whole = np.full((len(molecules.places) + len(molecules.reasons), values.shape[1]), np.nan, np.float32)
    whole[molecules.places] = values
    return whole
