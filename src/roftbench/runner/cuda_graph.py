"""Work that is the same again and again, on the same tensors: a GPU is told of it once."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from roftbench.errors import JobError


class GraphedCallable:
    """A function whose work is the same at each call: it reads and writes tensors that stay where they are.

    On a GPU, if it may be recorded, its first call runs as ever, the second one is recorded as a CUDA graph, and from
    then on the graph is replayed: one launch instead of hundreds, of the same kernels, with the same numbers. What it
    returns is then overwritten by the next call. Elsewhere it is called.

    Work that is recorded must not ask the GPU for a number in between (`Accelerated.sync_free`). The first call sees to
    that, because a recording that fails spoils the random numbers of its process.
    """

    def __init__(self, work: Callable[[], Tensor], device: torch.device, *, recorded: bool) -> None:
        self._work = work
        self._device = device
        self._recorded = recorded and device.type == "cuda"
        self._warm = False
        self._recording: tuple[torch.cuda.CUDAGraph, Tensor] | None = None

    def __call__(self) -> Tensor:
        """Do the work.

        Raises:
            JobError: it was to be recorded, and asks the GPU for a number.
        """
        if not self._recorded:
            return self._work()
        if not self._warm:
            self._warm = True
            return self._warmed_up()
        if self._recording is None:
            self._recording = self._record()
        graph, result = self._recording
        graph.replay()
        return result

    def _warmed_up(self) -> Tensor:
        """Do the work on the stream that will be recorded: what it makes for good, an optimizer's state, is made."""
        now, stream = torch.cuda.current_stream(self._device), _stream(self._device)
        stream.wait_stream(now)
        with torch.cuda.stream(stream), _no_synchronization():
            result = self._work()
        now.wait_stream(stream)
        return result

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Record the work without doing it; returns the graph, and where it leaves its result."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=_stream(self._device)):
            result = self._work()
        return graph, result


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one stream on which all work of a device is recorded: each new one would keep memory of its own."""
    return torch.cuda.Stream(device)


@contextmanager
def _no_synchronization() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    _debug("error")
    try:
        yield
    except RuntimeError as error:
        if "synchronizing" not in str(error):
            raise
        raise JobError(
            "evaluation synchronizes with the GPU although the encoder declares sync_free = True: set it to False, or"
            " avoid .item(), boolean masks and tensors made from Python lists"
        ) from error
    finally:
        _debug(before)


def _debug(mode: int | str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this mode is a prototype
        torch.cuda.set_sync_debug_mode(mode)
