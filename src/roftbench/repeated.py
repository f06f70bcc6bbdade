"""Work that is the same again and again, on the same tensors: a GPU is told of it once."""

from collections.abc import Callable

import torch
from torch import Tensor


class Repeated:
    """A function whose work is the same at each call: it reads and writes tensors that stay where they are.

    On a GPU, if it may be recorded, its first call runs as ever, the second one is recorded as a CUDA graph, and from
    then on the graph is replayed: one launch instead of hundreds, of the same kernels, with the same numbers. What it
    returns is then overwritten by the next call. Elsewhere it is called.

    A recording that fails spoils the random numbers of its process, so there is no trying: whoever makes this must know
    that the work asks the GPU for no number in between (`Encoder.asks_nothing`).
    """

    def __init__(self, work: Callable[[], Tensor], device: torch.device, *, recorded: bool) -> None:
        self.work = work
        self._device = device
        self._recorded = recorded and device.type == "cuda"
        self._stream: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self) -> Tensor:
        """Do the work."""
        if not self._recorded:
            return self.work()
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)
            return self._warmed_up(self._stream)
        if self._graph is None or self._result is None:
            self._graph, self._result = self._record(self._stream)
        self._graph.replay()
        return self._result

    def _warmed_up(self, stream: torch.cuda.Stream) -> Tensor:
        """Do the work on the stream that will be recorded: what it makes for good, an optimiser's state, is made."""
        now = torch.cuda.current_stream(self._device)
        stream.wait_stream(now)
        with torch.cuda.stream(stream):
            result = self.work()
        now.wait_stream(stream)
        return result

    def _record(self, stream: torch.cuda.Stream) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Record the work without doing it; returns the graph, and where it leaves its result."""
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(stream):
            graph.capture_begin()
            try:
                result = self.work()
            finally:
                graph.capture_end()
        return graph, result
