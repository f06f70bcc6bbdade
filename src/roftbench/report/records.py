"""Records without their bulk: what tables need of very many of them."""

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from roftbench.progress import bar
from roftbench.store import SCHEMA, UNREADABLE, Record, Store

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds without a progress bar
READERS = 4  # threads that wait for the disk; one core decodes
CHUNK, AHEAD = 64, 8  # files a task; tasks that may be read before they are decoded
_DATA = ("sha256", "rows", "kept")
_ENV = ("roftbench", "commit", "torch", "device", "threads")


class _Light(msgspec.Struct):
    """What is kept of a record; the decoder passes over the rest, and over what is raw."""

    schema: int
    key: str
    status: str
    job: dict[str, msgspec.Raw]
    candidates: list[dict[str, Any]] = []
    count: msgspec.Raw = msgspec.Raw(b"{}")
    data: msgspec.Raw = msgspec.Raw(b"{}")
    env: msgspec.Raw = msgspec.Raw(b"{}")
    seconds: dict[str, float] = {}
    peak_memory_mb: float | None = None
    error: str | None = None


def read_records(store: Store) -> tuple[list[Record], list[Record]]:
    """Return the finished jobs, and the failed and skipped ones, each in order of their keys.

    Of each record: key, status, job, candidates, count, data (sha256, rows, kept), env (versions, commit, device),
    seconds (total), peak_memory_mb and error. Equal parts of records are one object. Histories and predictions are
    left out: they are nearly all of a record, and of 40,000 records they are 1 GB. What cannot be read is reported by
    name and left out.
    """
    reader = _Reader()
    return reader.read(store.record_paths()), reader.read(store.failure_paths())


class _Reader:
    """Decodes records; parts that are the same text become one object."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Light)
        self._known: dict[bytes, Any] = {}

    def read(self, paths: list[Path]) -> list[Record]:
        contents = bar(_contents(paths), "reading records", "record", delay=PATIENCE, total=len(paths))
        found = (self._record(path, content) for path, content in zip(paths, contents, strict=True))
        return [record for record in found if record is not None]

    def _record(self, path: Path, content: bytes | OSError) -> Record | None:
        try:
            if isinstance(content, OSError):
                raise content
            light = self._decoder.decode(content)
            if light.schema != SCHEMA or light.key != path.stem:
                raise ValueError(f"not a record of schema {SCHEMA} with this key")
            return self._checked(light)
        except UNREADABLE as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            logger.warning("%s cannot be read and is not counted: %s", path, reason)
            return None

    def _checked(self, light: _Light) -> Record:
        job = {name: self._shared(raw) for name, raw in light.job.items()}
        for part in ("model", "split", "label_ratio", "train", "dataset", "method"):
            job[part]["name"]
        metric = job["dataset"]["metric"]
        if not isinstance(job["seed"], int):
            raise TypeError(f"its seed is {job['seed']!r}")
        for candidate in light.candidates:
            for score in (*candidate["val"].values(), *candidate["test"].values()):
                if score is not None and not isinstance(score, int | float):
                    raise TypeError(f"one of its scores is {score!r}")
            candidate["val"][metric], candidate["test"][metric], candidate["params"]
        if light.status == "done" and not light.candidates:
            raise KeyError("candidates")
        data, env = self._shared(light.data), self._shared(light.env)
        return {
            "key": light.key,
            "status": light.status,
            "job": {"protocol": job["protocol"], "seed": job["seed"], **job},
            "candidates": light.candidates,
            "count": self._shared(light.count),
            "data": {name: data.get(name) for name in _DATA},
            "env": {name: env.get(name) for name in _ENV},
            "seconds": {name: value for name, value in light.seconds.items() if name == "total"},
            "peak_memory_mb": light.peak_memory_mb,
            "error": light.error,
        }

    def _shared(self, raw: msgspec.Raw) -> Any:
        text = bytes(raw)
        if text not in self._known:
            self._known[text] = msgspec.json.decode(text)
        return self._known[text]


def _contents(paths: list[Path]) -> Iterator[bytes | OSError]:
    """The contents of files, in order; some are read while others are decoded."""
    waiting: deque[Future[list[bytes | OSError]]] = deque()
    left = iter(paths)
    with ThreadPoolExecutor(READERS) as pool:
        while chunk := list(islice(left, CHUNK)):
            waiting.append(pool.submit(_read, chunk))
            if len(waiting) > AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _read(paths: list[Path]) -> list[bytes | OSError]:
    contents: list[bytes | OSError] = []
    for path in paths:
        try:
            contents.append(path.read_bytes())
        except OSError as error:
            contents.append(error)
    return contents
