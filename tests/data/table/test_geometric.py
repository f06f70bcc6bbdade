"""Saved graphs of PyTorch Geometric as tables."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Lab, molecules, write_csv
from refusals import raises_usage
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.utils import from_smiles

from roftbench.data.table import geometric

SMILES = ["CCO", "c1ccccc1O", "CC(=O)N"]


def graphs(labels: list[Any], smiles: list[str] = SMILES) -> list[Data]:
    found = [from_smiles(one) for one in smiles]
    for graph, label in zip(found, labels, strict=True):
        graph.y = label
    return found


def saved(path: Path, content: Any) -> bytes:
    torch.save(content, path)
    return path.read_bytes()


def test_a_list_of_graphs_gives_their_smiles_and_labels(tmp_path: Path) -> None:
    labels = [torch.tensor([[0.1, 2.0]]), torch.tensor([[float("nan"), -1.0]]), torch.tensor([[3.0, 4.0]])]
    content = saved(tmp_path / "graphs.pt", graphs(labels))
    assert geometric.is_saved(content)
    found = geometric.load("graphs.pt", content)
    assert found.names == ["smiles", "y0", "y1"]
    assert found.columns[0] == SMILES
    assert [float(text) for text in found.columns[1] if text] == pytest.approx([0.1, 3.0])
    assert found.columns[1][1] == ""
    assert found.columns[2] == ["2.0", "-1.0", "4.0"]


@pytest.mark.parametrize("label", [1.5, torch.tensor(1.5), torch.tensor([1.5]), torch.tensor([[1.5]])])
def test_a_single_label_may_have_any_shape(tmp_path: Path, label: Any) -> None:
    found = geometric.load("graphs.pt", saved(tmp_path / "graphs.pt", graphs([label] * 3)))
    assert (found.names, found.columns[1]) == (["smiles", "y"], ["1.5"] * 3)


def test_a_job_on_graphs_is_that_on_a_table_of_the_same_molecules(lab: Lab, tmp_path: Path) -> None:
    smiles, y = molecules("esol", lab.job()[0], 80)
    write_csv(tmp_path / "mine.csv", {"smiles": smiles, "y": y})
    labels = [torch.tensor([[float(one)]], dtype=torch.float64) for one in y]
    torch.save(graphs(labels, smiles), tmp_path / "mine.pt")
    InMemoryDataset.save(graphs(labels, smiles), str(tmp_path / "processed.pt"))
    words = ("split=random", "method=lp")
    expected = lab.done("dataset=csv", f"dataset.path={tmp_path / 'mine.csv'}", *words)
    for name in ("mine.pt", "processed.pt"):
        found = lab.done("dataset=pyg", f"dataset.path={tmp_path / name}", *words)
        assert found.candidates == expected.candidates


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (b"never called",)


def test_what_is_no_data_set_is_refused_and_no_code_is_run(tmp_path: Path) -> None:
    file = tmp_path / "graphs.pt"
    one = [torch.tensor([1.0])] * 3
    bare = graphs(one)
    del bare[1].smiles
    uneven = graphs([torch.tensor([1.0]), torch.tensor([1.0, 2.0]), torch.tensor([1.0])])
    unlabeled = [from_smiles(text) for text in SMILES]
    for content, key in [
        (bare, "smiles"), (uneven, "y"), (unlabeled, "y"), ([], "what"), ({"a": torch.ones(1)}, "what"),
        ([torch.ones(2)], "what"), ([Hostile()], "what"),
    ]:  # fmt: skip
        with raises_usage(key=key):
            geometric.load("what", saved(file, content))
    with raises_usage(key="what"):
        geometric.load("what", saved(file, graphs(one))[:-200])
