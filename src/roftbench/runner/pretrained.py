"""Where fine-tuning starts: the pretrained model as it came, and what its encoder says of the molecules, found once."""

from copy import deepcopy

import torch
from torch import Tensor

from roftbench.data.packed import Batch
from roftbench.models.acceleration import shared_layers
from roftbench.models.encoder import Encoder, Nodes, Predictor, copy_state
from roftbench.runner.frozen_states import NodeStates
from roftbench.runner.objective import EVAL_BATCH, Objective


class Start:
    """The frozen pretrained `encoder`, in evaluation mode, and the `state` of all weights under the model's keys."""

    def __init__(self, model: Predictor, objective: Objective) -> None:
        self.encoder: Encoder = deepcopy(model.encoder).eval().requires_grad_(False)
        self.state = copy_state(model)
        self._objective = objective
        self._known: dict[bytes, Tensor] = {}
        self._features: NodeStates | None = None
        self._asked = False  # whether the features were worked out, or found to be too many to keep

    def features(self, batch: Batch, index: Tensor) -> Tensor:
        """Return `Nodes.features` [N, d] of a batch of training graphs, `index` on the device, without gradient.

        Those of the whole training part are worked out at the first call, and kept where memory allows.
        """
        if not self._asked:
            layers = shared_layers(self.encoder)
            self._features = NodeStates.of(self._objective, self._objective.train, self._features_of, layers)
            self._asked = True
        return self._features_of(batch) if self._features is None else self._features(batch, index)

    def _features_of(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            nodes: Nodes = self.encoder(batch)
        return nodes.features

    def outputs(self, model: Predictor, index: Tensor) -> Tensor:
        """Return what a model in evaluation mode says of the graphs `index`, in order, without gradient: [n, T]."""
        if len(index) == 0:
            return torch.empty(0, self._objective.num_tasks, device=self._objective.device)
        with torch.no_grad():
            return torch.cat([model.head(z) for z in self.representations(model, index).split(EVAL_BATCH)])

    def representations(self, model: Predictor, index: Tensor) -> Tensor:
        """Return z [n, d] of the graphs `index` by a model in evaluation mode, without gradient.

        Those of an encoder that has not moved are worked out once a part, however many candidates ask for them.
        """
        if len(index) == 0:
            return torch.empty(0, model.encoder.dim, device=self._objective.device)
        if not self._is_still(model.encoder):
            return self._work_out(model, index)
        key = index.numpy().tobytes()
        if key not in self._known:
            self._known[key] = self._work_out(model, index)
        return self._known[key]

    def _work_out(self, model: Predictor, index: Tensor) -> Tensor:
        return self._objective.outputs(model.represent, index, shared_layers(model.encoder))

    def _is_still(self, encoder: Encoder) -> bool:
        before = self.encoder.state_dict()
        return all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())
