"""Saved networks as ONNX files: `roftbench export MODEL --onnx FILE`."""

import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from roftbench.__about__ import __version__
from roftbench.console import say
from roftbench.data.featurizers import hu
from roftbench.data.featurizers.base import HU
from roftbench.data.packed import Batch, PackedGraphs
from roftbench.errors import UsageError
from roftbench.predict.ensemble import Ensemble
from roftbench.predict.exchange.plain_network import SUPPORTED, PlainNetwork
from roftbench.predict.featurize import featurized
from roftbench.predict.member import FineTuned
from roftbench.predict.smiles_input import as_list
from roftbench.store.files import write_output

OPSET = 18
PACKAGES = ("onnx", "onnxscript")
EXAMPLE = ["OC(=O)c1ccccc1", "C", "CCO"]  # molecules that are traced; their sizes are not fixed
INPUTS = {
    "x": "[N, 2]: atomic number − 1; chirality 0 none, 1 clockwise, 2 counterclockwise",
    "edge_index": "[2, E]: source and target atom of each edge; each bond twice, in both directions; no self-loops",
    "edge_attr": "[E, 2]: bond 0 single, 1 double, 2 triple, 3 aromatic; direction 0 none, 1 up-right, 2 down-right",
    "graph_index": "[N]: molecule of each atom, from 0",
    "graph_size": "[B]: number of atoms of each molecule, at least 1",
}


@dataclass(frozen=True)
class Exported:
    """The files that were written, and the number of bytes of the network."""

    network: Path
    description: Path
    size: int


def export_onnx(model: Ensemble, path: Path) -> Exported:
    """Write the networks of saved models as one ONNX file, and its description beside it (FILE.json).

    The file predicts what `roftbench predict` does, without intervals and similarity. Numbers of atoms, edges and
    molecules in a batch are free.

    Raises:
        UsageError: a package is missing, the model has parts that ONNX cannot hold, or the file cannot be written.
    """
    if path.suffix != ".onnx":
        raise UsageError(f"--onnx {path} must end with .onnx", key="--onnx", got=str(path))
    check_network(model)
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        problem = f"--onnx needs the package {missing[0]}"
        raise UsageError(problem, key="--onnx", got=missing[0], hint="Install it with: pip install 'roftbench[onnx]'")
    network, description = network_of(model), path.with_name(f"{path.name}.json")
    say("   onnx  the exporter takes some seconds")
    content = _traced(network)
    write_output(path, content, "--onnx")
    write_output(description, json.dumps(facts_of(model), indent=1, ensure_ascii=False) + "\n", "--onnx")
    return Exported(path, description, len(content))


def check_network(model: Ensemble) -> None:
    """Raise UsageError with the name of the first part that ONNX cannot hold."""
    for saved, member in zip(model.saved, model.members, strict=True):
        job = saved.facts["job"]
        if not isinstance(member, FineTuned):
            reason = f"method={job['method']['name']} is no network: its estimators are not exported"
            raise _refused(reason, job["method"]["name"])
        encoder = type(member.encoder)
        if encoder not in SUPPORTED:
            allowed = ", ".join(one.__name__ for one in SUPPORTED)
            reason = (
                f"model={job['model']['name']} has the encoder {encoder.__name__}; these can be exported: {allowed}"
            )
            raise _refused(reason, job["model"]["name"])
        if saved.facts.get("extended"):
            reason = f"method={job['method']['name']} adds modules of its own to the network"
            raise _refused(reason, job["method"]["name"])


def _refused(reason: str, got: str) -> UsageError:
    return UsageError(f"the model cannot be exported to ONNX: {reason}", key="--onnx", got=got)


def network_of(model: Ensemble) -> PlainNetwork:
    """Return the module that is exported, on the CPU."""
    members = [member for member in model.members if isinstance(member, FineTuned)]
    networks = [deepcopy(network).cpu() for member in members for network in member.models]
    sizes = {len(member.models) for member in members}
    if len(sizes) > 1:
        raise _refused("its models are ensembles of different sizes", ", ".join(map(str, sorted(sizes))))
    scales = {(*member.scale.tolist(), *member.offset.tolist()) for member in members}
    if len(scales) > 1:
        raise _refused("its models were fitted with labels of different scales", "train.standardize_targets")
    scale, offset = (torch.from_numpy(one) for one in (members[0].scale, members[0].offset))
    none = torch.tensor([[1.0, 0.0]]).expand(len(scale), 2)
    calibration = torch.from_numpy(model.calibration) if model.task == "classification" else none
    return PlainNetwork(networks, model.task, scale, offset, calibration).eval()


def _traced(network: PlainNetwork) -> bytes:
    inputs = tuple(torch.from_numpy(one) for one in onnx_inputs(EXAMPLE).values())
    atoms, edges, molecules = (torch.export.Dim(name) for name in ("N", "E", "B"))
    shapes = ({0: atoms}, {1: edges}, {0: edges}, {0: atoms}, {0: molecules})
    with _quiet():
        program = torch.onnx.export(
            network,
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=["prediction"],
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporter prints and logs: steps, and packages that it would also support."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)


def facts_of(model: Ensemble) -> dict[str, Any]:
    """Return the description of an exported file: inputs, output, tasks, and the models it was made of."""
    first = model.saved[0]
    regression = model.task == "regression"
    return {
        "inputs": {name: f"int64 {text}" for name, text in INPUTS.items()},
        "output": f"prediction [B, T] float64, {'in the unit of the labels' if regression else 'probabilities'}",
        "tasks": model.targets,
        "task": model.task,
        "units": first.facts["units"],
        **({} if regression else {"positive_class": first.classes[1]}),
        "without_training_label": [model.targets[place] for place in model.untrained],
        "largest_fragment_alone": model.strip_salts,
        "molecules": "atoms and bonds of RDKit's molecule of the SMILES, in its order, hydrogens implicit",
        "featurizer": {"name": HU, "version": hu.VERSION},
        "opset": OPSET,
        "models": [one.facts["key"] for one in model.saved],
        "made_by": {"roftbench": __version__, "torch": torch.__version__},
    }


def onnx_inputs(smiles: Any, *, strip_salts: bool = False) -> dict[str, NDArray[np.int64]]:
    """Return molecules as the inputs of an exported model (`roftbench export MODEL --onnx FILE`).

    Args:
        smiles: N SMILES, as for `roftbench.load(...).predict`.
        strip_salts: Whether a molecule is its largest organic fragment, as `largest_fragment_alone` in the description
            of the file states.

    Returns:
        Arrays x [N, 2], edge_index [2, E], edge_attr [E, 2], graph_index [N] and graph_size [B], all int64.

    Raises:
        UsageError: A SMILES has no graph.

    Example:
        ```python
        session = onnxruntime.InferenceSession("model.onnx")
        [prediction] = session.run(None, roftbench.onnx_inputs(["CCO", "c1ccccc1O"]))
        ```
    """
    texts = as_list(smiles)
    molecules = featurized(texts, [None], strip_salts)
    if not texts or molecules.reasons:
        row, reason = next(iter(molecules.reasons.items()), (0, "there is none"))
        raise UsageError(f"smiles[{row}] has no graph: {reason}", key="smiles", got=texts[row : row + 1])
    batch: Batch = PackedGraphs.from_chunks([molecules.graphs[HU]]).batch(torch.arange(len(texts)))
    size = batch.node_ptr.diff()
    index = torch.arange(len(size)).repeat_interleave(size)
    tensors: Sequence[torch.Tensor] = (batch.x, batch.edge_index, batch.edge_attr, index, size)
    return {name: tensor.numpy() for name, tensor in zip(INPUTS, tensors, strict=True)}
