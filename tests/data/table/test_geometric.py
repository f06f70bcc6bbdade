"""Saved graphs of PyTorch Geometric as tables."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from command import Command
from graphs import without_smiles
from lab import Lab, molecules, write_csv
from refusals import raises_usage
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.utils import from_smiles

from roftbench.config.components import build
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


@pytest.mark.parametrize(
    ("labels", "task"),
    [([[0.5, 2.0], [1.5, -1.0]], "regression"), ([[True, False], [False, True]], "classification")],
)
def test_all_labels_of_graphs_are_targets(cli: Command, tmp_path: Path, labels: Any, task: str) -> None:
    torch.save(graphs([torch.tensor([labels[at % 2]]) for at in range(3)]), tmp_path / "graphs.pt")
    ended = cli("data", str(tmp_path / "graphs.pt"), "--json")
    assert ended.code == 0, ended
    report = json.loads(ended.out)
    assert {"targets y0, y1", f"task {task}"} <= {guess.split(" (")[0] for guess in report["guesses"]}


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


OWN_WORDS = (
    "dataset=pyg", "split=random", "label_ratio=full", "model=pyg", "model.graphs=own", "model.inputs=float",
    "model.module=torch_geometric.nn.models.GAT",
    "++model.kwargs={hidden_channels:8,num_layers:2,edge_dim:2}",
)  # fmt: skip


def test_graphs_without_smiles_reach_the_network_as_they_are(lab: Lab, tmp_path: Path) -> None:
    graphs = without_smiles()
    torch.save(graphs, tmp_path / "mine.pt")
    InMemoryDataset.save(graphs, str(tmp_path / "processed.pt"))
    words = [*OWN_WORDS, "dataset.name=mine"]
    experiment = lab.experiment(f"dataset.path={tmp_path / 'mine.pt'}", *words)
    packed, module = experiment.dataset.graphs, build(experiment.job.model).eval()
    index = torch.tensor([7, 3, 20])
    with torch.no_grad():
        found = module.represent(packed.batch(index))
        batch = Batch.from_data_list([graphs[number] for number in index])
        nodes = module.module(batch.x, batch.edge_index, edge_attr=batch.edge_attr)
        expected = module.aggregation(nodes, batch.batch)
    assert torch.allclose(found, expected, atol=1e-6)
    scores = []
    for name in ("mine.pt", "processed.pt"):
        record = lab.done(f"dataset.path={tmp_path / name}", *words, "method=full_ft")
        scores.append(record.scores)
        assert record.data.kept == len(graphs)
    assert scores[0] == scores[1]
    for more in ("method=lp", "method=roftmol", "method=ridge", "split=size"):
        lab.done(f"dataset.path={tmp_path / 'mine.pt'}", *words, more)


def test_integer_features_and_graphs_without_edge_features(lab: Lab, tmp_path: Path) -> None:
    graphs = without_smiles()
    for graph in graphs:
        graph.x, graph.edge_attr = (graph.x * 10).long(), None
    torch.save([*graphs, graphs[0].clone()], tmp_path / "mine.pt")
    words = [word for word in OWN_WORDS if "kwargs" not in word]
    words += ["++model.kwargs={hidden_channels:8,num_layers:2}", f"dataset.path={tmp_path / 'mine.pt'}"]
    experiment = lab.experiment(*words)
    assert experiment.dataset.graphs.x.dtype == torch.int32
    assert experiment.dataset.graphs.edge_attr.shape[1] == 0
    assert experiment.dataset.canonical[0] == experiment.dataset.canonical[-1]
    assert len(set(experiment.dataset.canonical.tolist())) == len(graphs)
    assert lab.done(*words, "dataset.duplicates=merge", "method=full_ft").data.kept == len(graphs)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("model=tiny_gin",), "model=tiny_gin reads molecules from SMILES"),
        (("model=ecfp", "method=ridge"), "model=ecfp reads molecules from SMILES"),
        (("model.graphs=pyg", "model.inputs=embed"), "model=pyg reads molecules from SMILES"),
        (("model.inputs=embed",), "inputs=embed needs the number of codes"),
        (("split=scaffold",), "graphs without SMILES: scaffolds cannot be computed"),
        (("split=butina",), "graphs without SMILES: fingerprints"),
        (("run.keep=true",), "run.keep: model.graphs=own"),
        (("dataset.strip_salts=true",), "dataset.strip_salts"),
        (("dataset=esol", "~dataset.path"), "graphs=own reads the graphs of a data set without SMILES"),
    ],
)
def test_what_needs_smiles_is_refused_by_name(cli: Command, tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    torch.save(without_smiles(), tmp_path / "mine.pt")
    groups = {word.partition("=")[0] for word in words}
    given = [] if "dataset" in groups else [f"dataset.path={tmp_path / 'mine.pt'}"]
    base = [word for word in OWN_WORDS if not ("model" in groups and word.lstrip("+").startswith("model."))]
    cli.run(*given, *base, *(word for word in words if word != "~dataset.path")).refused(named)
    assert cli.files() == [] or "split" in groups


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", None),
        ("x", torch.zeros(0, 4)),
        ("x", torch.zeros(3, 5)),
        ("x", torch.full((3, 4), float("nan"))),
        ("x", torch.zeros(3, 4, 1)),
        ("x", torch.zeros(3, 4).to_sparse()),
        ("edge_index", None),
        ("edge_index", torch.tensor([[0, 1, 2], [0, 1, 3]])),
        ("edge_index", torch.tensor([[0, -1, 2], [0, 1, 1]])),
        ("edge_index", torch.zeros(2, 3)),
        ("edge_attr", torch.zeros(2, 2)),
        ("edge_attr", torch.zeros(3, 1)),
        ("edge_attr", None),
    ],
)
def test_impossible_graphs_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    graphs = without_smiles(3)
    graphs[0][name] = value
    with raises_usage(key=name):
        geometric.load("graphs.pt", saved(tmp_path / "graphs.pt", graphs))


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
