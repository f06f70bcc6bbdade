"""GPUs shared out to jobs of several processes: a job takes a free place on one, or waits until there is one."""

import logging
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from roftbench.console import say
from roftbench.store.files import locked

logger = logging.getLogger(__name__)

SHARED = ("auto", "cuda")  # run.device that leaves open which GPU
SECONDS = 0.5


@contextmanager
def placed(device: str, folder: Path, jobs_per_gpu: int) -> Iterator[str]:
    """Yield the device to run on: of `auto` and `cuda` a GPU with a free place, held meanwhile; any other as it is.

    `folder` is where the processes of this machine meet. Without a GPU the device is left as it is. GPU memory that
    this process keeps for later is given back at the end: another process may need it first.
    """
    if device not in SHARED or not torch.cuda.is_available():
        with _memory_given_back():
            yield device
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "places").acquire(timeout=0):
            pass
    except Timeout:  # another process looks at this moment
        pass
    except OSError as error:
        logger.warning("%s cannot be written (%s): GPUs are not shared out", folder, error.strerror or error)
        with _memory_given_back():
            yield "cuda"
        return
    with a_place(gpus(), folder, jobs_per_gpu) as number, _memory_given_back():
        yield f"cuda:{number}"


@contextmanager
def _memory_given_back() -> Iterator[None]:
    try:
        yield
    finally:
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


@contextmanager
def a_place(names: Sequence[str], folder: Path, jobs_per_gpu: int) -> Iterator[int]:
    """Yield the number of a GPU with a free place, held meanwhile; waits where there is none.

    The first place of every GPU is taken before the second of any. A process that is killed leaves its place free.
    """
    places = [
        (number, locked(folder / f"{name}-{place}"))
        for place in range(jobs_per_gpu)
        for number, name in enumerate(names)
    ]
    number, lock = _taken(places)
    try:
        yield number
    finally:
        lock.release()


def gpus() -> list[str]:
    """Return a name for each GPU that torch sees, the same in all processes of all containers that see it."""
    return [_name(number) for number in range(torch.cuda.device_count())]


def _name(number: int) -> str:
    """Return the GPU's own name where torch knows it: Slurm may number the GPU of each of its jobs 0."""
    uuid = getattr(torch.cuda.get_device_properties(number), "uuid", None)
    return f"gpu-{uuid}" if uuid else f"{socket.gethostname()}-{number}"


def _taken(places: Sequence[tuple[int, FileLock]]) -> tuple[int, FileLock]:
    waited = False
    while True:
        for number, lock in places:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return number, lock
        if not waited:
            say("waiting for a GPU: all slots are taken (run.jobs_per_gpu)", logging.WARNING)
        waited = True
        time.sleep(SECONDS)
