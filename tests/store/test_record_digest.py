"""A record that is damaged is never taken for another one; an older one is read, and known to be unverified."""

import json
import logging
import random
from pathlib import Path

import pytest
from command import Command
from lab import Lab, numbers
from msgspec.structs import replace

from roftbench.report.records import read_records
from roftbench.runner.run import put_failure
from roftbench.store.record_digest import is_verified, sealed
from roftbench.store.record_schema import SCHEMA, Record, plain

DAMAGES = 200
JOB = ("method=lp", "train.epochs=1")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a content of which one byte is another one."""
    place, change = rng.randrange(len(content)), rng.randrange(1, 256)
    return content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]


def older(lab: Lab, record: Record) -> Path:
    """Write a record as versions before digests did."""
    path = lab.store.record_path(record.key)
    path.write_text(json.dumps({**plain(record), "schema": 1}, indent=1) + "\n", encoding="utf-8")
    return path


def test_no_damaged_byte_of_a_record_gives_another_content(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    record = lab.done(*JOB)
    path = lab.store.record_path(record.key)
    content, lean, rng = path.read_bytes(), read_records(lab.store)[0], random.Random(22)
    refused = 0
    for _ in range(DAMAGES):
        path.write_bytes(damaged(content, rng))
        caplog.clear()
        found, listed = lab.store.get(record.key), read_records(lab.store)[0]
        assert found in (None, record)  # a blank that became another blank changes nothing
        assert listed == ([] if found is None else lean)
        assert (found is None) == (str(path) in caplog.text)
        refused += found is None
    assert refused > DAMAGES * 0.9


def test_no_damaged_byte_of_a_failure_gives_another_content(lab: Lab) -> None:
    job, _ = lab.job(*JOB)
    failure = put_failure(lab.store, job, "the reason")
    path = lab.store.failure_path(job.key)
    content, rng = path.read_bytes(), random.Random(22)
    for _ in range(DAMAGES):
        path.write_bytes(damaged(content, rng))
        found = lab.store.failure(job.key)
        assert found in (None, failure)
        assert (found is None) == (read_records(lab.store)[1] == [])


def test_a_changed_score_is_named_not_counted_and_computed_again(
    lab: Lab, cli: Command, caplog: pytest.LogCaptureFixture
) -> None:
    record = lab.done(*JOB)
    path = lab.store.record_path(record.key)
    text = path.read_text()
    score = repr(record.scores.test["rmse"])
    path.write_text(text.replace(score, score[:3] + str(9 - int(score[3])) + score[4:]))
    for words in (["list", "runs"], ["plan", *lab.command(*JOB)[4:]]):
        caplog.clear()
        ended = cli(*words)
        assert ended.code == 0
        assert f"{path} cannot be read and is not counted: it is damaged: its digest does not match" in caplog.text
        assert record.key not in ended.out
    assert cli("tables").code == 2
    assert numbers(lab.done(*JOB)) == numbers(record)
    assert lab.store.get(record.key) is not None


def test_a_record_without_its_digest_is_damaged_and_one_with_other_blanks_is_not(lab: Lab) -> None:
    record = lab.done(*JOB)
    path = lab.store.record_path(record.key)
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole, separators=(",", ":")))
    assert lab.store.get(record.key) == record
    path.write_text(json.dumps({**whole, "schema": 1}))
    assert lab.store.get(record.key) is None
    del whole["digest"]
    path.write_text(json.dumps(whole, indent=1))
    assert lab.store.get(record.key) is None


def test_records_of_older_versions_count_and_are_said_to_be_unverified(
    lab: Lab, cli: Command, caplog: pytest.LogCaptureFixture
) -> None:
    record = lab.done(*JOB)
    lab.done(*JOB, "seed=1")
    assert cli("list", "runs").code == 0
    assert caplog.messages == []
    older(lab, record)
    for words in (["list", "runs"], ["tables", "--no-figures"]):
        caplog.clear()
        assert cli(*words).code == 0
        [line] = [line for line in caplog.messages if "unverified" in line]
        assert line.startswith("1 of 2 records are unverified")
    assert len(read_records(lab.store)[0]) == 2
    assert lab.run(*JOB).cached


def test_an_older_record_stays_one_where_it_is_written_again(lab: Lab) -> None:
    record = replace(lab.done(*JOB), schema=1)
    path = older(lab, record)
    content = path.read_bytes()
    lab.store.put(record)
    assert path.read_bytes() == content


def test_every_command_judges_an_older_record_alike(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    path = older(lab, lab.done(*JOB))
    content, rng = path.read_bytes(), random.Random(22)
    with caplog.at_level(logging.CRITICAL):
        for _ in range(DAMAGES):
            path.write_bytes(damaged(content, rng))
            assert (lab.store.get(path.stem) is None) == (read_records(lab.store)[0] == [])


def test_an_older_record_without_rows_of_its_predictions_is_refused_by_all(lab: Lab) -> None:
    path = older(lab, lab.done(*JOB))
    path.write_bytes(path.read_bytes().replace(b'"row": [', b'"r)w": ['))
    assert lab.store.get(path.stem) is None
    assert read_records(lab.store)[0] == []


def test_the_digest_is_that_of_the_values_in_their_order() -> None:
    text = sealed({"schema": SCHEMA, "a": 1.0, "b": "Å"})
    assert is_verified(text.encode(), SCHEMA)
    assert not is_verified(b'{"schema": 1}', 1)
    for other in (text.replace("1.0", "1.5"), text.replace('"a"', '"c"'), text.replace("}", ',"c": 1}')):
        with pytest.raises(ValueError, match="digest does not match"):
            is_verified(other.encode(), SCHEMA)
