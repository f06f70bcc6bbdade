"""Data sets written for PyTorch Geometric, read back by it."""

from pathlib import Path

import torch
from command import Command
from torch_geometric.loader import DataLoader
from torch_geometric.utils import from_smiles

from roftbench.data.table.geometric import load


def test_exported_graphs_are_those_of_from_smiles_with_labels_and_rows(cli: Command, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("smiles,a,b\nCCO,0.5,1\nnot_a_smiles,1,2\nc1ccccc1O,,3\nCC(=O)N,2.5,4\n")
    file = tmp_path / "graphs.pt"
    ended = cli("data", str(table), "dataset.targets=[a,b]", "dataset.task=regression", "--pyg", str(file))
    assert ended.code == 0, ended
    graphs = torch.load(file, weights_only=False)
    assert [graph.row for graph in graphs] == [0, 2, 3]
    for graph in graphs:
        expected = from_smiles(graph.smiles)
        assert all(torch.equal(graph[name], expected[name]) for name in ("x", "edge_index", "edge_attr"))
    batch = next(iter(DataLoader(graphs, batch_size=3)))
    torch.testing.assert_close(
        batch.y, torch.tensor([[0.5, 1], [float("nan"), 3], [2.5, 4]]), equal_nan=True, rtol=0, atol=0
    )
    assert load("graphs", file.read_bytes()).columns[0] == ["CCO", "c1ccccc1O", "CC(=O)N"]


def test_a_folder_as_the_file_is_refused_before_anything_is_read(cli: Command, tmp_path: Path) -> None:
    ended = cli("data", "esol", "--pyg", str(tmp_path))
    assert ended.code == 2
    assert "--pyg" in ended.err
