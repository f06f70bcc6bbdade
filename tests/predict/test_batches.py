"""Batches of a prediction: limited in graphs and in atoms."""

from roftbench.predict.batches import batch_lengths


def test_batches_are_limited_in_graphs_and_atoms() -> None:
    assert batch_lengths([], 5, 10) == [0]
    assert batch_lengths([1] * 8, 5, 10) == [5, 3]
    assert batch_lengths([5, 5, 1, 20, 1], 5, 10) == [2, 1, 1, 1]
