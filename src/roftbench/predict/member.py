"""A model at work on new molecules: a network with its weights, or estimators on a fingerprint."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.job import NETWORK
from roftbench.config.kinds import KINDS
from roftbench.config.plugins import import_allowed
from roftbench.config.stable_names import present_path
from roftbench.data.featurizers.registry import HU
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.errors import UsageError
from roftbench.models.encoder import Encoder, Predictor
from roftbench.predict.featurize import CHUNK, Molecules, featurized
from roftbench.predict.saved_model import AGAIN, SavedModel
from roftbench.runner.fingerprint import CONSTANT, constant_prediction
from roftbench.runner.objective import to_predictions

BATCH = 128  # graphs: what a processor's cache likes; always the same, as it takes part in the last bits


class Member(ABC):
    """One of the models that predict together; `featurizer` names the graphs that it reads."""

    featurizer: str = HU
    strip_salts: bool = False

    @abstractmethod
    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Return values in the label's unit, or probabilities that are not calibrated, [K, T]."""

    def embed(self, molecules: Molecules) -> NDArray[np.float32]:
        """Return graph representations [K, d]."""
        raise UsageError("a fingerprint has no representations to embed with: use a model with a network")


class Network(Member):
    """An encoder, with or without a head, in evaluation mode."""

    def __init__(self, encoder: Encoder, device: torch.device) -> None:
        self.encoder, self.device = encoder.eval().requires_grad_(False).to(device), device
        self.featurizer = str(encoder.featurizer)

    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Refuse: there is no head."""
        raise UsageError("a pretrained model alone predicts nothing: it has to be fine-tuned first (run.keep=true)")

    def embed(self, molecules: Molecules) -> NDArray[np.float32]:
        """Return what the head reads: the pooled node states [K, d]."""
        found = [self.encoder.represent(batch) for batch in self._batches(molecules)]
        whole = torch.cat(found) if found else torch.empty(0, self.encoder.dim)
        embedded: NDArray[np.float32] = whole.float().cpu().numpy()
        return embedded

    def _batches(self, molecules: Molecules) -> Iterator[Batch]:
        if not molecules.places:
            return
        graphs = PackedGraphs.from_chunks([molecules.graphs[self.featurizer]]).to(self.device)
        yield from graphs.batches(torch.arange(len(graphs)).split(BATCH), self.encoder.shared_layers())


class FineTuned(Network):
    """A kept network."""

    def __init__(self, kept: SavedModel, device: torch.device, plugins: tuple[str, ...]) -> None:
        model = Predictor(_built(kept, "model", plugins), len(kept.targets))
        try:
            model.load_state_dict(kept.weights)
        except RuntimeError as error:
            raise UsageError(f"{kept.folder}: its weights do not fit {type(model.encoder).__name__}: {error}") from None
        super().__init__(model.encoder, device)
        self.head = model.head.eval().requires_grad_(False).to(device)
        self.task, self.strip_salts = kept.task, kept.strip_salts
        self.scale, self.offset = (np.array(kept.facts[name], np.float64) for name in ("scale", "offset"))

    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Return values in the label's unit, or probabilities."""
        outputs: list[Tensor] = [self.head(self.encoder.represent(batch)) for batch in self._batches(molecules)]
        whole = torch.cat(outputs) if outputs else torch.empty(0, len(self.scale), device=self.device)
        return to_predictions(whole, self.task, self.scale, self.offset)


class Estimators(Member):
    """An estimator for each task, on the features of a fingerprint."""

    def __init__(self, kept: SavedModel, plugins: tuple[str, ...]) -> None:
        self.fingerprint, estimator = _built(kept, "model", plugins), _built(kept, "method", plugins)
        self.strip_salts = kept.strip_salts
        self.tasks: list[Any] = []
        for task in range(len(kept.targets)):
            start = f"{task}."
            arrays = {
                name.removeprefix(start): tensor.numpy()
                for name, tensor in kept.weights.items()
                if name.startswith(start)
            }
            constant = arrays.get(CONSTANT)
            restored = (
                partial(constant_prediction, float(constant[0]))
                if constant is not None
                else estimator.restored(arrays, kept.task)
            )
            self.tasks.append(restored)

    def predict(self, molecules: Molecules) -> NDArray[np.float64]:
        """Return the predictions of all tasks, side by side."""
        if not molecules.places:
            return np.empty((0, len(self.tasks)))
        x = self.fingerprint.of_smiles(molecules.smiles)
        return np.column_stack([predict(x) for predict in self.tasks])


def member_of(kept: SavedModel, device: torch.device, plugins: tuple[str, ...] = ()) -> Member:
    """Return the model of a folder, ready to predict.

    Raises:
        UsageError: its code is not here, or weights and code do not fit.
    """
    try:
        return FineTuned(kept, device, plugins) if kept.facts["kind"] == NETWORK else Estimators(kept, plugins)
    except UsageError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, MemoryError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UsageError(f"model_dir={kept.folder} is damaged: {reason}. {AGAIN}") from None


def _built(kept: SavedModel, group: str, plugins: tuple[str, ...]) -> Any:
    part = kept.facts["job"][group]
    base = KINDS[kept.facts["kind"]][group]
    return import_allowed(present_path(part["target"]), f"{kept.folder}: {group}", plugins, (base,))(**part["params"])


def as_list(smiles: Any) -> list[str]:
    """Return SMILES as a list of texts, "" for what is missing (None, NaN).

    Of a table (pandas, polars, pyarrow) it is the column called smiles, or the only one.

    Raises:
        UsageError: a single text, whose letters are SMILES, too; a table without such a column; a mapping or a set.
    """
    if isinstance(smiles, str | bytes):
        raise UsageError(f"give a list of SMILES: [{smiles[:80]!r}], not a text")
    if hasattr(smiles, "columns"):
        smiles = _column(smiles)
    if isinstance(smiles, Mapping | AbstractSet) or getattr(smiles, "ndim", 1) != 1:
        raise UsageError(f"give a list of SMILES, in order, not a {type(smiles).__name__}: its rows cannot be told")
    return [text if isinstance(text, str) else "" if _missing(text) else str(text) for text in smiles]


def _column(table: Any) -> Any:
    names = [str(name) for name in getattr(table, "column_names", None) or table.columns]
    usual = [name for name in names if name.strip().lower() == "smiles"]
    found = usual or (names if len(names) == 1 else [])
    if len(found) != 1:
        raise UsageError(f"a table has columns {', '.join(names[:20])}: give the one of SMILES, table['NAME']")
    column = table[list(getattr(table, "column_names", None) or table.columns)[names.index(found[0])]]
    return column.to_pylist() if hasattr(column, "to_pylist") else column


def _missing(value: object) -> bool:
    try:
        return value is None or bool(value != value)  # NaN
    except TypeError:  # pandas' NA
        return True


def embedded(member: Member, smiles: Sequence[str]) -> NDArray[np.float32]:
    """Return graph representations [N, d], NaN for a SMILES that has no graph."""
    starts = range(0, len(smiles), CHUNK) or [0]  # of no SMILES, too, there are d columns
    chunks = (featurized(smiles[i : i + CHUNK], [member.featurizer], member.strip_salts) for i in starts)
    return np.concatenate([spread_out(member.embed(chunk), chunk) for chunk in chunks])


def spread_out(values: NDArray[np.float32], molecules: Molecules) -> NDArray[np.float32]:
    """Return values [K, d] of molecules at the places of their rows, [R, d], NaN elsewhere."""
    whole = np.full((len(molecules.places) + len(molecules.reasons), values.shape[1]), np.nan, np.float32)
    whole[molecules.places] = values
    return whole
