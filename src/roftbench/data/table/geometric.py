"""Data sets of PyTorch Geometric as tables: a saved list of `Data`, or the processed file of an `InMemoryDataset`."""

import io
import pickle
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from roftbench.data.featurizers.base import Graph
from roftbench.data.table.loaded import Loaded
from roftbench.data.table.own_graphs import FEATURES, GRAPH, own_graphs
from roftbench.errors import UsageError, first_line
from roftbench.store.gzipped import BAD_ZIP

if TYPE_CHECKING:
    from torch import Tensor

SMILES, LABEL = "smiles", "y"
TEXTS = (SMILES, "name")  # attributes of a graph that become columns, beside labels


def is_saved(content: bytes) -> bool:
    """Return whether the content of a zip archive is what `torch.save` writes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except BAD_ZIP:
        return False


def load(what: str, content: bytes) -> Loaded:
    """Return SMILES and labels of graphs as columns: smiles, name (if they have one), and y, or y0, y1, …

    The graphs themselves are made anew from the SMILES. Where no graph has one, their numbers are the first column, and
    `graphs` returns them. No code in the file is executed.

    Raises:
        UsageError: it holds something else, is damaged, or some of its graphs have no SMILES or no labels.
    """
    rows = _all_rows(what, content)
    own = None
    if all(row.get(SMILES) is None for row in rows):
        first = own_graphs(what, rows)[0]
        own = first.x.shape[1], first.edge_attr.shape[1]
        rows = [{**row, SMILES: str(number)} for number, row in enumerate(rows)]
    for name, hint in ((SMILES, "data.smiles = …, as from_smiles sets it"), (LABEL, "data.y = …")):
        if without := [number for number, row in enumerate(rows) if row.get(name) is None]:
            problem = f"{what}: {len(without)} of {len(rows)} graphs have no {name}, graph {without[0]} first"
            raise UsageError(problem, key=name, hint=f"Set {hint} on each before saving")
    labels = [_numbers(row[LABEL]) for row in rows]
    if len(counts := {len(one) for one in labels}) > 1:
        problem = f"{what}: graphs have {min(counts)} to {max(counts)} labels each, but all need the same tasks"
        raise UsageError(problem, key=LABEL)
    texts = [name for name in TEXTS if all(isinstance(row.get(name), str) for row in rows)]
    if SMILES not in texts:
        raise UsageError(f"{what}: the SMILES of a graph must be one text", key=SMILES)
    names = [LABEL] if counts == {1} else [f"{LABEL}{task}" for task in range(counts.pop())]
    columns = [[str(row[name]) for row in rows] for name in texts]
    read = "their SMILES and labels are read" if own is None else "without SMILES, their own features are used"
    shown = [GRAPH if name == SMILES and own else name for name in texts]
    notes = [f"{len(rows)} graphs of PyTorch Geometric: {read}"]
    cells = [*columns, *map(list, zip(*labels, strict=True))]
    return Loaded([*shown, *names], cells, notes, own, frozenset(names), tuple(names))


def graphs(what: str, content: bytes) -> list[Graph]:
    """Return the graphs themselves, in order; raises UsageError as `own_graphs` does."""
    return own_graphs(what, _all_rows(what, content))


def _all_rows(what: str, content: bytes) -> list[dict[str, Any]]:
    rows = list(_rows(what, _loaded(what, content)))
    if not rows:
        raise UsageError(f"{what} holds no graphs", key=what)
    return rows


def _loaded(what: str, content: bytes) -> Any:
    import torch  # here, as the next ones: seconds that other tables need not spend
    from torch_geometric.data import Data
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import EdgeStorage, GlobalStorage, NodeStorage

    known = [Data, DataEdgeAttr, DataTensorAttr, EdgeStorage, GlobalStorage, NodeStorage]
    try:
        with torch.serialization.safe_globals(known):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        problem = f"{what} holds more than graphs and tensors: the safe loader refuses it"
        hint = "Save plain graphs: torch.save([data for data in dataset], FILE)"
        raise UsageError(problem, key=what, hint=hint) from None
    except Exception as error:  # a damaged file raises errors of any kind
        raise UsageError(f"{what} is damaged: {first_line(error)}", key=what) from None


def _rows(what: str, loaded: Any) -> Iterator[dict[str, Any]]:
    """Yield the attributes of each graph that become cells."""
    if isinstance(loaded, tuple) and len(loaded) in (2, 3) and isinstance(loaded[1], dict):
        yield from _separated(_attributes(what, loaded[0]), loaded[1])
    elif isinstance(loaded, list | tuple):
        yield from (_attributes(what, one) for one in loaded)
    else:
        problem = f"{what} is neither a list of graphs nor the processed file of an InMemoryDataset"
        hint = "Save it so: torch.save([data for data in dataset], FILE)"
        raise UsageError(problem, key=what, got=type(loaded).__name__, hint=hint)


def _attributes(what: str, graph: Any) -> dict[str, Any]:
    if isinstance(graph, dict):
        return graph
    if not hasattr(graph, "to_dict"):
        problem = f"{what} holds a {type(graph).__name__} where a torch_geometric.data.Data is expected"
        raise UsageError(problem, key=what, got=type(graph).__name__)
    found: dict[str, Any] = graph.to_dict()
    return found


def _separated(joined: dict[str, Any], slices: dict[str, "Tensor"]) -> Iterator[dict[str, Any]]:
    """Yield the graphs of an `InMemoryDataset`, which joins them along the first dimension."""
    count = len(slices[LABEL]) - 1 if LABEL in slices else len(joined.get(SMILES, []))
    for number in range(count):
        row = {name: joined[name][number] for name in TEXTS if isinstance(joined.get(name), list)}
        if LABEL in slices and hasattr(joined.get(LABEL), "flatten"):
            first, end = slices[LABEL][number : number + 2].tolist()
            row[LABEL] = joined[LABEL][first:end]
        for name in FEATURES:
            if name in slices and hasattr(joined.get(name), "narrow"):
                first, end = slices[name][number : number + 2].tolist()
                row[name] = joined[name].narrow(-1 if name == "edge_index" else 0, first, end - first)
        yield row


def _numbers(label: Any) -> list[str]:
    """Return the labels of a graph as text, "" where one is not a number."""
    values: Iterable[Any] = label.flatten().tolist() if hasattr(label, "flatten") else [label]
    return ["" if value != value else repr(value) for value in values]
