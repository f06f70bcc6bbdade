"""Representations of molecules by a pretrained or saved model: `roftbench embed` and `roftbench.embed`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roftbench.config.compose import clear_errors, composed
from roftbench.config.parse import parse
from roftbench.config.registry import names
from roftbench.console import bar
from roftbench.data.parallel import SERIAL, ahead
from roftbench.data.table.stream import Rows
from roftbench.data.workers import cores
from roftbench.errors import UsageError
from roftbench.predict.column_names import REASON
from roftbench.predict.ensemble import load
from roftbench.predict.featurize import CHUNK, featurized
from roftbench.predict.kept import results_folder
from roftbench.predict.member import Member, Network, embedded, spread_out
from roftbench.predict.smiles_input import as_list
from roftbench.runner.devices import choose_device
from roftbench.runner.loading import load_encoder
from roftbench.store.downloads import fetch_missing
from roftbench.store.files import atomic, check_paths, writing
from roftbench.store.leftovers import remove_leftovers
from roftbench.store.names import Names
from roftbench.store.results import Store

ENDINGS = (".npz", ".parquet")


def embed(
    smiles: Sequence[str], model: str | None = None, *, model_dir: str | Path | None = None, device: str = "auto"
) -> NDArray[np.float32]:
    """Return the graph representations of molecules, the input of a model's head.

    Args:
        smiles: N SMILES in a list, a pandas Series or a NumPy array, or a table with a column "smiles".
        model: Name of a pretrained model (`roftbench list models`; its checkpoint is downloaded if necessary) or of a
            saved one (`roftbench list kept`).
        model_dir: Folder of a saved model, in place of `model`.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Returns:
        Representations in the order of the SMILES, [N, d] float32; rows of SMILES without a graph are NaN.

    Raises:
        UsageError: Not exactly one of `model` and `model_dir` is given, the model is unknown or cannot be downloaded,
            or `smiles` is not a list.

    Example:
        ```python
        import roftbench

        z = roftbench.embed(["CCO", "c1ccccc1O"], model="gin_masking")  # [2, 300]
        ```
    """
    if (model is None) == (model_dir is None):
        raise UsageError(
            "give either model (a name of `roftbench list models`) or model_dir (a saved model)", key="model", got=model
        )
    if model is not None and model not in names("model") and model in Names(Store(results_folder())):
        model_dir = model
    if model_dir is not None:
        return load(model_dir, device=device).embed(smiles)
    return embedded(encoder_of([f"model={model}"], None, device), as_list(smiles))


def encoder_of(overrides: Sequence[str], folder: Path | None, device: str) -> Member:
    """Return the pretrained model that the overrides of a config describe (model=NAME, model.checkpoint=…, paths.…)."""
    with clear_errors(overrides, folder):
        # A method that any model takes, so that a fingerprint is refused as one.
        job, env, _ = parse(composed([*overrides, "method=mean"], folder), folder)
    fetch_missing((source, env.places) for source in job.sources())
    return Network(load_encoder(job, env), choose_device(device), job.model.featurizer)


def embed_table(member: Member, source: Rows, path: Path) -> int:
    """Write the representations of a table's rows atomically, in order; returns the number of rows without one.

    .npz: arrays `embedding` [N, d] float32, `smiles` and `reason` [N]. .parquet: columns smiles, e0, e1, …, reason.

    Raises:
        UsageError: The output cannot be written.
    """
    check_paths(source.path, path, ENDINGS)
    texts = [text for chunk in source.chunks(CHUNK) for text in chunk[source.smiles]]
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    work = partial(featurized, featurizers=(member.featurizer,), strip_salts=member.strip_salts)
    parts: list[NDArray[np.float32]] = []
    reasons: list[str] = []
    workers = cores() if len(texts) > SERIAL else 1
    for molecules in bar(ahead(work, chunks, workers), "embed", "chunk", total=len(chunks)):
        parts.append(spread_out(member.embed(molecules), molecules))
        reasons += [molecules.reasons.get(row, "") for row in range(len(parts[-1]))]
    remove_leftovers([path.parent], path.name)
    with writing(f"output={path}", path, "output"), atomic(path) as temporary, temporary.open("wb") as file:
        _write(file, path.suffix, np.concatenate(parts), texts, reasons)
    return sum(map(bool, reasons))


def _write(file: Any, ending: str, values: NDArray[np.float32], texts: list[str], reasons: list[str]) -> None:
    if ending == ".npz":
        np.savez(file, embedding=values, smiles=np.array(texts), reason=np.array(reasons))
        return
    import pyarrow as pa
    import pyarrow.parquet

    columns = {f"e{i}": column for i, column in enumerate(values.T)}
    pa.parquet.write_table(pa.table({"smiles": texts, **columns, REASON: reasons}), file)
