"""Random forests as plain arrays, saved without code and used without scikit-learn."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.errors import UsageError
from roftbench.methods.estimator import in_blocks

ROWS = 256  # molecules at a time: with 500 trees a few MB


def of_forest(forest: Any) -> dict[str, NDArray[Any]]:
    """Return the ΣK nodes of a fitted scikit-learn forest, tree by tree.

    Returns:
        root [trees]: first node of each tree. left, right [ΣK]: next node of a row whose feature [ΣK] is ≤ threshold
        [ΣK], and of any other row; a leaf leads to itself. value [ΣK]: mean label, or share of class 1.
    """
    trees = [one.tree_ for one in forest.estimators_]
    root = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("left", "right", "feature", "threshold", "value")}
    for tree, start in zip(trees, root, strict=True):
        itself = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        columns["left"].append(np.where(leaf, itself, tree.children_left) + start)
        columns["right"].append(np.where(leaf, itself, tree.children_right) + start)
        columns["feature"].append(np.where(leaf, 0, tree.feature))
        columns["threshold"].append(np.where(leaf, 0, tree.threshold))
        columns["value"].append(tree.value[:, 0, -1])
    types = {"left": np.int32, "right": np.int32, "feature": np.int32, "threshold": np.float64, "value": np.float64}
    flat = {name: np.concatenate(parts).astype(types[name]) for name, parts in columns.items()}
    return {"root": root.astype(np.int32), **flat}


def check_forest(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise ValueError unless arrays form a forest as of `of_forest`, in which each node leads to later ones."""
    root, left, right, feature, threshold, value = (
        arrays[name] for name in ("root", "left", "right", "feature", "threshold", "value")
    )
    count = len(value)
    itself = np.arange(count)
    if (
        any(one.shape != (count,) for one in (left, right, feature, threshold, value))
        or root.ndim != 1
        or not len(root)
    ):
        raise ValueError("the arrays of its forest have different lengths")
    if any(one.dtype.kind != "i" for one in (root, left, right, feature)):
        raise ValueError("the nodes of its forest are no whole numbers")
    inside = root.min() >= 0 and root.max() < count and feature.min() >= 0
    if not inside or (left < itself).any() or (right < itself).any() or max(left.max(), right.max()) >= count:
        raise ValueError("the nodes of its forest lead nowhere or in a circle")


def predict_forest(arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean over all trees for features x [m, D], [m]: bit for bit what scikit-learn gives."""
    return in_blocks(partial(_predict, arrays), ROWS, x)


def _predict(arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[np.float64]:
    if arrays["feature"].max() >= x.shape[1]:
        raise UsageError(f"the forest asks for feature {arrays['feature'].max()}, and the fingerprint has {x.shape[1]}")
    columns, features = np.arange(len(x)), x.T.astype(np.float32)
    node = np.repeat(arrays["root"][:, None], len(x), axis=1)  # [trees, m]
    while True:
        low = features[arrays["feature"][node], columns] <= arrays["threshold"][node]
        following = np.where(low, arrays["left"][node], arrays["right"][node])
        if np.array_equal(following, node):
            break
        node = following
    total = np.zeros(len(x))
    for values in arrays["value"][node]:  # in scikit-learn's order: another one gives other last bits
        total += values
    return total / len(node)
