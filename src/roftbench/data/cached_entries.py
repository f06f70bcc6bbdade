"""Contents of the files that a data set caches: graphs, descriptors and scaffolds of its molecules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from functools import partial

import numpy as np
import torch

from roftbench.data.config import DatasetSpec
from roftbench.data.descriptors import describe_chunk, join
from roftbench.data.featurizers import hu
from roftbench.data.featurizers.base import GraphKind, pack
from roftbench.data.packed import PackedGraphs
from roftbench.data.parallel import in_chunks
from roftbench.data.table import geometric
from roftbench.data.table.own_file import own_content
from roftbench.store.checksums import sha256
from roftbench.store.tensors import Entry


def graph_entry(smiles: Sequence[str], spec: DatasetSpec) -> Entry:
    """Return the "hu" graphs of SMILES, their rows and hashes, and the reasons why other rows have none."""
    chunks, rows, canonical = [], [], []
    dropped: list[tuple[int, str]] = []
    texts: list[tuple[int, str]] = []
    counts = Counter[str]()
    start = 0
    work = partial(hu.featurize_chunk, strip_salts=spec.strip_salts)
    for chunk in in_chunks(work, smiles, f"featurize {spec.name}"):
        chunks.append(chunk.graphs)
        rows += [start + row for row in chunk.rows]
        canonical.append(chunk.canonical)
        dropped += [(start + row, reason) for row, reason in chunk.failed]
        texts += [(start + row, text) for row, text in chunk.texts.items()]
        counts.update(chunk.counts)
        start += len(chunk.rows) + len(chunk.failed)
    tensors = _tensors(PackedGraphs.from_chunks(chunks))
    tensors["rows"] = torch.tensor(rows, dtype=torch.int64)
    tensors["canonical"] = torch.from_numpy(np.concatenate(canonical))
    return tensors, {"dropped": dropped, "texts": texts, "counts": counts}


def own_entry(spec: DatasetSpec) -> Entry:
    """Return the graphs of a file without SMILES; equal graphs, with equal order of nodes, count as one molecule."""
    graphs = geometric.graphs(str(spec.path), own_content(spec))
    x_type, edge_type = (
        np.float32 if any(np.issubdtype(one.dtype, np.floating) for one in arrays) else np.int32
        for arrays in ([graph.x for graph in graphs], [graph.edge_attr for graph in graphs])
    )
    columns = graphs[0].x.shape[1], graphs[0].edge_attr.shape[1]
    tensors = _tensors(PackedGraphs.from_chunks([pack(graphs, x_type, columns, edge_type)]))
    digests = (sha256(b"".join(part.tobytes() for part in graph)) for graph in graphs)
    tensors["canonical"] = torch.tensor([int(digest[:15], 16) for digest in digests], dtype=torch.int64)
    tensors["rows"] = torch.arange(len(graphs))
    return tensors, {"dropped": [], "texts": [], "counts": {}}


def other_entry(kind: GraphKind, smiles: Sequence[str], name: str) -> Entry:
    """Return the graphs of SMILES by a featurizer."""
    chunks = in_chunks(kind.pack, smiles, f"{kind.name} graphs of {name}")
    return _tensors(PackedGraphs.from_chunks(list(chunks))), {}


def _tensors(packed: PackedGraphs) -> dict[str, torch.Tensor]:
    return {field.name: getattr(packed, field.name) for field in fields(packed)}


def descriptor_entry(smiles: Sequence[str], name: str) -> Entry:
    """Return the descriptors of SMILES."""
    joined = join(list(in_chunks(describe_chunk, smiles, f"describe {name}")))
    return {field: torch.from_numpy(column) for field, column in joined._asdict().items()}, {}


def scaffold_entry(smiles: Sequence[str], name: str) -> Entry:
    """Return a number per SMILES, equal for equal scaffolds."""
    numbers: dict[str, int] = {}
    group: list[int] = []
    for scaffolds in in_chunks(hu.scaffold_chunk, smiles, f"scaffolds of {name}"):
        group += [numbers.setdefault(scaffold, len(numbers)) for scaffold in scaffolds]
    return {"group": torch.tensor(group, dtype=torch.int64)}, {}
