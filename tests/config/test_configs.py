"""Every shipped config composes, is accepted and can be built; what docs/protocol.md fixes is what the files say."""

import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lab import ESTIMATORS, METHODS, ROOT, write_csv
from safetensors.torch import save_file
from torch_geometric.utils import from_smiles
from whole import but_whole

from roftbench.config.components import build
from roftbench.config.compose import composed
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.parse import parse
from roftbench.config.registry import options
from roftbench.data.split import Splitter
from roftbench.data.table.load import read_table
from roftbench.methods.base import Method
from roftbench.methods.estimator import Estimator
from roftbench.models.checkpoints import load_checkpoint, load_published
from roftbench.models.encoder import Encoder
from roftbench.models.fingerprint import Fingerprint
from roftbench.models.gat import GAT
from roftbench.models.gcn import GCN
from roftbench.models.gin import GIN
from roftbench.models.graphgps import GraphGPS
from roftbench.models.graphium import Graphium
from roftbench.models.graphsage import GraphSAGE
from roftbench.models.moleculestm import MoleculeSTM
from roftbench.store.downloads import Places, Source, present
from roftbench.store.wheels import is_package
from roftbench.sweep.hydra_app import plan as planned

OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in (ROOT / "conf").glob("*/*.yaml")
    if path.parent.name not in ("experiment", "featurizer")
)
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
OWN = (("dataset", "csv"), ("dataset", "pyg"))  # named by the user's file
NAMED = [one for one in OPTIONS if one[0] in ("model", "method", "dataset", "split", "train") and one not in OWN]


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What some options leave to the user."""
    folder = tmp_path_factory.mktemp("needed")
    write_csv(folder / "mine.csv", {"smiles": ["C", "CC", "CCC"], "y": [0.5, 1.5, 2], "year": [2019, 2020, 2021]})
    (folder / "parts.json").write_text('{"train": [0], "val": [1], "test": [2]}')
    graphs = [from_smiles(smiles) for smiles in ("C", "CC", "CCC")]
    for y, graph in enumerate(graphs):
        graph.y = y + 0.5
    torch.save(graphs, folder / "mine.pt")
    own: dict[str, type[Encoder]] = {"gin": GIN, "gcn": GCN, "graphsage": GraphSAGE, "gat": GAT}
    own |= {"moleculestm": MoleculeSTM, "graphgps": GraphGPS, "graphium": Graphium}
    for name, encoder in own.items():
        save_file(encoder().state_dict(), folder / f"{name}.safetensors")
    golden = ROOT / "tests" / "golden"
    chemprop = {("model", "chemprop"): "plain", ("model", "chemeleon"): "block"}
    return {
        **{option: f"model.checkpoint={golden}/chemprop_{name}.pt" for option, name in chemprop.items()},
        ("dataset", "csv"): f"dataset.path={folder / 'mine.csv'}",
        ("dataset", "pyg"): f"dataset.path={folder / 'mine.pt'}",
        ("model", "pyg"): "model.module=torch_geometric.nn.models.GCN +model.kwargs={hidden_channels:8,num_layers:2}",
        ("split", "time"): f"dataset=csv dataset.path={folder / 'mine.csv'} split.column=year",
        ("split", "file"): f"split.path={folder / 'parts.json'}",
        **{("model", name): f"model.checkpoint={folder / name}.safetensors" for name in own},
    }


@cache
def _job(*overrides: str) -> tuple[Job, RunContext]:
    job, env, _ = parse(composed(overrides, None))
    return job, env


def content(group: str, name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "conf" / group / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_every_option_composes_is_accepted_and_can_be_built(
    group: str, name: str, needed: dict[tuple[str, str], str]
) -> None:
    small = () if group == "model" else ("model=tiny_gin",)
    small = ("model=ecfp", "method=random_forest") if name in ("ecfp", *ESTIMATORS) else small
    more = needed.get((group, name), "").split()
    job, env = _job(*small, f"{group}={name}", *more)
    assert len(job.key) == 16
    if group == "model":
        encoder = build(job.model)
        assert isinstance(encoder, Fingerprint if name == "ecfp" else Encoder)
        if job.model.source is not None:
            _load_from_mirror(encoder, job.model.source, env)
        elif job.model.checkpoint is not None:
            load_checkpoint(encoder, job.model.checkpoint, job.model.sha256)
    if group == "method":
        method = build(job.method)
        assert isinstance(method, Estimator if name in ESTIMATORS else Method)
    if group == "method" and name in METHODS:
        assert [stage.name for stage in method.stages()]
        grid = {key: value for key, value in job.method.grid.items() if value != "encoder_blocks"}
        assert len(method.candidates(grid, [])) >= 1
    if group == "split":
        assert isinstance(build(job.split), Splitter)
    if group == "dataset":
        places = _places(job, env)
        if places is None:
            return  # tests/data/test_published.py takes one of them out of its package
        table = read_table(job.dataset, places)
        assert len(table.smiles) == len(table.labels) > 0
        assert table.labels.shape == (job.dataset.rows or 3, job.dataset.num_tasks or 1)
        assert len(table.targets) == table.labels.shape[1]


def _places(job: Job, env: RunContext) -> Places | None:
    """Return where a data set is read from; None for one of a released package."""
    if not job.dataset.sources or "bundled" in job.dataset.sources:
        return env.places
    if is_package(job.dataset.sources[-1]):
        return None
    shared = ROOT.parent / "shared" / "data"
    if not shared.is_dir():
        pytest.skip(f"{shared} is missing")
    return Places(env.cache, shared, offline=True)


def _load_from_mirror(encoder: Encoder, source: Source, env: RunContext) -> None:
    """Load a published checkpoint; which ones the mirror has is tested with the cards."""
    places = Places(env.cache, ROOT.parent / "shared" / "checkpoints", offline=True)
    if present(source, places) is not None:
        load_published(encoder, source, places)


@pytest.mark.parametrize("name", but_whole(EXPERIMENTS, ["paper_main"]))
def test_every_value_that_an_experiment_sweeps_is_accepted(name: str) -> None:
    overrides = [f"experiment={name}", "model=tiny_gin", *(["split.fold=0"] if name in ("rivals", "study") else [])]
    plan, settings = planned(overrides)
    swept = {key: str(values).split(",") for key, values in settings.sweeper.params.items() if key != "model"}
    assert swept
    assert plan.combinations == math.prod(map(len, swept.values()))


@pytest.mark.parametrize(("group", "name"), NAMED)
def test_a_config_is_called_as_its_file_and_says_what_it_is(group: str, name: str) -> None:
    found = content(group, name)
    assert found["name"] == name
    if group != "train":
        assert len(found["summary"]) > 10


@pytest.mark.parametrize("name", [name for group, name in OPTIONS if group == "label_ratio"])
def test_a_label_ratio_is_called_as_its_file(name: str) -> None:
    assert _job("model=tiny_gin", f"label_ratio={name}")[0].label_ratio.name == name


def test_all_the_methods_datasets_and_splits_of_the_protocol_are_there() -> None:
    nine = {"full_ft", "lp", "surgical_ft", "lp_ft", "l2_sp", "wise_ft", "feature_map", "bss", "roftmol"}
    rivals = {"lines", "tpgm", "ftp", "spd", "mixout", "ema", "swa", "gtot", "gradual", "bitfit"}
    more = {"adapter", "lora", "gpf", "gpf_plus", "soup_uniform", "soup_greedy", "ensemble"}
    assert nine | rivals | more <= set(METHODS)
    names = {name for group, name in OPTIONS if group in ("dataset", "split", "label_ratio")}
    assert {"esol", "lipo", "malaria", "cep", "bbbp", "bace", "clintox", "hiv", "muv", "sider", "tox21"} <= names
    assert {"toxcast", "freesolv", "csv"} <= names
    assert {"random", "scaffold", "size", "random_scaffold", "full", "n50", "n100", "n500"} <= names


def test_the_default_job_is_that_of_the_protocol() -> None:
    job, env = _job()
    named = (job.method, job.dataset, job.split, job.label_ratio, job.train)
    assert [one.name for one in named] == ["roftmol", "esol", "scaffold", "full", "paper"]
    assert (job.seed, job.split.params["seed"], job.label_ratio.seed) == (0, 42, 42)
    assert job.split.params["fractions"] == [0.8, 0.1, 0.1]
    assert (job.train.epochs, job.train.batch_size, job.train.lr, job.train.weight_decay) == (100, 32, 1e-3, 0)
    assert (job.train.loss, job.train.standardize_targets, job.train.frozen_mode) == ("rmse", False, "eval")
    assert job.model.params == {"num_layers": 5, "dim": 300, "dropout": 0.5}
    assert (job.method.params["epochs"], job.method.params["constraint"]) == (200, "none")
    assert (job.method.params["buffers"], job.label_ratio.val_budget) == ("finetuned", "paper")
    assert not job.method.search
    assert not env.run.rerun


DELTAS = [1.0, 0.1, 0.01, 0.001, 0.0001]
GRIDS = {
    "full_ft": {},
    "lp": {},
    "lp_ft": {},
    "surgical_ft": {"block": "encoder_blocks"},
    "l2_sp": {"weight": DELTAS},
    "feature_map": {"weight": DELTAS},
    "bss": {"weight": DELTAS},
    "wise_ft": {"alpha": [0.1, 0.3, 0.5, 0.7, 0.9]},
    "roftmol": {"alpha": [0.5, 0.9], "lr": [1e-3, 1e-2]},
}


@pytest.mark.parametrize("method", GRIDS)
def test_grids_are_those_of_the_protocol(method: str) -> None:
    spec = _job("model=tiny_gin", f"method={method}")[0].method
    assert spec.grid == GRIDS[method]
    for name, choices in spec.grid.items():
        assert choices == "encoder_blocks" or spec.params[name] in choices  # what is not searched lies in the grid


def test_smoke_training_is_the_papers_but_shorter() -> None:
    paper, smoke = content("train", "paper"), content("train", "smoke")
    assert (smoke["epochs"], smoke["interpolation_epochs"]) == (3, 5)
    assert (paper["epochs"], paper["interpolation_epochs"]) == (100, 200)
    shorter = {"name", "epochs", "interpolation_epochs"}
    assert {key: smoke[key] for key in smoke.keys() - shorter} == {key: paper[key] for key in paper.keys() - shorter}
    assert _job("model=tiny_gin", "train=smoke")[0].method.params["epochs"] == 5


def test_the_smoke_experiment_is_all_nine_methods_on_two_data_sets() -> None:
    params = content("experiment", "smoke")["hydra"]["sweeper"]["params"]
    assert set(params["method"].split(",")) == set(GRIDS)
    assert params["dataset"] == "esol,bbbp"


PAPER = "esol,lipo,malaria,cep,bbbp,bace,clintox,hiv,muv,sider,tox21,toxcast"
SMALL = "esol,freesolv,lipo,bbbp,bace,clintox"
PRESETS = {
    "paper_main": {"dataset": PAPER, "split": "scaffold,random,size", "label_ratio": "n50,n100,n500,full"},
    "few_shot": {"dataset": SMALL, "split": "scaffold,random", "label_ratio": "n50,n100"},
    "label_curve": {"dataset": "esol,lipo,bbbp,bace", "label_ratio": "r05,r10,r25,r50,full"},
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_of_the_paper_is_all_nine_methods_and_five_seeds_on_what_it_says(name: str) -> None:
    params = dict(content("experiment", name)["hydra"]["sweeper"]["params"])
    assert set(params.pop("method").split(",")) == set(GRIDS)
    assert params.pop("seed") == "0,1,2,3,4"
    assert params.pop("method.search", "false") == ("true" if name == "paper_main" else "false")
    assert params == PRESETS[name]


def test_the_rivals_are_all_methods_that_train_a_network() -> None:
    networks = {name for name, values in options("method").items() if values["family"] != "estimator"}
    for preset in ("rivals", "study"):
        params = content("experiment", preset)["hydra"]["sweeper"]["params"]
        assert set(params["method"].split(",")) == networks


def test_the_seed_of_the_data_is_never_the_seed_of_the_fit() -> None:
    drawn = ("model=tiny_gin", "split=random", "label_ratio=n50")
    job, _ = _job(*drawn, "seed=7")
    other, _ = _job(*drawn, "split.seed=7")
    assert (job.seed, job.split.params["seed"], job.label_ratio.seed) == (7, 42, 42)
    assert (other.seed, other.split.params["seed"], other.label_ratio.seed) == (0, 7, 7)


def test_classification_gets_its_own_loss_and_metric() -> None:
    job, _ = _job("model=tiny_gin", "dataset=bbbp")
    assert (job.train.loss, job.dataset.metric) == ("bce", "roc_auc")


def test_every_file_of_the_config_folder_is_a_config() -> None:
    strange = [path for path in (ROOT / "conf").rglob("*") if path.is_file() and path.suffix != ".yaml"]
    assert strange == []
    assert [path for path in (ROOT / "conf").glob("*.yaml") if path != Path(ROOT / "conf" / "config.yaml")] == []
