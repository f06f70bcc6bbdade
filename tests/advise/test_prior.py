"""What committed results say decides the order of the race alone."""

from pathlib import Path

import pytest

from roftbench.advise.candidates import Candidate
from roftbench.advise.prior import Prior

TABLE = """pretraining,task,labels,method,average_rank,tables
self-supervised,regression,50,bss,2.0,4
self-supervised,regression,50,lp,8.0,4
supervised,regression,50,bss,4.0,2
self-supervised,regression,500,bss,9.0,1
self-supervised,regression,500,roftmol,1.0,1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "prior.csv"
    file.write_text(TABLE, encoding="utf-8")
    return file


def test_ranks_are_those_of_the_nearest_number_of_labels_by_ratio(path: Path) -> None:
    assert Prior.of("regression", 100, path).ranks == {"bss": 3.0, "lp": 8.0}
    assert Prior.of("regression", 200, path).ranks == {"bss": 9.0, "roftmol": 1.0}
    words = Prior.of("regression", 60, path).words()
    assert "4 committed rankings of regression at 50 labels" in words
    assert words.endswith(": BSS 3.0, LP 8.0")


def test_cheap_methods_run_first_then_by_rank_then_those_that_are_unknown(path: Path) -> None:
    candidates = [Candidate("gin", method) for method in ("wise_ft", "roftmol", "bss", "lp")]
    ordered = Prior.of("regression", 400, path).order(candidates)
    assert [one.method for one in ordered] == ["lp", "roftmol", "bss", "wise_ft"]


def test_nothing_like_the_task_leaves_the_order_as_it_is(path: Path) -> None:
    found = Prior.of("classification", 50, path)
    candidates = [Candidate("gin", method) for method in ("wise_ft", "roftmol")]
    assert found.order(candidates) == candidates
    assert "no committed result is like this task" in found.words()


def test_the_shipped_table_knows_both_tasks() -> None:
    for task in ("regression", "classification"):
        assert len(Prior.of(task, 80).ranks) == 9
