"""The results folder: records are whole or reported, failures go when a job succeeds, stages are bounded."""

import json
import logging
import os
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Lab, equal, numbers

from roftbench.errors import UsageError
from roftbench.report.records import read_records
from roftbench.runner import put_failure
from roftbench.store import SCHEMA, Store

KEY = "0123456789abcdef"


def record(key: str = KEY, **more: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "key": key, "status": "done", **more}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    given = record(scores={"val": {"rmse": 1 / 3, "r2": None}}, name="Ölsäure α")
    path = store.put(given)
    assert path == store.record_path(KEY)
    assert store.get(KEY) == given
    assert store.load() == [given]
    assert store.get("f" * 16) is None


def test_records_come_in_the_order_of_their_keys(store: Store) -> None:
    keys = ["c" * 16, "a" * 16, "b" * 16]
    for key in keys:
        store.put(record(key))
    assert [one["key"] for one in store.load()] == sorted(keys)


def test_an_empty_folder_holds_nothing(store: Store) -> None:
    assert store.load() == []
    assert store.load_failures() == []
    assert store.get(KEY) is None
    assert store.get_stage(KEY) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        json.dumps(record()).encode()[:-5],
        b"\xff\xfe\x00",
        b"null",
        b"[1, 2]",
        json.dumps({"mine": True}).encode(),
        json.dumps(record("f" * 16)).encode(),
        json.dumps({**record(), "schema": SCHEMA + 1}).encode(),
    ],
    ids=["empty", "truncated", "not text", "null", "a list", "foreign", "another job's", "a later schema"],
)
def test_a_record_that_cannot_be_read_is_named_and_not_counted(
    store: Store, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    store.put(record("a" * 16))
    store.record_path(KEY).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert [one["key"] for one in store.load()] == ["a" * 16]
        assert store.get(KEY) is None
    assert [str(store.record_path(KEY)) in message for message in caplog.messages] == [True, True]
    store.put(record())
    assert len(store.load()) == 2


def test_a_folder_in_a_records_place_is_named_too(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.record_path(KEY).mkdir(parents=True)
    assert store.load() == []
    assert str(store.record_path(KEY)) in caplog.text


def test_a_number_that_json_does_not_know_is_not_written(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.put(record(score=float("nan")))
    assert store.load() == []
    assert not list(store.root.rglob("*.json"))


def test_success_removes_the_failure_and_nothing_else(store: Store) -> None:
    other = "f" * 16
    for key in (KEY, other):
        store.put_failure({**record(key), "status": "failed", "error": "lightning"})
    assert [one["key"] for one in store.load_failures()] == [KEY, other]
    assert store.load() == []
    assert store.get(KEY) is None
    store.put(record())
    assert [one["key"] for one in store.load_failures()] == [other]
    assert [one["key"] for one in store.load()] == [KEY]


def test_a_done_job_that_fails_when_it_is_done_again_stays_a_done_one(lab: Lab) -> None:
    done = lab.done("method=lp", "train.epochs=1")
    put_failure(lab.store, lab.job("method=lp", "train.epochs=1")[0], "killed")
    assert lab.store.load_failures() == []
    assert [[one["key"] for one in kind] for kind in read_records(lab.store)] == [[done["key"]], []]
    lab.store.record_path(done["key"]).unlink()
    assert [one["error"] for one in lab.store.load_failures()] == ["killed"]


@pytest.mark.parametrize(("place", "value"), [("seed", "zero"), ("val", "abc"), ("test", [1.0])])
def test_a_record_with_values_that_it_cannot_have_is_named_and_not_counted(
    lab: Lab, caplog: pytest.LogCaptureFixture, place: str, value: Any
) -> None:
    lab.done("method=lp", "train.epochs=1", "seed=1")
    spoilt = lab.done("method=lp", "train.epochs=1", "seed=0")
    path = lab.store.record_path(spoilt["key"])
    if place == "seed":
        spoilt["job"]["seed"] = value
    else:
        spoilt["candidates"][0][place]["rmse"] = value
    path.write_text(json.dumps(spoilt))
    assert [one["job"]["seed"] for one in read_records(lab.store)[0]] == [1]
    assert f"{path} cannot be read and is not counted" in caplog.text


def entry(seed: int, size: int = 1000) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return {"w": torch.randn(size, generator=torch.Generator().manual_seed(seed))}, {"seconds": float(seed)}


def test_a_stage_comes_back_bit_for_bit(store: Store) -> None:
    given = entry(1)
    store.put_stage(KEY, given)
    found = store.get_stage(KEY)
    assert found is not None
    assert equal(found[0], given[0])
    assert found[1] == given[1]


@pytest.mark.parametrize("damage", ["truncated", "one byte", "empty"])
def test_a_damaged_stage_is_named_and_not_used(store: Store, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    store.put_stage(KEY, entry(1))
    path = store.stage_path(KEY)
    content = path.read_bytes()
    changed = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes({"truncated": content[:-100], "one byte": changed, "empty": b""}[damage])
    assert store.get_stage(KEY) is None
    assert str(path) in caplog.text
    assert "fitting that stage again" in caplog.text


def set_age(store: Store, key: str, seconds: int) -> None:
    os.utime(store.stage_path(key), (1_000_000_000 - seconds,) * 2)


def test_above_the_cap_the_least_recently_used_stages_go(tmp_path: Path) -> None:
    store = Store(tmp_path, stage_cap_gb=13e-6)  # three stages of a little over 4000 bytes
    keys = [f"{number:016x}" for number in range(5)]
    for age, key in enumerate(keys[:3]):
        store.put_stage(key, entry(age))
        set_age(store, key, 100 - age)
    assert store.get_stage(keys[0]) is not None  # now the most recently used
    for key in keys[3:]:
        store.put_stage(key, entry(9))
        set_age(store, key, 1)
    left = {path.stem for path in (tmp_path / "stages").glob("*.safetensors")}
    assert left == {keys[0], keys[3], keys[4]}


@pytest.mark.parametrize("cap", [0.0, 1e-9])
def test_the_newest_stage_stays_whatever_the_cap(tmp_path: Path, cap: float) -> None:
    store = Store(tmp_path, stage_cap_gb=cap)
    for key in ("a" * 16, "b" * 16):
        store.put_stage(key, entry(1))
    assert [path.stem for path in (tmp_path / "stages").glob("*.safetensors")] == ["b" * 16]


def test_records_are_no_stages_and_are_never_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path, stage_cap_gb=0)
    store.put(record())
    store.put_stage(KEY, entry(1))
    store.put_stage("f" * 16, entry(2))
    assert store.get(KEY) == record()


@pytest.mark.parametrize("in_the_way", ["", "runs"])
def test_results_that_cannot_be_written_are_a_usage_error(tmp_path: Path, in_the_way: str) -> None:
    root = tmp_path / "results"
    if in_the_way:
        root.mkdir()
    (root / in_the_way).write_text("I am a file")
    with pytest.raises(UsageError, match=r"paths\.results=.*results.*cannot be written.*Set paths\.results"):
        Store(root).check_writable()
    with pytest.raises(UsageError, match=r"cannot be written"):
        Store(tmp_path / "results" / "deeper" / "still" if not in_the_way else root).check_writable()


def test_the_check_leaves_nothing_that_could_be_taken_for_a_record(store: Store) -> None:
    store.check_writable()
    store.check_writable()
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_damaged_stage_is_fitted_again_with_the_same_numbers(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    full = lab.done("method=full_ft")
    (stage,) = lab.stages()
    stage.write_bytes(stage.read_bytes()[:-7])
    record = lab.done("method=wise_ft")
    assert str(stage) in caplog.text
    assert "ft" in record["seconds"]
    assert "ft (reused)" not in record["seconds"]
    assert record["base"]["test"] == full["scores"]["test"]
    again = lab.done("method=wise_ft", "run.rerun=true")
    assert numbers(again) == numbers(record)


def test_a_damaged_record_is_computed_again(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    first = lab.run("method=lp")
    path = lab.store.record_path(first.record["key"])
    path.write_bytes(path.read_bytes()[:200])
    again = lab.run("method=lp")
    assert not again.cached
    assert str(path) in caplog.text
    assert numbers(again.record) == numbers(first.record)
    assert lab.run("method=lp").cached


def test_a_stage_that_finds_no_room_is_named_and_costs_the_job_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # the system takes no more of a file
    try:
        store.put_stage(KEY, entry(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"{store.stage_path(KEY)} cannot be kept for reuse: File too large" in caplog.text
    assert store.get_stage(KEY) is None
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_small_cap_costs_time_but_changes_no_number(lab: Lab) -> None:
    free = lab.done("method=lp_ft", "method.search=false")
    capped = lab.elsewhere("capped")
    record = capped.done("method=lp_ft", "run.stage_cap_gb=0")
    assert len(capped.stages()) == 1
    assert len(lab.stages()) == 2
    assert numbers(record) == numbers(free)
