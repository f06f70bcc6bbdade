"""Reads the records of a results folder, many at a time and without their bulk."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from roftbench.console import bar
from roftbench.store.record_decoder import UNREADABLE, RecordDecoder
from roftbench.store.record_digest import UNVERIFIED
from roftbench.store.record_schema import Failure, JobResult, RecordSummary
from roftbench.store.results import Store, report_unreadable

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds without a progress bar
READERS = 4  # threads that wait for the disk; one core decodes
CHUNK, AHEAD = 64, 8  # files per task; tasks that may be read before they are decoded
_Result = TypeVar("_Result", bound=JobResult)


def read_records(store: Store) -> tuple[list[RecordSummary], list[Failure]]:
    """Return the finished jobs, and the failed and skipped ones, each in order of their keys.

    Equal parts of records are one object. Histories, predictions and tracebacks are left out: they are nearly all of a
    record, 1 GB for 40,000 records. Unreadable files are reported by name and left out; the number of unverified
    records is reported in one line.
    """
    records: list[RecordSummary] = []
    failures: list[Failure] = []
    for result in each_record(store):
        if isinstance(result, Failure):
            failures.append(replace(result, traceback=None))
        else:
            records.append(result)
    return records, failures


def each_record(store: Store) -> Iterator[RecordSummary | Failure]:
    """Yield the finished jobs, then the failed and skipped ones, as `read_records` returns them."""
    decoder, count, unverified = RecordDecoder(), 0, 0
    done = _decoded(store.record_paths(), decoder.summary)
    failed = _decoded(store.failure_paths(), decoder.failure)
    results: Iterator[RecordSummary | Failure] = chain(done, failed)
    for result in results:
        count += 1
        unverified += result.schema == UNVERIFIED
        yield result
    if unverified:
        logger.warning(
            "%d of %d records are unverified: an earlier version wrote them without a digest; they are counted",
            unverified,
            count,
        )


def _decoded(paths: list[Path], decode: Callable[[bytes, str], _Result]) -> Iterator[_Result]:
    contents = bar(_contents(paths), "reading records", "record", delay=PATIENCE, total=len(paths))
    for path, content in zip(paths, contents, strict=True):
        try:
            if isinstance(content, OSError):
                raise content
            result = decode(content, path.stem)
        except UNREADABLE as error:
            report_unreadable(path, error)
            continue
        yield result


def _contents(paths: list[Path]) -> Iterator[bytes | OSError]:
    """Yield the contents of files, in order; some are read while others are decoded."""
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
