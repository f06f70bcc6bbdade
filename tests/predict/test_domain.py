import numpy as np
import pytest

from roftbench.predict.domain import HELD_OUT, TRAINING, Domain

NONE = np.empty((0, 1), np.uint8)


def test_limits_are_ranks_of_the_held_out_similarities() -> None:
    """Of 39 and a new molecule, two are 5 % and eight 20 %."""
    similarity = np.random.default_rng(0).permutation(np.arange(1, 40) / 40)
    domain = Domain.of(similarity, NONE)
    assert (domain.no, domain.edge, domain.based_on, domain.count) == (2 / 40, 8 / 40, HELD_OUT, 39)
    assert domain(np.array([0.0, 0.04, 0.05, 0.19, 0.2, 1.0])) == ["no", "no", "edge", "edge", "yes", "yes"]


def test_a_molecule_like_the_others_is_seldom_outside() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        domain = Domain.of(np.round(rng.beta(4, 3, 50), 2), NONE)  # with equal ones
        found += domain(np.round(rng.beta(4, 3, 20), 2))
    assert 0.03 < found.count("no") / len(found) <= 0.055
    assert (found.count("no") + found.count("edge")) / len(found) == pytest.approx(0.2, abs=0.03)


def test_with_few_held_out_molecules_the_training_molecules_are_compared_with_one_another() -> None:
    train = np.array([[0b11110000], [0b11110000], [0b11000000], [0b00001111]], np.uint8)
    domain = Domain.of(np.full(5, 0.5), np.repeat(train, 10, axis=0))
    assert (domain.based_on, domain.count, domain.no) == (TRAINING, 40, 1.0)  # each has nine equal ones
    apart = Domain.of(None, np.packbits(np.eye(64, dtype=np.uint8), axis=1))
    assert (apart.no, apart.edge) == (0, 0)
    assert apart(np.zeros(1)) == ["yes"]
    for tiny in (train[:1], train[:0]):
        assert Domain.of(None, tiny)(np.array([0.0])) == ["yes"]  # nothing can be told
    with_itself = Domain.of(None, np.concatenate([train[:2]] * 12))
    assert with_itself.no == 1.0
