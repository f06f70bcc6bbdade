"""The form of a network that ONNX holds: equal to the network itself for every architecture that is supported."""

import pytest
import torch
from graphs import SMILES, batch_of

from roftbench.models.encoder import Encoder, Predictor
from roftbench.models.hu import HuEncoder
from roftbench.predict.calibration import calibrated
from roftbench.predict.exchange.onnx import onnx_inputs
from roftbench.predict.exchange.plain_network import SUPPORTED, PlainNetwork
from roftbench.runner.objective import to_predictions


def built(kind: type[Encoder], tasks: int = 2) -> Predictor:
    """Return a network whose batch norms have statistics of some data, as after training."""
    assert issubclass(kind, HuEncoder)
    model = Predictor(kind(num_layers=3, dim=16, dropout=0.0), tasks)
    model.train()(batch_of(SMILES))
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("kind", SUPPORTED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("smiles", [SMILES, ["C"], ["N", "O"]], ids=["several", "one atom", "no bonds"])
def test_outputs_are_those_of_the_network(kind: type[Encoder], smiles: list[str]) -> None:
    torch.manual_seed(0)
    model = built(kind)
    scale, offset = torch.tensor([2.0, 3.0]), torch.tensor([1.0, -1.0])
    inputs = [torch.from_numpy(one) for one in onnx_inputs(smiles).values()]
    found = PlainNetwork([model], "regression", scale, offset, torch.zeros(2, 2))(*inputs)
    wanted = to_predictions(model(batch_of(smiles)), "regression", scale.numpy(), offset.numpy())
    torch.testing.assert_close(found, torch.from_numpy(wanted), rtol=1e-5, atol=1e-5)


def test_probabilities_are_averaged_and_then_calibrated() -> None:
    torch.manual_seed(0)
    models, batch = [built(next(iter(SUPPORTED))) for _ in range(2)], batch_of(SMILES)
    calibration = torch.tensor([[1.0, 0.0], [0.5, 0.3]])
    ones, zeros = torch.ones(2), torch.zeros(2)
    inputs = [torch.from_numpy(one) for one in onnx_inputs(SMILES).values()]
    found = PlainNetwork(models, "classification", ones, zeros, calibration)(*inputs)
    mean = torch.stack([model(batch).double().sigmoid() for model in models]).mean(dim=0)
    wanted = torch.from_numpy(calibrated(mean.numpy(), calibration.numpy().astype(float)))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
