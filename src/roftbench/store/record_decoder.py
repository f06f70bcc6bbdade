"""Checked decoding of records: a file that is not what was written for its job raises an error."""

from collections import Counter
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict

from roftbench.store.checksums import canonical, digest, digest_of_text
from roftbench.store.record_digest import is_verified
from roftbench.store.record_schema import Count, DataResult, Failure, Predictions, Record, RecordSummary, StageResult

UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError)
"""What decoding a damaged record may raise."""


class _LearnedEpoch(Struct):
    epoch: int
    val_loss: float | None = None
    val_score: float | None = None


class _Details(Struct):
    history: list[_LearnedEpoch] = []


# The records with parts as text that repeat from file to file or are not needed.
_Done: Any = msgspec.defstruct(
    "_Done",
    [
        *(("job", dict[str, Raw]), ("details", _Details), ("count", Raw), ("data", Raw), ("env", Raw)),
        *(("stages", Raw, Raw(b"[]")), ("test_predictions", Raw, Raw()), ("val_predictions", Raw, Raw())),
    ],
    bases=(Record,),
    frozen=True,
    kw_only=True,
)
_Ended: Any = msgspec.defstruct(
    "_Ended", [("job", dict[str, Raw]), ("env", Raw)], bases=(Failure,), frozen=True, kw_only=True
)
_AS_THEY_ARE = (
    "schema",
    "key",
    "candidates",
    "scores",
    "seconds",
    "cpu_seconds",
    "peak_memory_mb",
    "trained_parameters",
)  # of a summary
_RECORD, _DONE, _ENDED = msgspec.json.Decoder(Record), msgspec.json.Decoder(_Done), msgspec.json.Decoder(_Ended)
_STAGES, _COUNT = msgspec.json.Decoder(list[StageResult]), msgspec.json.Decoder(Count)
_DATA, _ENV = msgspec.json.Decoder(DataResult), msgspec.json.Decoder(dict[str, Any])
_PREDICTIONS = msgspec.json.Decoder(Predictions | None)
_Value = TypeVar("_Value")


def decode_record(content: bytes, key: str) -> Record:
    """Return the record of a finished job.

    Raises:
        ValueError: the content is not a record of that job, or not the one that its digest was computed from; so do all
            of UNREADABLE.
    """
    record = _RECORD.decode(content)
    msgspec.convert(record.details, _Details)
    is_verified(content, record.schema)
    _check_key(record.key, digest(record.job), key)
    _check_scores(record, record.metric)
    return record


class RecordDecoder:
    """Decodes many records without their bulk; parts with the same text become one object."""

    def __init__(self) -> None:
        self._job_parts: dict[bytes, tuple[Any, str]] = {}
        self._parts: dict[tuple[int, bytes], Any] = {}

    def summary(self, content: bytes, key: str) -> RecordSummary:
        """Return the summary of a finished job; raises as `decode_record` does."""
        done = _DONE.decode(content)
        if not is_verified(content, done.schema):
            for raw in (done.test_predictions, done.val_predictions):
                _PREDICTIONS.decode(bytes(raw) or b"null")
        job = self._job(done, key)
        _check_scores(done, job["dataset"]["metric"])
        return RecordSummary(
            **{name: getattr(done, name) for name in _AS_THEY_ARE},
            job=job,
            stages=self._part(done.stages, _STAGES),
            epochs=Counter(epoch.stage for epoch in done.history),
            count=self._part(done.count, _COUNT),
            data=self._part(done.data, _DATA),
            env=self._part(done.env, _ENV),
        )

    def failure(self, content: bytes, key: str) -> Failure:
        """Return the record of a failed or skipped job; raises as `decode_record` does."""
        ended = _ENDED.decode(content)
        is_verified(content, ended.schema)
        return Failure(**{**asdict(ended), "job": self._job(ended, key), "env": self._part(ended.env, _ENV)})

    def _job(self, shape: Any, key: str) -> dict[str, Any]:
        """Return the job of a record; raises ValueError unless it has this key."""
        parts = {name: self._job_part(raw) for name, raw in shape.job.items()}
        texts = ",".join(f"{canonical(name)}:{parts[name][1]}" for name in sorted(parts))
        _check_key(shape.key, digest_of_text(f"{{{texts}}}"), key)
        return {name: value for name, (value, _) in parts.items()}

    def _job_part(self, raw: Raw) -> tuple[Any, str]:
        """Return a part of a job, and its canonical JSON."""
        text = bytes(raw)
        if text not in self._job_parts:
            value = msgspec.json.decode(text)
            self._job_parts[text] = value, canonical(value)
        return self._job_parts[text]

    def _part(self, raw: Raw, decoder: "msgspec.json.Decoder[_Value]") -> _Value:
        known = id(decoder), bytes(raw)
        if known not in self._parts:
            self._parts[known] = decoder.decode(raw)
        part: _Value = self._parts[known]
        return part


def _check_key(written: str, of_job: str, key: str) -> None:
    if written != key or of_job != key:
        raise ValueError("its job is not the one that the file is named after")


def _check_scores(record: Record, metric: str) -> None:
    tried = [scores for candidate in record.candidates for scores in (candidate.val, candidate.test)]
    if not tried or any(metric not in scores for scores in (record.scores.val, record.scores.test, *tried)):
        raise ValueError(f"it lacks candidates, or their {metric}")
    if "total" not in record.seconds:
        raise ValueError("it lacks the seconds in total")
