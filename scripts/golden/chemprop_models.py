"""Write small chemprop models and what chemprop computes with them, for tests where chemprop is not installed.

In an environment with chemprop 2.3.1 (`pip install chemprop==2.3.1`), from the root of the repository:

    python scripts/golden/chemprop_models.py tests/golden

Each model has random weights. The files are those that chemprop writes: a `.pt` of `save_model`, a Lightning `.ckpt`
after training, and one with the layout of CheMeleon, a message-passing block alone. `chemprop.npz` has the SMILES
and, per model, the graph representations z [100, 16] in evaluation mode and the gradients of Σ z · w for fixed w.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from chemprop import data, featurizers, models, nn
from lightning import pytorch as pl
from rdkit import Chem, rdBase

DIM, COUNT = 16, 100
TABLES = Path(__file__).parents[2] / "src" / "roftbench" / "assets" / "data"
ATOMS = {"v1": featurizers.MultiHotAtomFeaturizer.v1, "v2": featurizers.MultiHotAtomFeaturizer.v2}


def molecules() -> list[str]:
    """Return 90 molecules of BBBP and Lipo, and ten unusual ones."""
    rare = ["C", "[Na+].[Cl-]", "[2H]C([2H])O", "[13CH4]", "C[C@H](N)O", "F/C=C/F", "O=[U]=O", "C[Si](C)(C)C"]
    rare += ["[Ce+3]", "F[P-](F)(F)(F)(F)F"]
    tables = [pd.read_csv(TABLES / f"{name}.csv.gz")["smiles"].head(45) for name in ("bbbp", "lipo")]
    return [*pd.concat(tables), *rare]


def featurizer(kind: str) -> Any:
    """Return chemprop's featurizer with atom vectors of a kind."""
    return featurizers.SimpleMoleculeMolGraphFeaturizer(ATOMS[kind]())


def graphs(smiles: list[str], kind: str) -> Any:
    """Return chemprop's batch of molecules."""
    make = featurizer(kind)
    return data.BatchMolGraph([make(Chem.MolFromSmiles(text)) for text in smiles])


def trained(smiles: list[str], folder: Path) -> models.MPNN:
    """Write chemprop_trained.ckpt after training on made-up labels, and return its model."""
    passing = nn.BondMessagePassing(d_v=133, d_h=DIM, depth=4, bias=True, activation="leakyrelu")
    model = models.MPNN(
        passing, nn.NormAggregation(norm=50.0), nn.RegressionFFN(input_dim=DIM, hidden_dim=DIM), batch_norm=True
    )
    points = [data.MoleculeDatapoint.from_smi(text, [float(len(text))]) for text in smiles]
    loader = data.build_dataloader(data.MoleculeDataset(points, featurizer("v1")), batch_size=25, num_workers=0)
    saver = pl.callbacks.ModelCheckpoint(folder, filename="chemprop_trained", enable_version_counter=False)
    trainer = pl.Trainer(
        max_epochs=3, logger=False, callbacks=[saver], accelerator="cpu", enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(model, loader)
    return models.MPNN.load_from_checkpoint(folder / "chemprop_trained.ckpt", map_location="cpu")


def plain(folder: Path) -> models.MPNN:
    """Write chemprop_plain.pt with chemprop's defaults but the width, and return the model."""
    model = models.MPNN(
        nn.BondMessagePassing(d_h=DIM), nn.MeanAggregation(), nn.RegressionFFN(input_dim=DIM, hidden_dim=DIM)
    )
    models.save_model(folder / "chemprop_plain.pt", model)
    return model


def block(folder: Path) -> models.MPNN:
    """Write chemprop_block.pt with the layout of CheMeleon's file, and return a model with the block."""
    given = {"d_v": 72, "d_e": 14, "d_h": DIM, "depth": 6, "bias": False, "dropout": 0.0, "activation": "relu",
             "undirected": False, "d_vd": None}  # fmt: skip
    passing = nn.BondMessagePassing(**given)
    torch.save({"hyper_parameters": given, "state_dict": passing.state_dict()}, folder / "chemprop_block.pt")
    return models.MPNN(passing, nn.MeanAggregation(), nn.RegressionFFN(input_dim=DIM))


def outcome(model: models.MPNN, smiles: list[str], kind: str) -> dict[str, np.ndarray]:
    """Return z and the gradients of the encoder, by roftbench's names."""
    z = model.eval().fingerprint(graphs(smiles, kind))
    model.zero_grad()
    (z * torch.linspace(-1, 1, z.numel()).view_as(z)).sum().backward()
    named = {key.removeprefix("message_passing."): one for key, one in model.named_parameters()}
    kept = {f"grad.{key}": one.grad.numpy() for key, one in named.items() if not key.startswith("predictor")}
    return {"z": z.detach().numpy(), **kept}


def main(folder: Path) -> None:
    """Write all files."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    smiles = molecules()
    assert len(smiles) == COUNT
    with rdBase.BlockLogs():
        arrays = outcomes(smiles, folder)
    np.savez_compressed(folder / "chemprop.npz", **arrays)


def outcomes(smiles: list[str], folder: Path) -> dict[str, Any]:
    """Write the models, and return SMILES and outcomes."""
    found = {"plain": plain(folder), "trained": trained(smiles, folder), "block": block(folder)}
    kinds = {"plain": "v2", "trained": "v1", "block": "v2"}
    arrays = {f"{n}.{key}": one for n, m in found.items() for key, one in outcome(m, smiles, kinds[n]).items()}
    return {"smiles": np.array(smiles), **arrays}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
