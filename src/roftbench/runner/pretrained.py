"""The pretrained model that fine-tuning starts from, with cached representations of the data set."""

from copy import copy, deepcopy
from typing import Self

import torch
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import Encoder, Nodes, Predictor, copy_state
from roftbench.runner.frozen_states import NodeStates
from roftbench.runner.objective import EVAL_BATCH, Objective


class PretrainedModel:
    """Frozen copy of the pretrained `encoder`, in evaluation mode, and `state`, all weights before fine-tuning."""

    def __init__(self, model: Predictor, objective: Objective) -> None:
        self.encoder: Encoder = deepcopy(model.encoder).eval().requires_grad_(False)
        self.state = copy_state(model)
        self._objective = objective
        self._representations: dict[bytes, Tensor] = {}  # by graphs
        self._features: NodeStates | None = None
        self._features_computed = False  # also where they are too large to keep

    def extended(self, model: Predictor) -> Self:
        """Return the same for a copy of the model to which a method has added modules, before it is fine-tuned."""
        other = copy(self)
        other.state = copy_state(model)
        return other

    def features(self, batch: Batch, index: Tensor) -> Tensor:
        """Return `Nodes.features` [N, d] of a batch of training graphs, `index` on the device, without gradient.

        Those of the whole training part are computed at the first call, and kept where memory allows.
        """
        if not self._features_computed:
            layers = shared_layers(self.encoder)
            self._features = NodeStates.of(self._objective, self._objective.train, self._features_of, layers)
            self._features_computed = True
        return self._features_of(batch) if self._features is None else self._features(batch, index)

    def _features_of(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            nodes: Nodes = self.encoder(batch)
        return nodes.features

    def outputs(self, model: Predictor, index: Tensor) -> Tensor:
        """Return outputs [n, T] for the graphs `index` of a model in evaluation mode, in order, without gradient."""
        if len(index) == 0:
            return torch.empty(0, self._objective.num_tasks, device=self._objective.device)
        with torch.no_grad():
            return torch.cat([model.head(z) for z in self.representations(model, index).split(EVAL_BATCH)])

    def representations(self, model: Predictor, index: Tensor) -> Tensor:
        """Return z [n, d] for the graphs `index` of a model in evaluation mode, without gradient.

        While the encoder has its pretrained weights, they are computed once per `index` and cached.
        """
        if len(index) == 0:
            return torch.empty(0, model.encoder.dim, device=self._objective.device)
        if self.is_pretrained(model):
            return self.own_representations(index)
        return self._objective.outputs(model.represent, index, shared_layers(model.encoder))

    def own_representations(self, index: Tensor) -> Tensor:
        """Return z [n, d] of the pretrained encoder for the graphs `index`; computed once."""
        key = index.numpy().tobytes()
        if key not in self._representations:
            layers = shared_layers(self.encoder)
            self._representations[key] = self._objective.outputs(self.encoder.represent, index, layers)
        return self._representations[key]

    def is_pretrained(self, model: Predictor) -> bool:
        """Return whether a model's representations are those of the pretrained encoder."""
        before = self.encoder.state_dict()
        same = not len(model.added)
        return same and all(torch.equal(one, before[key]) for key, one in model.encoder.state_dict().items())
