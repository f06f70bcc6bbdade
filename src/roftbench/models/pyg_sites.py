"""The layers of a module of PyTorch Geometric that adapters and prompts need, with widths from a trial run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch_geometric.nn import MessagePassing

from roftbench.data.packed import Batch
from roftbench.models.encoder import Site


def sites_of(blocks: Iterable[nn.Module], run: Callable[[], object]) -> list[Site]:
    """Return the blocks that are a `MessagePassing` module, with the norm after it; `run` calls all of them.

    What `run` does not call, such as a norm after the last layer, is left out.
    """
    lists = [list(block) if isinstance(block, nn.ModuleList) else [block] for block in blocks]
    layers = [parts for parts in lists if isinstance(parts[0], MessagePassing)]
    inner = [part for layer, *_ in layers for name, part in layer.named_children() if name == "nn"]
    widths = _widths([*(part for parts in layers for part in parts), *inner], run)
    found = []
    for layer, *others in layers:
        if layer in widths:
            norm = next((one for one in others if one in widths), layer)
            after = next((one for one in layer.children() if one in inner), None if norm is layer else norm)
            out = widths[norm][1]
            found.append(
                Site(layer, layer, after, norm, (widths[layer][0], out if after is None else widths[after][0], out))
            )
    return found


def _widths(modules: Sequence[nn.Module], run: Callable[[], object]) -> dict[nn.Module, tuple[int, int]]:
    """Return the widths of the first input and of the output of modules that `run` calls."""
    widths: dict[nn.Module, tuple[int, int]] = {}

    def note(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        widths[module] = args[0].shape[-1], out.shape[-1]

    hooks = [one.register_forward_hook(note) for one in modules]
    run()
    for hook in hooks:
        hook.remove()
    return widths


def probe_graphs(classes: Sequence[Sequence[int]], device: torch.device) -> Batch:
    """Return two graphs of three and two nodes, all of whose codes are 0, from the classes of atoms and bonds."""
    edges = torch.tensor([[1, 0, 2, 1, 4, 3], [0, 1, 1, 2, 3, 4]], device=device)
    counts = [len(columns) for columns in classes]
    x, attr = (torch.zeros(n, k, dtype=torch.long, device=device) for n, k in zip((5, 6), counts, strict=True))
    node_ptr, edge_ptr = (torch.tensor(one, device=device) for one in ([0, 3, 5], [0, 1, 3, 4, 5, 6]))
    return Batch(x, edges, attr, node_ptr, edge_ptr)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set a module to evaluation without gradient inside the block, and its parts to their modes afterwards."""
    before = [part.training for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in zip(module.modules(), before, strict=True):
            part.training = mode
