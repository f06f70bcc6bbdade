"""Replay a fixed computation as a CUDA graph."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from roftbench.errors import JobError


class GraphedCallable:
    """A function that runs the same computation at each call, on tensors at fixed addresses.

    On a GPU, if it may be recorded, the first call runs it, the second records it as a CUDA graph, and later calls
    replay the graph: one launch instead of hundreds, with the same kernels and numbers. The result is then overwritten
    by the next call. Elsewhere the function is simply called.

    A recorded computation must not synchronize with the host (`Accelerated.sync_free`). The first call checks that,
    because a failed recording corrupts the random number generator of the process.
    """

    def __init__(self, compute: Callable[[], Tensor], device: torch.device, *, recorded: bool) -> None:
        self._compute = compute
        self._device = device
        self._recorded = recorded and device.type == "cuda"
        self._warm = False
        self._recording: tuple[torch.cuda.CUDAGraph, Tensor] | None = None

    def __call__(self) -> Tensor:
        """Run the computation.

        Raises:
            JobError: it is to be recorded, but synchronizes with the host.
        """
        if not self._recorded:
            return self._compute()
        if not self._warm:
            self._warm = True
            return self._warm_up()
        if self._recording is None:
            self._recording = self._record()
        graph, result = self._recording
        graph.replay()
        return result

    def _warm_up(self) -> Tensor:
        """Run the computation on the stream of the recording, which also creates lasting tensors (optimizer state)."""
        now, stream = torch.cuda.current_stream(self._device), _stream(self._device)
        stream.wait_stream(now)
        with torch.cuda.stream(stream), _sync_is_error():
            result = self._compute()
        now.wait_stream(stream)
        return result

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Record the computation without running it; returns the graph and the tensor of its result."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=_stream(self._device)):
            result = self._compute()
        return graph, result


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """Return the single stream of a device for recordings: each further one would reserve memory of its own."""
    return torch.cuda.Stream(device)


@contextmanager
def _sync_is_error() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    _set_sync_mode("error")
    try:
        yield
    except RuntimeError as error:
        if "synchronizing" not in str(error):
            raise
        raise JobError(
            "the encoder synchronizes with the host in validation, although its class sets sync_free = True: set it"
            " to False, or avoid .item(), boolean masks and tensors made from Python lists"
        ) from error
    finally:
        _set_sync_mode(before)


def _set_sync_mode(mode: int | str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mode is a prototype
        torch.cuda.set_sync_debug_mode(mode)
