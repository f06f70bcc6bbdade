"""Work that is the same again and again, on the same tensors: a GPU is told of it once."""

from collections.abc import Callable

import torch
from torch import Tensor


class Repeated:
    """A function whose work is the same at each call: it reads and writes tensors that stay where they are.

    On a CPU it is called. On a GPU its first call runs as ever, the second one is recorded as a CUDA graph, and from
    then on the graph is replayed: one launch instead of hundreds, of the same kernels, with the same numbers. What it
    returns is overwritten by the next call. Work that cannot be recorded, because it asks the GPU for a number in
    between, goes on as ever.
    """

    def __init__(self, work: Callable[[], Tensor], device: torch.device) -> None:
        self.work = work
        self._device = device
        self._calls = 0
        self._stream: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None

    def __call__(self) -> Tensor:
        """Do the work."""
        if self._device.type != "cuda":
            return self.work()
        self._calls += 1
        if self._calls == 1:
            return self._warmed_up()
        if self._calls == 2:
            self._record()
        if self._graph is None or self._result is None:
            return self.work()
        self._graph.replay()
        return self._result

    def _warmed_up(self) -> Tensor:
        """Do the work on the stream that will be recorded: what it makes for good, an optimiser's state, is made."""
        now = torch.cuda.current_stream(self._device)
        self._stream = torch.cuda.Stream(self._device)
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            result = self.work()
        now.wait_stream(self._stream)
        return result

    def _record(self) -> None:
        """Record the work without doing it, if that is possible."""
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(self._stream):
                graph.capture_begin()
                try:
                    self._result = self.work()
                finally:
                    graph.capture_end()
        except RuntimeError:
            self._result = None
        else:
            self._graph = graph
