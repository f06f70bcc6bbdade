"""Functions of many molecules in chunks, on all cores, with a progress bar; results come in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from roftbench.data.workers import following

CHUNK = 1000  # molecules: small enough for a responsive bar, large enough for a negligible cost of transfer
SERIAL = 5000  # molecules up to which starting worker processes takes longer than the work

Result = TypeVar("Result")
Item = TypeVar("Item")


def in_chunks(function: Callable[[Sequence[str]], Result], texts: Sequence[str], name: str) -> Iterator[Result]:
    """Yield function(chunk) for chunks of texts, in order.

    Args:
        function: importable in another process.
        texts: items to process.
        name: title of the progress bar.
    """
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    cores = joblib.cpu_count() if len(texts) > SERIAL else 1
    with tqdm(total=len(texts), desc=name, unit="mol", disable=None, leave=False, dynamic_ncols=True) as bar:
        for chunk, result in zip(chunks, _results(function, chunks, cores), strict=True):
            yield result
            bar.update(len(chunk))


def _results(function: Callable[[Sequence[str]], Result], chunks: list[Sequence[str]], cores: int) -> Iterator[Result]:
    if cores == 1:
        yield from map(function, chunks)
        return
    try:
        tasks = (joblib.delayed(function)(chunk) for chunk in chunks)
        yield from joblib.Parallel(cores, backend="loky", return_as="generator", batch_size=1, **following())(tasks)
    finally:
        get_reusable_executor().shutdown()  # idle workers would hold memory while a model trains


def ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield function(item), in order, computed a few items ahead of the consumer, so that memory stays bounded.

    The function must be importable in another process; with a single worker it runs in this one.
    """
    if workers == 1:
        yield from map(function, items)
        return
    executor = get_reusable_executor(max_workers=workers, **following())
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(kill_workers=True)
