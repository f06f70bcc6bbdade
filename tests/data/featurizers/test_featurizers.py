"""Graphs of another kind than "hu": of the same molecules, cached, and only of the kinds that there are."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from command import Command
from lab import PLACES, Lab
from refusals import raises_usage

from roftbench.config import plugins
from roftbench.config.featurizers import graph_kind
from roftbench.config.registry import options
from roftbench.data import cached_entries, parallel
from roftbench.data.config import DatasetSpec
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.featurizers.base import HU
from roftbench.data.featurizers.graphium import GraphiumFeaturizer, smiles_to_graph
from roftbench.data.packed import PackedGraphs
from roftbench.data.parallel import CHUNK
from roftbench.data.table.load import complete
from roftbench.errors import UsageError
from roftbench.models.encoder import Encoder
from roftbench.predict.ensemble import load as load_model

ROWS = ["CCO", "C(", "*C", "C[C@H](N)C(=O)O", "[2H]C([2H])O", "OCC", "N->[Pt]", "[H][H]", "CCO", "c1ccccc1"]
KEPT = [0, 3, 4, 5, 7, 8, 9]  # "hu" graphs have no row for dummy atoms and dative bonds, MiniMol's do


def load(folder: Path, duplicates: str = "keep") -> MoleculeDataset:
    path = folder / "own.csv"
    path.write_text("smiles,y\n" + "".join(f"{text},{n}.5\n" for n, text in enumerate(ROWS)), encoding="utf-8")
    spec = complete(DatasetSpec(path=str(path), duplicates=duplicates), PLACES)[0]
    return load_dataset(spec, folder / "cache", PLACES)


def assert_same(left: PackedGraphs, right: PackedGraphs) -> None:
    for field in fields(left):
        assert torch.equal(getattr(left, field.name), getattr(right, field.name))


def test_the_molecules_are_those_of_the_hu_graphs(tmp_path: Path) -> None:
    data = load(tmp_path)
    graphs = data.graphs_of(graph_kind("minimol"))
    assert data.rows.tolist() == KEPT
    assert len(graphs) == len(data)
    for i, text in enumerate(data.smiles):
        batch = graphs.batch(torch.tensor([i]))
        wanted = smiles_to_graph(text)
        assert batch.x.dtype == torch.float32
        assert batch.edge_attr.dtype == torch.int64
        assert torch.equal(batch.x, torch.from_numpy(wanted.x).float())
        assert batch.edge_index.shape[1] == wanted.edge_index.shape[1]
    np.testing.assert_array_equal(data.sizes, data.graphs.sizes)
    assert data.graphs_of(None) is data.graphs


def test_they_are_cached_beside_the_hu_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = load(tmp_path).graphs_of(graph_kind("minimol"))
    names = {path.name for path in (tmp_path / "cache").glob("*.safetensors")}
    assert sorted(name.rsplit("-", 1)[0] for name in names) == ["graphs-own", "graphs-own-minimol"]
    monkeypatch.setattr(cached_entries, "in_chunks", None)
    assert_same(load(tmp_path).graphs_of(graph_kind("minimol")), graphs)
    monkeypatch.undo()
    monkeypatch.setattr(GraphiumFeaturizer, "version", GraphiumFeaturizer.version + 1)
    load(tmp_path).graphs_of(graph_kind("minimol"))
    assert len(list((tmp_path / "cache").glob("graphs-own-minimol-*.safetensors"))) == 2


def test_a_policy_for_duplicates_selects_among_them(tmp_path: Path) -> None:
    whole, left = load(tmp_path), load(tmp_path, "merge")
    assert left.position is not None
    assert len(left) < len(whole)
    assert_same(
        left.graphs_of(graph_kind("minimol")),
        whole.graphs_of(graph_kind("minimol")).select(torch.from_numpy(left.position)),
    )
    assert len(list((tmp_path / "cache").glob("graphs-own-minimol-*.safetensors"))) == 1


def test_a_damaged_cache_is_rebuilt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    graphs = load(tmp_path).graphs_of(graph_kind("minimol"))
    [path] = (tmp_path / "cache").glob("graphs-own-minimol-*.safetensors")
    path.write_bytes(path.read_bytes()[:-5])
    assert_same(load(tmp_path).graphs_of(graph_kind("minimol")), graphs)
    assert f"{path} is damaged" in caplog.text


def test_more_than_a_chunk(tmp_path: Path) -> None:
    texts = ["C" * (1 + n % 7) for n in range(CHUNK + 3)]
    path = tmp_path / "own.csv"
    path.write_text("smiles,y\n" + "".join(f"{text},{n}.5\n" for n, text in enumerate(texts)), encoding="utf-8")
    data = load_dataset(complete(DatasetSpec(path=str(path)), PLACES)[0], tmp_path / "cache", PLACES)
    np.testing.assert_array_equal(data.graphs_of(graph_kind("minimol")).sizes, data.sizes)


PLUGIN = """
import torch
from torch import nn
from roftbench.models.encoder import Encoder, Nodes

class Bag(Encoder):
    featurizer = "{name}"
    def __init__(self, columns: int = 41) -> None:
        super().__init__()
        self.dim, self.linear = 4, nn.Linear(columns, 4)
    def blocks(self):
        return {{"bag": self.linear}}
    def forward(self, batch):
        out = self.linear(batch.x.float())
        return Nodes(out, out)
"""


@pytest.mark.parametrize(("name", "columns"), [("minimol", 41), ("hu", 2)])
def test_a_plug_in_asks_for_graphs_by_name(lab: Lab, tmp_path: Path, name: str, columns: int) -> None:
    record = lab.done(*plugin(tmp_path, name), f"+model.columns={columns}", "method=lp")
    assert ("graphs" in record.job) == (name == "minimol")


OWN_GRAPHS = """
from roftbench.data.featurizers.base import Featurizer
from roftbench.data.featurizers.ogb import smiles_to_graph

class Degrees(Featurizer):
    columns = (1, 3)

    def graph(self, smiles):
        graph = smiles_to_graph(smiles)
        return graph._replace(x=graph.x[:, 2:3])
"""


def own_graphs(folder: Path) -> list[str]:
    """Write a plug-in whose encoder reads graphs of a featurizer of its own; return its overrides."""
    words = plugin(folder, "own_graphs.Degrees", "asks_own")
    (folder / "own_graphs.py").write_text(OWN_GRAPHS)
    return [*words[:2], f"plugins=[{folder / 'own_graphs.py'},{folder / 'asks_own.py'}]", "+model.columns=1"]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[list[str]]:
    """The overrides of a plug-in with a featurizer of its own, which is forgotten afterwards."""
    yield own_graphs(tmp_path)
    for name in ("own_graphs", "asks_own"):
        plugins._loaded.pop(name, None)
        sys.modules.pop(name, None)


def test_plugin_featurizer_is_part_of_the_key_and_serves_the_saved_model(
    lab: Lab, tmp_path: Path, own: list[str]
) -> None:
    record = lab.done(*own, "method=lp", "run.keep=true")
    graphs = record.job["graphs"]
    assert graphs == {"name": "own_graphs.Degrees", "version": 1, "code": graphs["code"]}
    files = [str(tmp_path / name) for name in ("own_graphs.py", "asks_own.py")]
    model = load_model(lab.store.model_path(record.key), plugins=files)
    experiment = lab.experiment(*own, "method=lp")
    assert experiment.objective.graphs.x.shape[1] == 1
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    expected = [row[0] for row in record.test_predictions.prediction]
    assert model.predict(smiles).iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-5)


@pytest.fixture
def named(tmp_path: Path) -> Iterator[list[str]]:
    """The same, but the encoder names an option of the user's config folder."""
    words = own_graphs(tmp_path)
    (tmp_path / "asks_own.py").write_text(PLUGIN.format(name="degrees"))
    (tmp_path / "conf" / "featurizer").mkdir()
    (tmp_path / "conf" / "featurizer" / "degrees.yaml").write_text("name: degrees\n_target_: own_graphs.Degrees\n")
    yield words
    for name in ("own_graphs", "asks_own"):
        plugins._loaded.pop(name, None)
        sys.modules.pop(name, None)


def test_featurizer_of_config_folder_is_found_by_its_name(cli: Command, tmp_path: Path, named: list[str]) -> None:
    ended = cli.run("-m", *named, "method=lp", "run.keep=true", "seed=0,1")
    assert ended.code == 0, ended
    record = cli.lab.store.load()[0]
    assert record.job["graphs"]["name"] == "degrees"
    assert record.job["graphs"]["target"] == "own_graphs.Degrees"
    assert cli.run(*named, "method=lp").code == 0
    assert len(cli.lab.store.load()) == 2  # the same job, alone and in a sweep
    files = [str(tmp_path / name) for name in ("own_graphs.py", "asks_own.py")]
    model = load_model(cli.lab.store.model_path(record.key), plugins=files)  # without the config folder
    experiment = cli.lab.experiment(*named, "method=lp", f"seed={record.job['seed']}")
    assert experiment.objective.graphs.x.shape[1] == 1
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    expected = [row[0] for row in record.test_predictions.prediction]
    assert model.predict(smiles).iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-5)


def test_featurizer_of_config_folder_comes_before_a_shipped_one_and_needs_a_class(
    lab: Lab, tmp_path: Path, named: list[str]
) -> None:
    folder = tmp_path / "conf"
    (folder / "featurizer" / "ogb.yaml").write_text("_target_: own_graphs.Degrees\n")
    modules = ("own_graphs", "asks_own")
    lab.job(*named)
    assert graph_kind("ogb", modules, folder).pack(["CCO"])["x"].shape == (3, 1)
    assert graph_kind("ogb", modules, folder) != graph_kind("ogb", modules)
    assert graph_kind("ogb").identity() == {"name": "ogb", "version": graph_kind("ogb").version}
    (folder / "featurizer" / "empty.yaml").write_text("name: empty\n")
    with raises_usage(key="featurizer", got="empty"):
        graph_kind("degrees", modules, folder)


def test_plugin_featurizer_runs_in_worker_processes(
    lab: Lab, tmp_path: Path, own: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = lab.job(*own)
    here = load(tmp_path).graphs_of(job.model.featurizer)
    for path in (tmp_path / "cache").glob("*.safetensors"):
        path.unlink()
    monkeypatch.setattr(parallel, "SERIAL", 1)
    monkeypatch.setattr(parallel, "CHUNK", 3)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    assert_same(load(tmp_path).graphs_of(job.model.featurizer), here)


def test_featurizer_outside_package_and_plugins_is_refused(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"featurizer\._target_=elsewhere\.Degrees is neither in roftbench nor"):
        lab.job(*plugin(tmp_path, "elsewhere.Degrees", "asks_elsewhere"))


def test_a_kind_of_graphs_that_there_is_not(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"model\._target_=asks_\w+\.Bag: featurizer is 'minimal'.*Did you mean 'minimol'"
    ):
        lab.job(*plugin(tmp_path, "minimal"))


def plugin(folder: Path, name: str, module: str = "") -> list[str]:
    path = folder / f"{module or f'asks_{name}'}.py"
    path.write_text(PLUGIN.format(name=name))
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "model" / "bag.yaml").write_text(f"name: bag\n_target_: {path.stem}.Bag\n")
    return [f"--config-dir={folder / 'conf'}", "model=bag", f"plugins=[{path}]"]


def test_an_encoder_reads_hu_graphs_unless_it_says_so() -> None:
    assert Encoder.featurizer == HU
    assert list(options("featurizer")) == ["chemprop", "hu", "minimol", "ogb", "ogb_rwse", "pyg"]


def test_workers_start_without_torch() -> None:
    code = "import sys, roftbench.config.featurizers as f; f.graph_kind('ogb'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_in_worker_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = load(tmp_path).graphs_of(graph_kind("minimol"))
    for path in (tmp_path / "cache").glob("*.safetensors"):
        path.unlink()
    monkeypatch.setattr(parallel, "SERIAL", 1)
    monkeypatch.setattr(parallel, "CHUNK", 3)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    assert_same(load(tmp_path).graphs_of(graph_kind("minimol")), here)


def test_every_featurizer_packs_what_a_batch_can_be_made_of() -> None:
    for name in options("featurizer"):
        kind = graph_kind(name)
        graphs = PackedGraphs.from_chunks([kind.pack(["CCO", "[Na+]"]), kind.pack(["c1ccccc1"])])
        assert graphs.sizes.tolist() == [3, 1, 6]
        assert graphs.batch(torch.tensor([2, 0])).num_graphs == 2
