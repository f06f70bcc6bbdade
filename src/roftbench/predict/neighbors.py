"""Nearest training molecules: which they are, how similar, and how their labels differ among one another."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roftbench.data.dataset import MoleculeDataset
from roftbench.data.descriptors import fingerprints
from roftbench.data.featurizers.hu import parse_smiles
from roftbench.data.similarity import QUERIES, REFERENCES, Packed, overlaps, unpacked
from roftbench.data.split import Indices
from roftbench.predict.held_out import HeldOut, Matrix, Surroundings
from roftbench.store.record_schema import Record

COUNT = 5  # neighbors that describe the surroundings of a molecule
TIE = 1e-14  # per row: of equally similar molecules the first is nearer; similarities differ by 6e-8 or more
LEAST_WEIGHT = 1e-3  # of a neighbor without a common bit


class Nearest(NamedTuple):
    """K nearest of R references per query, the nearest first: Tanimoto similarity and place, both [Q, K]."""

    similarity: Matrix
    place: Indices


def nearest(queries: Packed, references: Packed, count: int) -> Nearest:
    """Return the `count` most similar references of each query, fewer if there are fewer; ties by order of references.

    Args:
        queries: Packed bits, [Q, bytes].
        references: Packed bits, [R, bytes].
        count: K, at least 1.
    """
    blocks = [_nearest(queries[i : i + QUERIES], references, count) for i in range(0, len(queries), QUERIES)]
    kept = min(count, len(references))
    none = Nearest(np.empty((0, kept)), np.empty((0, kept), np.int64))
    return Nearest(*(np.concatenate(parts) for parts in zip(none, *blocks, strict=True)))


def _nearest(queries: Packed, references: Packed, count: int) -> Nearest:
    bits, parts = unpacked(queries), []
    for start in range(0, len(references), REFERENCES):
        common, either = overlaps(bits, unpacked(references[start : start + REFERENCES]))
        similarity = common.double().div_(either.clamp_(min=1)).numpy()
        parts.append(_first(Nearest(similarity, np.arange(start, start + similarity.shape[1])[None]), count))
    if not parts:
        return Nearest(np.empty((len(queries), 0)), np.empty((len(queries), 0), np.int64))
    return _first(Nearest(*(np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))), count)


def _first(found: Nearest, count: int) -> Nearest:
    """Return the `count` most similar of each row, in order."""
    key = TIE * found.place - found.similarity
    if count < key.shape[1]:
        chosen = np.argpartition(key, count - 1, axis=1)[:, :count]
    else:
        chosen = np.broadcast_to(np.arange(key.shape[1]), key.shape)
    order = np.argsort(np.take_along_axis(key, chosen, axis=1), axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1)
    index = np.broadcast_to(found.place, key.shape)
    return Nearest(np.take_along_axis(found.similarity, chosen, 1), np.take_along_axis(index, chosen, 1))


def surroundings(queries: Packed, references: Packed, y: Matrix | None, found: Nearest | None = None) -> Surroundings:
    """Return the surroundings of queries [M, bytes] among training molecules [R, bytes] with labels y [R, T].

    Args:
        queries: Packed bits.
        references: Packed bits.
        y: Labels of a regression, NaN where missing; None for classes.
        found: The nearest of all references, if they are known.
    """
    found = nearest(queries, references, 1 if y is None else COUNT) if found is None else found
    similarity = found.similarity[:, 0] if found.similarity.shape[1] else np.zeros(len(queries))
    if y is None:
        return Surroundings(similarity, None)
    local = np.full((len(queries), y.shape[1], 3), np.nan)
    for task, column in enumerate(y.T):
        known = np.flatnonzero(~np.isnan(column))
        if len(known) == len(column) > 0:
            local[:, task] = _local(found, column)
        elif len(known):
            local[:, task] = _local(nearest(queries, references[known], COUNT), column[known])
    return Surroundings(similarity, local)


def _local(found: Nearest, y: NDArray[np.float64]) -> Matrix:
    """Return weighted mean and deviation of the neighbors' labels and the label of the first, [M, 3]."""
    labels = y[found.place]
    weight = np.maximum(found.similarity, LEAST_WEIGHT)
    weight = weight / weight.sum(axis=1, keepdims=True)
    mean = (weight * labels).sum(axis=1)
    deviation = np.sqrt((weight * (labels - mean[:, None]) ** 2).sum(axis=1))
    return np.column_stack([mean, deviation, labels[:, 0]])


def among(held_out: HeldOut, queries: Packed, references: Packed, y: Matrix | None) -> HeldOut:
    """Return held-out molecules with fingerprints `queries` beside the molecules that their model was fitted to."""
    found = surroundings(queries, references, y)
    return HeldOut(held_out.rows, held_out.y, held_out.prediction, found.similarity, found.local)


def among_others(
    dataset: MoleculeDataset, records: Sequence[Record], parts: Sequence[HeldOut], rows: NDArray[np.int64] | None = None
) -> list[HeldOut]:
    """Return the test molecules of records, each part beside the molecules that its own fit has learned from.

    Args:
        dataset: The data set of the records.
        records: Folds of one repeat, or a single record.
        parts: The test molecules of each record.
        rows: Rows of the data set in any part of the split, of which a fit learns from the labeled ones that are not in
            its own test or validation part; those of `parts` by default, which are all where they are folds.
    """
    rows = np.concatenate([one.rows for one in parts]) if rows is None else rows
    place = np.searchsorted(dataset.rows, np.unique(rows))
    place = place[dataset.labeled[place]]
    packed = dict(zip(dataset.rows[place].tolist(), packed_bits([dataset.smiles[i] for i in place]), strict=True))
    unlabeled = sorted({int(row) for one in parts for row in one.rows} - set(packed))
    texts = [dataset.smiles[i] for i in np.searchsorted(dataset.rows, unlabeled)]
    every = packed | dict(zip(unlabeled, packed_bits(texts), strict=True))
    found = []
    for record, one in zip(records, parts, strict=True):
        val = [] if record.val_predictions is None else record.val_predictions.row
        left_out = {*one.rows.tolist(), *val}
        train = np.array([row for row in packed if row not in left_out], np.int64)
        references = np.array([packed[row] for row in train.tolist()], np.uint8).reshape(len(train), -1)
        queries = np.array([every[row] for row in one.rows.tolist()], np.uint8).reshape(len(one.rows), -1)
        y = dataset.y[np.searchsorted(dataset.rows, train)] if dataset.spec.task == "regression" else None
        found.append(among(one, queries, references, y))
    return found


def packed_bits(smiles: Sequence[str]) -> Packed:
    """Return the packed ECFP4 fingerprints of SMILES that have graphs, [N, 256]."""
    return fingerprints([parse_smiles(text) for text in smiles])
