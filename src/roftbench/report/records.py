"""The one way in which commands read very many records: without their bulk, each checked."""

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from roftbench.console import bar
from roftbench.store.record_schema import Shapes
from roftbench.store.results import UNREADABLE, Record, Store, unreadable

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds without a progress bar
READERS = 4  # threads that wait for the disk; one core decodes
CHUNK, AHEAD = 64, 8  # files a task; tasks that may be read before they are decoded
_KEPT = ("key", "status", "candidates", "count", "peak_memory_mb", "error")
_DATA = ("sha256", "rows", "kept")
_ENV = ("roftbench", "commit", "torch", "device", "processor", "threads", "arithmetic")


def read_records(store: Store) -> tuple[list[Record], list[Record]]:
    """Return the finished jobs, and the failed and skipped ones, each in order of their keys.

    Of each record: key, status, job, candidates, count, data (sha256, rows, kept), env (versions, commit, device),
    seconds (total), peak_memory_mb and error. Equal parts of records are one object. Histories and predictions are
    left out: they are nearly all of a record, and of 40,000 records they are 1 GB. What cannot be read is reported by
    name and left out; how many are unverified is reported in one line.
    """
    records: list[Record] = []
    failures: list[Record] = []
    for record in each_record(store):
        (records if record["status"] == "done" else failures).append(_short(record))
    return records, failures


def each_record(store: Store) -> Iterator[Record]:
    """Yield the finished jobs, then the failed and skipped ones, each in order of their keys, as `Shapes.light` does.

    What cannot be read is reported by name and left out; how many are unverified is reported in one line.
    """
    reader, count, unverified = _Reader(), 0, 0
    for paths, done in ((store.record_paths(), True), (store.failure_paths(), False)):
        for record in reader.read(paths, done=done):
            count += 1
            unverified += not record["verified"]
            yield record
    if unverified:
        logger.warning(
            "%d of %d records are unverified: an earlier version wrote them without a digest; they are counted",
            unverified,
            count,
        )


class _Reader:
    """Decodes records; parts that are the same text become one object."""

    def __init__(self) -> None:
        self._shapes = Shapes()

    def read(self, paths: list[Path], *, done: bool) -> Iterator[Record]:
        contents = bar(_contents(paths), "reading records", "record", delay=PATIENCE, total=len(paths))
        for path, content in zip(paths, contents, strict=True):
            if (record := self._record(path, content, done)) is not None:
                yield record

    def _record(self, path: Path, content: bytes | OSError, done: bool) -> Record | None:
        try:
            if isinstance(content, OSError):
                raise content
            return self._shapes.light(content, path.stem, done=done)
        except UNREADABLE as error:
            unreadable(path, error)
            return None


def _short(record: Record) -> Record:
    """Return what tables need of a record."""
    job, data, env = record["job"], record["data"], record["env"]
    return {
        **{name: record[name] for name in _KEPT},
        "job": {"protocol": job["protocol"], "seed": job["seed"], **job},
        "data": {name: data.get(name) for name in _DATA},
        "env": {name: env.get(name) for name in _ENV},
        "seconds": {name: value for name, value in record["seconds"].items() if name == "total"},
    }


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
