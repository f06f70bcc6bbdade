"""What a file must hold to count as a record, whoever reads it; anything else is named and not counted."""

from collections import Counter
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from roftbench.store.checksums import canonical, digest_of_text
from roftbench.store.record_digest import is_verified

SCHEMA = 2  # 1: without a digest
Scores = dict[str, float | None]


class Candidate(TypedDict):
    """Hyperparameters that were tried, with what they scored; `error` says why there are no scores."""

    params: dict[str, Any]
    val: Scores
    test: Scores
    best_epoch: NotRequired[int | None]
    error: NotRequired[str]


class _Graphs(TypedDict):
    train: int
    val: int
    test: int


class _Count(TypedDict):
    graphs: _Graphs
    labels: dict[str, int]


class _Data(TypedDict):
    sha256: NotRequired[str | None]
    place: NotRequired[str | None]
    rows: NotRequired[int | None]
    kept: NotRequired[int | None]
    dropped: NotRequired[list[Any]]


class _Parts(msgspec.Struct):
    train: Scores
    val: Scores
    test: Scores


class _Base(msgspec.Struct):
    method: str
    val: Scores
    test: Scores
    best_epoch: int | None


class _Epoch(msgspec.Struct):
    stage: str
    epoch: int
    train_loss: float | None
    val_score: float | None


class _Learned(msgspec.Struct):
    epoch: int
    val_loss: float | None = None
    val_score: float | None = None


class _Details(msgspec.Struct):
    history: list[_Learned] = []


class _Stage(msgspec.Struct):
    name: str
    frozen: bool


class _Shape(msgspec.Struct, kw_only=True):
    schema: Literal[1, 2]
    key: str
    job: dict[str, msgspec.Raw]
    env: msgspec.Raw


class _Ended(_Shape, kw_only=True):
    status: Literal["failed", "skipped"]
    error: str
    traceback: str | None = None


class _Done(_Shape, kw_only=True):
    status: Literal["done"]
    scores: _Parts
    base: _Base | None
    chosen: dict[str, Any]
    candidates: list[Candidate]
    best_epoch: int | None
    details: _Details
    history: list[_Epoch]
    count: msgspec.Raw
    data: msgspec.Raw
    stages: list[_Stage] = []  # older ones say nothing
    warnings: list[str] = []
    seconds: dict[str, float]
    peak_memory_mb: float | None = None


_DONE, _ENDED = msgspec.json.Decoder(_Done), msgspec.json.Decoder(_Ended)
_OBJECT, _COUNT, _DATA = (msgspec.json.Decoder(kind) for kind in (dict[str, Any], _Count, _Data))


class Shapes:
    """Checks the contents of files, passing over their bulk; parts that are the same text become one object."""

    def __init__(self) -> None:
        self._jobs: dict[bytes, tuple[Any, str]] = {}
        self._objects: dict[tuple[bytes, int], Any] = {}

    def light(self, content: bytes, key: str, *, done: bool) -> dict[str, Any]:
        """Return a record without histories, predictions and what else is long, and whether it is `verified`.

        Raises:
            ValueError: it is no record of a finished job (done), or of a failed or skipped one, or it is another job's,
                or its content is not what its digest was made of.
        """
        shape: _Done | _Ended = (_DONE if done else _ENDED).decode(content)
        verified = is_verified(content, shape.schema)
        parts = {name: self._part_of_job(raw) for name, raw in shape.job.items()}
        if shape.key != key or _key_of({name: text for name, (_, text) in parts.items()}) != key:
            raise ValueError("its job is not the one that the file is named after")
        job = {name: value for name, (value, _) in parts.items()}
        rest = self._done(shape, job["dataset"]["metric"]) if isinstance(shape, _Done) else _ended(shape)
        known = {"key": key, "status": shape.status, "verified": verified}
        return {**known, "job": job, "env": self._object(shape.env), **rest}

    def _done(self, shape: _Done, metric: str) -> dict[str, Any]:
        scores = [
            shape.scores.val,
            shape.scores.test,
            *(one[part] for one in shape.candidates for part in ("val", "test")),
        ]
        if not shape.candidates or any(metric not in one for one in scores):
            raise ValueError(f"it lacks candidates, or their {metric}")
        if "total" not in shape.seconds:
            raise ValueError("it lacks the seconds in total")
        return {
            "scores": {"val": shape.scores.val, "test": shape.scores.test},
            "candidates": shape.candidates,
            "stages": [{"name": one.name, "frozen": one.frozen} for one in shape.stages],
            "epochs": Counter(epoch.stage for epoch in shape.history),
            "count": self._object(shape.count, _COUNT),
            "data": self._object(shape.data, _DATA),
            "seconds": shape.seconds,
            "peak_memory_mb": shape.peak_memory_mb,
            "error": None,
        }

    def _object(self, raw: msgspec.Raw, decoder: msgspec.json.Decoder[Any] = _OBJECT) -> Any:
        known = bytes(raw), id(decoder)
        if known not in self._objects:
            self._objects[known] = decoder.decode(raw)
        return self._objects[known]

    def _part_of_job(self, raw: msgspec.Raw) -> tuple[Any, str]:
        """Return a part of a job, and its canonical JSON."""
        known = bytes(raw)
        if known not in self._jobs:
            value = msgspec.json.decode(raw)
            self._jobs[known] = value, canonical(value)
        return self._jobs[known]


def _ended(shape: _Ended) -> dict[str, Any]:
    return {"candidates": [], "count": {}, "data": {}, "seconds": {}, "peak_memory_mb": None, "error": shape.error}


def _key_of(job: dict[str, str]) -> str:
    """Return the `digest` of a job whose parts are canonical JSON."""
    return digest_of_text("{" + ",".join(f"{canonical(name)}:{job[name]}" for name in sorted(job)) + "}")
