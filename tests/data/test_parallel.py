"""Chunks of molecules through worker processes come back whole, in order, and without their memory."""

import multiprocessing
import os
from collections.abc import Sequence

import pytest
from joblib.externals.loky import process_executor

from roftbench.data.parallel import CHUNK, SERIAL, in_chunks


def lengths_and_process(texts: Sequence[str]) -> tuple[list[int], int]:
    return [len(text) for text in texts], os.getpid()


def failing(texts: Sequence[str]) -> None:
    if "bad" in texts:
        raise LookupError("a bad one")


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, SERIAL])
def test_few_texts_are_worked_on_here(count: int) -> None:
    results = list(in_chunks(lengths_and_process, ["x" * (i % 7) for i in range(count)], "few"))
    assert [length for lengths, _ in results for length in lengths] == [i % 7 for i in range(count)]
    assert {process for _, process in results} <= {os.getpid()}


def test_many_texts_go_to_other_processes_and_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    count = SERIAL + 3 * CHUNK + 5
    results = list(in_chunks(lengths_and_process, ["x" * (i % 11) for i in range(count)], "many"))
    assert [length for lengths, _ in results for length in lengths] == [i % 11 for i in range(count)]
    assert os.getpid() not in {process for _, process in results}
    assert not multiprocessing.active_children()


def test_one_core_needs_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    results = list(in_chunks(lengths_and_process, ["x"] * (SERIAL + 1), "alone"))
    assert {process for _, process in results} == {os.getpid()}


def test_an_error_in_a_worker_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    texts = ["good"] * (SERIAL + CHUNK) + ["bad"]
    with pytest.raises(LookupError, match="a bad one"):
        list(in_chunks(failing, texts, "bad"))


def exits(texts: Sequence[str]) -> None:
    os._exit(3)


def test_a_worker_that_dies_is_no_silent_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    with pytest.raises(process_executor.TerminatedWorkerError):
        list(in_chunks(exits, ["x"] * (SERIAL + 1), "dying"))
