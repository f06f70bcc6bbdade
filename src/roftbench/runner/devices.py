"""Devices of jobs: their names, and slots on GPUs that jobs of several processes share."""

import logging
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from roftbench.config.environment import RunContext, check_device
from roftbench.console import say
from roftbench.errors import UsageError
from roftbench.runner.provenance import arithmetic
from roftbench.store.files import locked
from roftbench.store.tensors import description_in

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")
DEFAULT_THREADS = torch.get_num_threads()
SHARED = ("auto", "cuda")  # values of run.device that leave open which GPU
SECONDS = 0.5  # between attempts to take a slot


def device_type(name: str) -> str:
    """Return "cpu" or "cuda" for a device name, which need not exist on this machine; auto depends on the machine.

    Raises:
        UsageError: not a device name.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    check_device(name)
    return torch.device(name).type


def choose_device(name: str) -> torch.device:
    """Return the device of a name: auto (the GPU if there is one), cpu, cuda, cuda:N.

    Raises:
        UsageError: this machine has no such device.
    """
    kind = device_type(name)
    device = torch.device(kind if name == "auto" else name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        problem = f"device={name}: this machine has {torch.cuda.device_count()} GPUs that torch can use."
        raise UsageError(problem, key="device", got=name)
    return device


def set_threads(context: RunContext) -> None:
    """Set torch's threads to `run.threads`, or back to the default after another job of this process."""
    torch.set_num_threads(context.run.threads or DEFAULT_THREADS)


def expected_arithmetic(context: RunContext) -> dict[str, Any] | None:
    """Return the `arithmetic` of stages that a job would fit; None where its device is not on this machine."""
    try:
        device = choose_device(context.run.device)
    except UsageError:
        return None
    return {**arithmetic(device), "threads": context.run.threads or DEFAULT_THREADS}


def is_stored(key: str, context: RunContext) -> bool:
    """Return whether a fit is in the store, made by the numerics that a job will use: else it is repeated."""
    made_with = description_in(context.store.stage_path(key)).get("made_with")
    return made_with is not None and made_with == expected_arithmetic(context)


@contextmanager
def reserved_device(name: str, folder: Path, jobs_per_gpu: int) -> Iterator[str]:
    """Yield the device to run on: for `auto` and `cuda`, a GPU whose slot is held in the block; else the named one.

    Processes of this machine share slots through lock files in `folder`. Without a GPU the name is returned as it is.
    GPU memory that torch caches is released at the end: another process may need it.
    """
    if name not in SHARED or not torch.cuda.is_available():
        with _cache_released():
            yield name
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "places").acquire(timeout=0):
            pass
    except Timeout:  # another process checks at this moment
        pass
    except OSError as error:
        logger.warning("%s cannot be written (%s): GPUs are not shared between jobs", folder, error.strerror or error)
        with _cache_released():
            yield "cuda"
        return
    with gpu_slot(gpus(), folder, jobs_per_gpu) as number, _cache_released():
        yield f"cuda:{number}"


@contextmanager
def _cache_released() -> Iterator[None]:
    try:
        yield
    finally:
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


@contextmanager
def gpu_slot(names: Sequence[str], folder: Path, jobs_per_gpu: int) -> Iterator[int]:
    """Yield the number of a GPU whose slot is held in the block; waits until one is free.

    The first slot of every GPU is taken before the second of any. The slot of a process that is killed becomes free.
    """
    slots = [
        (number, locked(folder / f"{name}-{slot}")) for slot in range(jobs_per_gpu) for number, name in enumerate(names)
    ]
    number, lock = _take(slots)
    try:
        yield number
    finally:
        lock.release()


def gpus() -> list[str]:
    """Return a name for each GPU that torch sees, the same in all processes and containers that see it."""
    return [_name(number) for number in range(torch.cuda.device_count())]


def _name(number: int) -> str:
    """Return the GPU's UUID where torch has it: Slurm may number the GPU of each of its jobs 0."""
    uuid = getattr(torch.cuda.get_device_properties(number), "uuid", None)
    return f"gpu-{uuid}" if uuid else f"{socket.gethostname()}-{number}"


def _take(slots: Sequence[tuple[int, FileLock]]) -> tuple[int, FileLock]:
    waited = False
    while True:
        for number, lock in slots:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return number, lock
        if not waited:
            say("waiting for a GPU: all slots are taken (run.jobs_per_gpu)", logging.WARNING)
        waited = True
        time.sleep(SECONDS)
