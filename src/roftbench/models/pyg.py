"""Encoders from modules of PyTorch Geometric, or from a user's own `nn.Module` in its style."""

import importlib
import inspect
from collections.abc import Container, Iterator, Mapping
from itertools import zip_longest
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch as GeometricBatch
from torch_geometric.nn.aggr import Aggregation
from torch_geometric.nn.resolver import aggregation_resolver

from roftbench.data.featurizers.base import OWN as OWN_GRAPHS
from roftbench.data.packed import Batch
from roftbench.errors import UsageError, check_choice, check_range
from roftbench.models.encoder import ADDED, HEAD, Encoder, Nodes, Site, State
from roftbench.models.pyg_inputs import GRAPHS, INPUTS, Codes, classes_of
from roftbench.models.pyg_sites import evaluating, probe_graphs, sites_of

DATA = ("data", "batch")  # names of the only argument of a module that takes a whole batch
OWN = "own"  # block of the parameters that are in no child


class PyG(Encoder):
    """A module by its import path, called as modules of PyTorch Geometric are.

    It is called with those of `x` [N, F], `edge_index` [2, E], `edge_attr` [E, A] and `batch` [N] that its `forward`
    names, or with a `torch_geometric.data.Batch` if `forward` has a single argument `data` or `batch`. It returns node
    states [N, d], which are pooled, or graph representations [B, d].

    Args:
        module: import path of the class, in `torch_geometric` or in a plug-in.
        kwargs: arguments of the class. `in_channels` is filled in. `deg` may be a list.
        graphs: the featurizer: "pyg" (that of `torch_geometric.utils.from_smiles`) or "ogb"; "own" for the graphs of
            a data set without SMILES.
        inputs: how integer codes become `x` and `edge_attr`: "embed", sums of one learned table per column; "float",
            the codes as numbers; "codes", as integers.
        width: width of embedded atoms. Embedded bonds are as wide as `edge_dim` in `kwargs`, or as atoms.
        pool: aggregation of node states by its name in `torch_geometric.nn.aggr`, such as mean, sum, max, softmax.
        pool_kwargs: arguments of the aggregation.
        blocks: module names by block, in order; empty for the children in order, where lists of modules of one length
            are layers: {"layer0": ["convs.0", "norms.0"], …}.
        prefix: of the keys of a checkpoint that are the module's; the others are left out.
        columns: numbers of columns of x and edge_attr of the data set's own graphs; filled in.

    Raises:
        UsageError: the class cannot be built from `kwargs`, or a block does not exist.
    """

    imports: ClassVar[Mapping[str, type]] = {"module": nn.Module}
    omitted_at_default: ClassVar[tuple[str, ...]] = ("columns",)

    def __init__(
        self,
        module: str,
        kwargs: dict[str, Any] | None = None,
        graphs: str = "pyg",
        inputs: str = "embed",
        width: int = 128,
        pool: str = "mean",
        pool_kwargs: dict[str, Any] | None = None,
        blocks: dict[str, list[str]] | None = None,
        prefix: str = "",
        columns: list[int] | None = None,
    ) -> None:
        super().__init__()
        check_choice("graphs", graphs, (*GRAPHS, OWN_GRAPHS))
        check_choice("inputs", inputs, INPUTS)
        self._classes = classes_of(graphs, inputs, columns)
        check_range("width", width, 1)
        self.featurizer = graphs  # type: ignore[misc]  # of the instance: an argument decides
        self.inputs, self.prefix = inputs, prefix
        given = dict(kwargs or {})
        with torch.device("cpu"):  # also where a job is only checked: many modules cannot be built without content
            self._build(module, given, width, blocks or {})
            self.aggregation = _aggregation(pool, pool_kwargs or {})
            inside = {id(part) for block in self.blocks().values() for part in block.modules()}
            self._inside = [part for part in self.modules() if id(part) in inside]
            self._outside = [part for part in self.module.modules() if id(part) not in inside]
            self.per_graph, self.dim = self._probed()

    def _build(self, path: str, kwargs: dict[str, Any], width: int, blocks: Mapping[str, list[str]]) -> None:
        atoms, bonds = self._classes
        embeds = self.inputs == "embed"
        self.atoms = Codes(atoms, width) if embeds else None
        self.module = _built(path, kwargs, width if embeds else len(atoms))
        self._takes = _arguments(self.module)
        reads = embeds and self._reads_bonds(kwargs)
        self.bonds = Codes(bonds, int(kwargs.get("edge_dim") or width)) if reads else None
        self._blocks = {name: [_named(self.module, part) for part in parts] for name, parts in blocks.items()}

    def blocks(self) -> dict[str, nn.Module]:
        """Return "embed" for the tables of atoms and bonds, the blocks of the module, and "pool" if it has weights."""
        tables = nn.ModuleList(part for part in (self.atoms, self.bonds) if part is not None)
        rest = {OWN: _own(self.module)} if _has_tensors(_own(self.module)) else {}
        named = {_distinct(name, rest): nn.ModuleList(part) for name, part in self._blocks.items()}
        parts = {**rest, **named} if named else dict(_children(self.module))
        own = {name: part for name, part in {"embed": tables, "pool": self.aggregation}.items() if _has_tensors(part)}
        taken = {*own, ADDED, HEAD}
        inner = {_distinct(name, taken): part for name, part in parts.items() if _has_tensors(part)}
        last = {"pool": own.pop("pool")} if "pool" in own else {}
        return {**own, **inner, **last}

    def forward(self, batch: Batch) -> Nodes:
        """Return the node states of a batch, [N, d]; of a module that returns graphs, that of the node's graph."""
        self._settle()
        out = self._called(batch)
        if self.per_graph:
            out = out.repeat_interleave(batch.node_ptr.diff(), dim=0, output_size=len(batch.x))
        return Nodes(out=out, features=out)

    def readout(self, out: Tensor, batch: Batch) -> Tensor:
        """Return graph representations [B, d] by the aggregation, or those of the module itself."""
        if self.per_graph:
            return out[batch.node_ptr[:-1]]
        pooled: Tensor = self.aggregation(out, _graph_of(batch), dim_size=batch.num_graphs)
        return pooled

    def translate(self, state: State) -> State:
        """Return the tensors of a file of the module alone, or of one of this encoder, under this encoder's names."""
        if not self.prefix and any(key.startswith("module.") for key in state):
            return state
        chosen = {key.removeprefix(self.prefix): one for key, one in state.items() if key.startswith(self.prefix)}
        return {f"module.{key}": one for key, one in chosen.items()}

    def sites(self) -> list[Site]:
        """Return the blocks that are a `MessagePassing` module, with the norm after it if their list has one."""
        probe = probe_graphs(self._classes, next(self.parameters()).device)
        with evaluating(self):
            return sites_of(self.blocks().values(), lambda: self._called(probe))

    def atom_inputs(self) -> list[nn.Module]:
        """Return the atom tables, which only `inputs` "embed" has."""
        return [] if self.atoms is None else [self.atoms]

    def _reads_bonds(self, kwargs: Mapping[str, Any]) -> bool:
        """Whether bonds are used: modules with an `edge_dim` use them only where it is given."""
        knows = "edge_dim" in inspect.signature(type(self.module).__init__).parameters or "edge_dim" in kwargs
        named = "edge_attr" in self._takes or self._takes[0] in DATA
        return named and (not _from_pyg(self.module) or (knows and kwargs.get("edge_dim") is not None))

    def _called(self, batch: Batch) -> Tensor:
        x, edges = self._inputs(batch)
        owner = _graph_of(batch)
        if self._takes[0] in DATA:
            given = {"x": x, "edge_index": batch.edge_index, "edge_attr": edges}
            data = GeometricBatch(**given, batch=owner, ptr=batch.node_ptr)
            return self._checked(self.module(data))
        named = {
            "x": x,
            "edge_index": batch.edge_index,
            "edge_attr": edges,
            "batch": owner,
            "batch_size": batch.num_graphs,
        }
        chosen = {name: value for name, value in named.items() if name in self._takes and value is not None}
        return self._checked(self.module(**chosen))

    def _inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        if self.atoms is not None:
            return self.atoms(batch.x), None if self.bonds is None else self.bonds(batch.edge_attr)
        edges = batch.edge_attr if batch.edge_attr.shape[1] else None
        if self.inputs == "codes":
            return batch.x, edges
        width = next((one.dtype for one in self.parameters()), torch.get_default_dtype())
        return batch.x.to(width), None if edges is None else edges.to(width)

    def _checked(self, out: Any) -> Tensor:
        if not isinstance(out, Tensor) or out.dim() != 2:
            got = f"{type(out).__name__} of shape {list(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
            problem = f"module: {type(self.module).__name__} must return one tensor, [nodes, d] or [graphs, d]"
            raise UsageError(f"{problem}; got a {got}", key="module", got=got)
        return out

    def _settle(self) -> None:
        """Give what is in no block, such as a shared dropout, the mode of the blocks: training if one is trained."""
        active = any(part.training for part in self._inside)
        for part in self._outside:
            part.training = active

    def _probed(self) -> tuple[bool, int]:
        """Return whether the module returns graphs rather than nodes, and the width of what is pooled."""
        probe = probe_graphs(self._classes, torch.device("cpu"))
        try:
            with evaluating(self):
                out = self._called(probe)
                per_graph = len(out) == probe.num_graphs
                if not per_graph and len(out) != len(probe.x):
                    problem = "module: it returns neither a row per node nor one per graph"
                    raise UsageError(f"{problem}: {list(out.shape)} for 5 nodes in 2 graphs", key="module")
                width = out.shape[1] if per_graph else self.readout_width(out, probe)
        except (TypeError, RuntimeError, IndexError, AttributeError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            problem = f"module: {type(self.module).__name__} cannot be called with {', '.join(self._takes)}: {reason}"
            raise UsageError(problem, key="module") from error
        return per_graph, int(width)

    def readout_width(self, out: Tensor, batch: Batch) -> int:
        """Return the width of pooled node states."""
        return int(self.aggregation(out, _graph_of(batch), dim_size=batch.num_graphs).shape[1])


def _has_tensors(part: nn.Module) -> bool:
    return bool(part.state_dict(keep_vars=True))


def _built(path: str, kwargs: dict[str, Any], width: int) -> nn.Module:
    """Return an instance of the class at an import path; `in_channels` is filled in, a list `deg` made a tensor."""
    name, _, last = path.rpartition(".")
    found = getattr(importlib.import_module(name), last)
    if "in_channels" in inspect.signature(found.__init__).parameters:
        kwargs = {"in_channels": width, **kwargs}
    if isinstance(kwargs.get("deg"), list):
        kwargs = {**kwargs, "deg": torch.tensor(kwargs["deg"])}
    try:
        module: nn.Module = found(**kwargs)
    except (TypeError, ValueError, AssertionError, KeyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"kwargs: {path} cannot be built: {reason}", key="kwargs", got=kwargs) from error
    return module


def _aggregation(name: str, kwargs: dict[str, Any]) -> Aggregation:
    try:
        found: Aggregation = aggregation_resolver(name, **kwargs)
    except (TypeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"pool={name}: {reason}", key="pool", got=name) from error
    return found


def _arguments(module: nn.Module) -> tuple[str, ...]:
    """Return the names of the arguments of a module's `forward`."""
    names = tuple(inspect.signature(module.forward).parameters)
    if names[:1] not in [(name,) for name in DATA] and not {"x", "edge_index"} <= {*names}:
        problem = f"module: {type(module).__name__}.forward must take x and edge_index, or a single data"
        raise UsageError(f"{problem}; it takes {', '.join(names) or 'nothing'}", key="module")
    return names


def _from_pyg(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch_geometric.")


def _named(module: nn.Module, path: str) -> nn.Module:
    try:
        return module.get_submodule(path)
    except AttributeError:
        allowed = [name for name, _ in module.named_modules() if name]
        raise UsageError(f"blocks: no module '{path}'", key="blocks", got=path, allowed=allowed) from None


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the blocks of a module by name: its children in order, lists of modules as layers, then its own tensors."""
    children = dict(module.named_children())
    longest = max((len(part) for part in children.values() if isinstance(part, nn.ModuleList)), default=0)
    layered = {
        name: part for name, part in children.items() if isinstance(part, nn.ModuleList) and _alike(part, longest)
    }
    own = _own(module)
    taken = {f"layer{number}" for number in range(longest if layered else 0)}
    if _has_tensors(own):
        taken.add(OWN)
        yield OWN, own
    for name, part in children.items():
        if name not in layered:
            yield _distinct(name, taken), part
        elif name == next(iter(layered)):
            for number, parts in enumerate(zip_longest(*layered.values())):
                yield f"layer{number}", nn.ModuleList(part for part in parts if part is not None)


def _distinct(name: str, taken: Container[str]) -> str:
    """Return the name of a part of the module, in full where another block has it."""
    return f"module.{name}" if name in taken else name


def _alike(part: nn.ModuleList, longest: int) -> bool:
    return longest - 1 <= len(part) <= longest


def _own(module: nn.Module) -> nn.Module:
    """Return a module that holds the parameters and buffers of a module itself, without those of its children."""
    own = nn.Module()
    for name, parameter in module.named_parameters(recurse=False):
        own.register_parameter(name, parameter)
    for name, buffer in module.named_buffers(recurse=False):
        if name not in module._non_persistent_buffers_set:
            own.register_buffer(name, buffer)
    return own


def _graph_of(batch: Batch) -> Tensor:
    """Return the graph of each node, [N]."""
    numbers = torch.arange(batch.num_graphs, device=batch.x.device)
    return numbers.repeat_interleave(batch.node_ptr.diff(), output_size=len(batch.x))
