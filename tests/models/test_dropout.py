import pytest
import torch
import torch.nn.functional as F

from roftbench.models.dropout import Dropout, dropout, relu_dropout_


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_a_share_p_is_dropped_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    h = dropout(torch.ones(1000, 301), p, training=True)
    kept = (h != 0).double().mean()
    assert abs(float(kept) - (1 - p)) < 4 * (p * (1 - p) / h.numel()) ** 0.5 + 2**-16
    assert float(h.max()) * (1 - p) == pytest.approx(1, rel=1e-3)
    rows, columns = (h != 0).double().mean(dim=1), (h != 0).double().mean(dim=0)
    assert rows.std() < 2 * (p * (1 - p) / 301) ** 0.5 + 1e-4
    assert columns.std() < 2 * (p * (1 - p) / 1000) ** 0.5 + 1e-4


def test_neighboring_masks_are_independent() -> None:
    torch.manual_seed(1)
    first, second = ((dropout(torch.ones(500, 300), 0.5, training=True) != 0).double() for _ in range(2))
    for one, other in ((first, second), (first[:, 1:], first[:, :-1]), (first[1:], first[:-1])):
        assert abs(float(((one - 0.5) * (other - 0.5)).mean())) < 4 * 0.25 / one.numel() ** 0.5


@pytest.mark.parametrize("like", [torch.zeros(3, 0), torch.ones(1), torch.ones(7, 5, dtype=torch.float64)])
def test_any_shape_and_type(like: torch.Tensor) -> None:
    assert dropout(like, 0.5, training=True).shape == like.shape
    assert dropout(like, 0.5, training=True).dtype == like.dtype


def test_without_training_or_with_p_0_nothing_is_drawn() -> None:
    h = torch.randn(4, 5)
    before = torch.get_rng_state()
    assert dropout(h, 0.5, training=False) is h
    assert dropout(h, 0.0, training=True) is h
    assert Dropout(0.5).eval()(h) is h
    assert torch.equal(relu_dropout_(h.clone(), 0.5, training=False), F.relu(h))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_decides() -> None:
    h, masks = torch.ones(40, 30), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        masks.append(Dropout(0.5)(h))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_relu_and_dropout_in_one_have_the_values_and_gradients_of_both() -> None:
    h, weight = torch.randn(50, 30, dtype=torch.float64), torch.randn(50, 30, dtype=torch.float64)
    results = []
    for function in (relu_dropout_, lambda x, p, training: F.relu(dropout(x, p, training=training))):
        torch.manual_seed(5)
        start = h.clone().requires_grad_()
        out = function(start * 1, 0.3, training=True)
        (out * weight).sum().backward()
        results.append((out.detach(), start.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-12, atol=0)


def test_almost_1_keeps_almost_nothing() -> None:
    assert (dropout(torch.ones(100, 100), 1 - 1e-9, training=True) != 0).double().mean() < 0.01
