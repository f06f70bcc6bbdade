"""Sums and maxima over runs of rows."""

import torch

from roftbench.models.segment_ops import segment_max


def test_the_gradient_of_a_maximum_is_divided_between_equal_rows() -> None:
    rows = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0], [3.0, 0.0]], requires_grad=True)
    out = segment_max(rows, torch.tensor([0, 3, 4]))
    assert out.tolist() == [[1, 2], [3, 0]]
    [gradient] = torch.autograd.grad((out * torch.tensor([[-1.0, 1.0], [2.0, -3.0]])).sum(), rows)
    assert gradient.tolist() == [[-0.5, 0], [-0.5, 0], [0, 1], [2, -3]]


def test_a_maximum_has_the_bits_of_its_row() -> None:
    rows = torch.randn(100, 7, generator=torch.Generator().manual_seed(0))
    offsets = torch.tensor([0, 1, 40, 41, 100])
    assert torch.equal(segment_max(rows, offsets), torch.segment_reduce(rows, "max", offsets=offsets, axis=0))
