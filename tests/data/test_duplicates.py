"""Molecules that occur more than once: three policies, and warnings on what parts share."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roftbench.data.duplicates import across_parts, conflicting_tasks, groups_of, resolve
from roftbench.data.featurizers.hu import text_hash
from roftbench.data.split import Split

NAN = float("nan")
#                     0  1  2  3  4  5  6
CANONICAL = np.array([5, 7, 5, 9, 7, 7, 1])
ROWS = np.array([0, 2, 3, 4, 5, 8, 9])  # row 1, 6 and 7 have no graph


def labels(*values: float) -> NDArray[np.float64]:
    return np.array(values)[:, None]


def test_groups_by_first_position() -> None:
    assert [group.tolist() for group in groups_of(CANONICAL)] == [[0, 2], [1, 4, 5]]
    assert groups_of(np.array([3, 1, 2])) == []
    assert groups_of(np.empty(0, np.int64)) == []


def test_keep_changes_nothing() -> None:
    y = labels(1, 0, 0, NAN, 0, 1, 1)
    found = resolve("keep", CANONICAL, y, ROWS, "classification")
    assert found.kept.tolist() == list(range(7))
    assert found.dropped == []
    np.testing.assert_array_equal(found.y, y)


def test_drop_conflicts_leaves_out_every_row_of_a_molecule_with_two_labels() -> None:
    y = labels(1, 0, NAN, 1, 0, 1, 1)
    found = resolve("drop_conflicts", CANONICAL, y, ROWS, "classification")
    assert found.kept.tolist() == [0, 2, 3, 6]  # 0 and 2 agree: a missing label contradicts nothing
    assert [position for position, _ in found.dropped] == [1, 4, 5]
    assert all("rows 3, 6, 9 " in reason for _, reason in found.dropped)
    np.testing.assert_array_equal(found.y, y[[0, 2, 3, 6]])


def test_merged_regression_labels_are_means_of_what_is_known() -> None:
    y = np.array([[1.0, NAN], [2, 4], [3, NAN], [9, 9], [NAN, 8], [4, NAN], [5, 5]])
    found = resolve("merge", CANONICAL, y, ROWS, "regression")
    assert found.kept.tolist() == [0, 1, 3, 6]
    np.testing.assert_array_equal(found.y, [[2, NAN], [3, 6], [9, 9], [5, 5]])
    assert [position for position, _ in found.dropped] == [2, 4, 5]
    assert [re.findall(r"\d+", reason) for _, reason in found.dropped] == [["1"], ["3"], ["3"]]
    assert y[0, 0] == 1  # the caller's labels stay as they were


def test_merged_classes_are_the_agreed_one_or_missing() -> None:
    y = np.array([[1, 0], [0, NAN], [1, 1], [0, 0], [1, NAN], [0, NAN], [1, 1]])
    found = resolve("merge", CANONICAL, y, ROWS, "classification")
    assert found.kept.tolist() == [0, 3, 6]  # molecule 7 has labels in task 0 only, and they disagree
    np.testing.assert_array_equal(found.y, [[1, NAN], [0, 0], [1, 1]])
    assert "rows 3, 6, 9 " in dict(found.dropped)[1]


def test_merged_rows_without_any_label_stay_one_row_without_label() -> None:
    found = resolve("merge", np.array([1, 1]), labels(NAN, NAN), np.arange(2), "classification")
    assert found.kept.tolist() == [0]
    assert np.isnan(found.y).all()


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0.0, 1.0, NAN])), max_size=40),
    st.sampled_from(["drop_conflicts", "merge"]),
    st.sampled_from(["classification", "regression"]),
)
def test_every_row_is_kept_or_dropped_once_and_no_conflict_is_left(
    molecules: list[tuple[int, float]], policy: str, task: str
) -> None:
    canonical = np.array([number for number, _ in molecules], dtype=np.int64)
    y = np.array([[label] for _, label in molecules]).reshape(-1, 1)
    found = resolve(policy, canonical, y, np.arange(len(y)), task)
    assert sorted([*found.kept, *(position for position, _ in found.dropped)]) == list(range(len(y)))
    left = canonical[found.kept]
    for group in groups_of(left):
        assert policy == "drop_conflicts"
        assert not conflicting_tasks(found.y[group]).any()


def test_what_is_dropped_says_the_same_of_all_rows_of_a_molecule() -> None:
    canonical = np.array([1, 1, 1, 2, 2])
    found = resolve("merge", canonical, labels(0.0, 1, 0, 1, 1), np.arange(5), "classification")
    assert found.kept.tolist() == [3]
    reasons = dict(found.dropped)
    assert reasons[0] == reasons[1] == reasons[2]
    assert [re.findall(r"\d+", reasons[p]) for p in (0, 4)] == [["1", "2", "3"], ["4"]]


def test_shared_molecules_and_contradicting_labels_are_told_part_by_part() -> None:
    canonical = np.array([1, 2, 3, 4, 1, 2, 2, 9, 4])
    y = labels(0, 1, 0, 1, 0, 0, 0, 1, NAN)
    parts = Split(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([6, 7, 8]))
    found = across_parts(canonical, y, parts, "remedy")
    assert [re.findall(r"\d+|\btrain\b|\bval\b|\btest\b|remedy", text) for text in found] == [
        ["2", "2", "val", "train", "1", "remedy"],
        ["2", "3", "test", "train", "1", "remedy"],
        ["1", "3", "test", "val", "0", "remedy"],
    ]
    assert across_parts(np.arange(9), y, parts, "") == []
    empty = Split(np.arange(0), np.arange(0), np.arange(0))
    assert across_parts(canonical, y, empty, "") == []


@pytest.mark.parametrize("text", ["", "C", "é", "C" * 1000])
def test_hashes_of_texts_are_stable_and_differ(text: str) -> None:
    assert text_hash(text) == text_hash(text) != text_hash(text + "C")
    assert -(2**63) <= text_hash(text) < 2**63
