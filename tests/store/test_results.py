"""The results folder: records are whole or reported, failures go when a job succeeds, stages are bounded."""

import json
import logging
import os
import resource
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from lab import Lab, equal, numbers
from msgspec.structs import replace
from refusals import raises_usage

from roftbench.report.records import read_records
from roftbench.runner.run import put_failure
from roftbench.store.checksums import digest
from roftbench.store.record_digest import sealed
from roftbench.store.record_schema import SCHEMA, Failure, Record
from roftbench.store.results import Store

KEY = "0123456789abcdef"
GRAPHS = {"train": 50, "val": 64, "test": 65}


def content(seed: int = 0, **more: Any) -> dict[str, Any]:
    """The content of a minimal record, of another job for each seed."""
    job = {"protocol": 3, "dataset": {"name": "esol", "metric": "rmse"}, "seed": seed}
    scores = {part: {"rmse": 1 / 3, "r2": None} for part in ("train", "val", "test")}
    tried = {"params": {"name": "Ölsäure α"}, "val": scores["val"], "test": scores["test"]}
    known = {"job": job, "scores": scores, "candidates": [tried], "count": {"graphs": GRAPHS, "labels": {}}}
    unknown: dict[str, Any] = {
        "base": None,
        "best_epoch": None,
        "chosen": {},
        "details": {},
        "history": [],
        "data": {},
        "env": {},
    }
    seconds = {"total": 1.0}
    return {"schema": SCHEMA, "key": digest(job), "status": "done", **known, **unknown, "seconds": seconds, **more}


def record(seed: int = 0, **more: Any) -> Record:
    return msgspec.convert(content(seed, **more), Record)


def failed(seed: int = 0, **more: Any) -> dict[str, Any]:
    one = content(seed)
    ended = {name: one[name] for name in ("schema", "key", "job", "env")}
    return {**ended, "status": "failed", "error": "lightning", "traceback": None, **more}


def failure(seed: int = 0) -> Failure:
    return msgspec.convert(failed(seed), Failure)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    given = record()
    path = store.put(given)
    assert path == store.record_path(given.key)
    assert store.get(given.key) == given
    assert store.load() == [given]
    assert store.get("f" * 16) is None


def test_fields_of_a_later_version_are_ignored(store: Store) -> None:
    path = store.put(record())
    path.write_text(sealed(content(added={"later": 1})), encoding="utf-8")
    assert store.get(path.stem) == record()
    assert len(read_records(store)[0]) == 1


def test_keys_of_a_record_file_keep_their_order(store: Store) -> None:
    path = store.put(record())
    assert list(json.loads(path.read_text(encoding="utf-8"))) == [
        *("digest", "schema", "key", "status", "job", "scores", "base", "chosen", "candidates", "best_epoch"),
        *("details", "stages", "history", "count", "warnings", "data", "test_predictions", "val_predictions"),
        *("seconds", "cpu_seconds", "env", "peak_memory_mb", "trained_parameters"),
    ]


def test_records_come_in_the_order_of_their_keys(store: Store) -> None:
    keys = [record(seed).key for seed in range(5)]
    for seed in range(5):
        store.put(record(seed))
    assert keys != sorted(keys)
    assert [one.key for one in store.load()] == sorted(keys)


def test_an_empty_folder_holds_nothing(store: Store) -> None:
    assert store.load() == []
    assert store.load_failures() == []
    assert store.get(KEY) is None
    assert store.get_stage(KEY) is None


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in content().items() if name not in names}


def written(values: Any) -> bytes:
    """The content of a file, with a valid digest where it can have one."""
    return (sealed(values) if isinstance(values, dict) and "schema" in values else json.dumps(values)).encode()


DAMAGED = {
    "empty": b"",
    "truncated": json.dumps(content()).encode()[:-5],
    "not text": b"\xff\xfe\x00",
    "null": b"null",
    "a list": b"[1, 2]",
    "foreign": {"mine": True},
    "another job's": content(1),
    "a job that was changed": content(job={**content()["job"], "seed": 7}),
    "a later schema": content(schema=SCHEMA + 1),
    "a failed one": failed(),
    "status failed": content(status="failed"),
    "without scores": without("scores"),
    "without job": without("job"),
    "without candidates": without("candidates"),
    "no candidates": content(candidates=[]),
    "a candidate without the metric": content(candidates=[{"params": {}, "val": {"mae": 1.0}, "test": {"mae": 1.0}}]),
    "a score in words": content(scores={**content()["scores"], "test": {"rmse": "low"}}),
    "an epoch without number": content(history=[{"stage": "ft", "train_loss": 1.0, "val_score": 1.0}]),
    "seconds in words": content(seconds={"total": "long"}),
    "counts in words": content(count={"graphs": {**GRAPHS, "train": "many"}, "labels": {}}),
    "a list of versions": content(env=["torch"]),
    "no seconds in total": content(seconds={}),
    "no stages": content(stages=None),
    "a stage that does not say whether it is frozen": content(stages=[{"name": "ft"}]),
    "no warnings": content(warnings=None),
    "dropped rows in words": content(data={"dropped": "none"}),
    "a learned epoch without number": content(details={"history": [{"val_loss": 1.0}]}),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_record_is_named_and_counts_for_nobody(
    store: Store, caplog: pytest.LogCaptureFixture, damaged: Any
) -> None:
    key, other = record().key, store.put(record(2))
    path = store.record_path(key)
    path.write_bytes(damaged if isinstance(damaged, bytes) else written(damaged))
    with caplog.at_level(logging.WARNING):
        assert [one.key for one in store.load()] == [other.stem]
        assert store.get(key) is None
        assert [one.key for one in read_records(store)[0]] == [other.stem]
    assert [f"{path} cannot be read and is not counted" in message for message in caplog.messages] == [True] * 3
    store.put(record())
    assert len(store.load()) == len(read_records(store)[0]) == 2


@pytest.mark.parametrize(
    "damaged",
    [content(), failed(status="lost"), failed(error=None), failed(1)],
    ids=["done", "lost", "no error", "other"],
)
def test_what_is_no_failure_is_named_and_counts_for_nobody(
    store: Store, caplog: pytest.LogCaptureFixture, damaged: dict[str, Any]
) -> None:
    key, other = record().key, store.put_failure(failure(2))
    path = store.failure_path(key)
    path.write_bytes(written(damaged))
    assert [one.key for one in store.load_failures()] == [other.stem]
    assert store.failure(key) is None
    assert [one.key for one in read_records(store)[1]] == [other.stem]
    assert [str(path) in message for message in caplog.messages] == [True] * 3


def test_a_folder_in_a_records_place_is_named_too(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.record_path(KEY).mkdir(parents=True)
    assert store.load() == []
    assert str(store.record_path(KEY)) in caplog.text


def test_a_record_that_could_not_be_read_again_is_not_written(store: Store) -> None:
    with pytest.raises(ValueError, match=r"Expected `int \| null`, got `float`"):
        store.put(replace(record(), best_epoch=1.5))
    assert not list(store.root.rglob("*.json"))


def test_a_number_that_json_does_not_know_is_not_written(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.put(replace(record(), details={"score": float("nan")}))
    assert store.load() == []
    assert not list(store.root.rglob("*.json"))


def test_success_removes_the_failure_and_nothing_else(store: Store) -> None:
    keys = [record(seed).key for seed in range(2)]
    for seed in range(2):
        store.put_failure(failure(seed))
    assert {one.key for one in store.load_failures()} == set(keys)
    assert store.load() == []
    assert store.get(keys[0]) is None
    store.put(record(0))
    assert [one.key for one in store.load_failures()] == [keys[1]]
    assert [one.key for one in store.load()] == [keys[0]]


def test_a_done_job_that_fails_when_it_is_done_again_stays_a_done_one(lab: Lab) -> None:
    done = lab.done("method=lp", "train.epochs=1")
    put_failure(lab.store, lab.job("method=lp", "train.epochs=1")[0], "killed")
    assert lab.store.load_failures() == []
    assert [[one.key for one in kind] for kind in read_records(lab.store)] == [[done.key], []]
    lab.store.record_path(done.key).unlink()
    assert [one.error for one in lab.store.load_failures()] == ["killed"]


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
    assert store.get(record().key) == record()


@pytest.mark.parametrize("in_the_way", ["", "runs"])
def test_results_that_cannot_be_written_are_a_usage_error(tmp_path: Path, in_the_way: str) -> None:
    root = tmp_path / "results"
    if in_the_way:
        root.mkdir()
    (root / in_the_way).write_text("I am a file")
    with raises_usage(key="paths.results"):
        Store(root).check_writable()
    with raises_usage(key="paths.results"):
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
    assert "ft" in record.seconds
    assert "ft (reused)" not in record.seconds
    assert record.base.test == full.scores.test
    again = lab.done("method=wise_ft", "run.rerun=true")
    assert numbers(again) == numbers(record)


def test_a_damaged_record_is_computed_again(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    first = lab.run("method=lp")
    path = lab.store.record_path(first.record.key)
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
    assert f"{store.stage_path(KEY)} cannot be stored for reuse: File too large" in caplog.text
    assert store.get_stage(KEY) is None
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_small_cap_costs_time_but_changes_no_number(lab: Lab) -> None:
    free = lab.done("method=lp_ft", "method.search=false")
    capped = lab.elsewhere("capped")
    record = capped.done("method=lp_ft", "run.stage_cap_gb=0")
    assert len(capped.stages()) == 1
    assert len(lab.stages()) == 2
    assert numbers(record) == numbers(free)
