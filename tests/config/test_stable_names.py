"""A class that moves or is renamed keeps its name in keys and records."""

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest
from lab import Lab

from roftbench.config.components import build
from roftbench.config.plugins import import_name
from roftbench.config.registry import options
from roftbench.config.stable_names import MOVED, name_of, present_path, stable_name
from roftbench.methods.bss import BSS
from roftbench.runner.stages import needed

RELEASED = {  # the names that keys and records hold: never change a line, add new ones
    "method": {
        "bitfit": "roftbench.methods.bitfit.BitFit",
        "bss": "roftbench.methods.bss.BSS",
        "ema": "roftbench.methods.ema.EMA",
        "feature_map": "roftbench.methods.feature_map.FeatureMap",
        "ftp": "roftbench.methods.ftp.FTP",
        "full_ft": "roftbench.methods.full_ft.FullFT",
        "gp": "roftbench.methods.gaussian_process.GaussianProcess",
        "gradual": "roftbench.methods.gradual.Gradual",
        "gtot": "roftbench.methods.gtot.GTOT",
        "knn": "roftbench.methods.knn.NearestNeighbors",
        "l2_sp": "roftbench.methods.l2_sp.L2SP",
        "lines": "roftbench.methods.lines.LiNeS",
        "lp": "roftbench.methods.lp.LinearProbing",
        "lp_ft": "roftbench.methods.lp_ft.LPFT",
        "mean": "roftbench.methods.mean.Mean",
        "mixout": "roftbench.methods.mixout.Mixout",
        "pls": "roftbench.methods.pls.PLS",
        "random_forest": "roftbench.methods.random_forest.RandomForest",
        "ridge": "roftbench.methods.ridge.Ridge",
        "roftmol": "roftbench.methods.roftmol.ROFTMol",
        "spd": "roftbench.methods.spd.SPD",
        "surgical_ft": "roftbench.methods.surgical_ft.SurgicalFT",
        "swa": "roftbench.methods.swa.SWA",
        "tpgm": "roftbench.methods.tpgm.TPGM",
        "wise_ft": "roftbench.methods.wise_ft.WiSEFT",
    },
    "split": {
        "auto": "roftbench.data.predefined.AutoSplit",
        "butina": "roftbench.data.cluster_splits.ButinaSplit",
        "column": "roftbench.data.predefined.ColumnSplit",
        "cv": "roftbench.data.cross_validation.CrossValidation",
        "cv5x5": "roftbench.data.cross_validation.CrossValidation",
        "file": "roftbench.data.predefined.FileSplit",
        "kmeans": "roftbench.data.cluster_splits.KMeansSplit",
        "random": "roftbench.data.split.RandomSplit",
        "random_scaffold": "roftbench.data.split.RandomScaffoldSplit",
        "scaffold": "roftbench.data.split.ScaffoldSplit",
        "similarity": "roftbench.data.cluster_splits.SimilaritySplit",
        "size": "roftbench.data.split.SizeSplit",
        "time": "roftbench.data.cluster_splits.TimeSplit",
    },
}
ENCODERS = {  # the same of models, many of which share an encoder
    "roftbench.models.ecfp.ECFP",
    "roftbench.models.gat.GAT",
    "roftbench.models.gcn.GCN",
    "roftbench.models.gin.GIN",
    "roftbench.models.graphgps.GraphGPS",
    "roftbench.models.graphium.Graphium",
    "roftbench.models.graphsage.GraphSAGE",
    "roftbench.models.minimol.MiniMol",
    "roftbench.models.moleculestm.MoleculeSTM",
    "roftbench.models.pyg.PyG",
}


@dataclass(frozen=True)
class Renamed(BSS):
    """A class of the package that lies elsewhere than when it was released."""


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> str:
    """Move the class of BSS to another module and name; returns the new path."""
    module = ModuleType("roftbench.methods.renamed")
    monkeypatch.setattr(Renamed, "__module__", module.__name__)
    monkeypatch.setattr(module, "Renamed", Renamed, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(MOVED, "roftbench.methods.renamed.Renamed", "roftbench.methods.bss.BSS")
    return "roftbench.methods.renamed.Renamed"


@pytest.mark.parametrize("group", RELEASED)
def test_shipped_components_have_their_released_names(group: str) -> None:
    assert {name: stable_name(content["_target_"]) for name, content in options(group).items()} == RELEASED[group]


def test_shipped_encoders_have_their_released_names() -> None:
    assert {stable_name(content["_target_"]) for content in options("model").values()} == ENCODERS


def test_each_moved_class_is_importable_and_its_name_is_unique() -> None:
    assert all(name_of(import_name(path)) == stable for path, stable in MOVED.items())
    assert len(set(MOVED.values())) == len(MOVED)


def test_a_moved_class_changes_no_key(lab: Lab, moved: str) -> None:
    before, _ = lab.job("method=bss")
    after, _ = lab.job("method=bss", f"method._target_={moved}")
    assert after.method.target == moved
    assert after.key == before.key
    keys = [[one.key for one in needed(job, build(job.method), "cpu")] for job in (before, after)]
    assert keys[0] == keys[1]


def test_a_record_names_a_moved_class_that_is_found_again(lab: Lab, moved: str) -> None:
    record = lab.done("method=bss", "run.keep=true")
    released = record.job["method"]["target"]
    assert present_path(released) == moved
    assert import_name(present_path(released)) is Renamed
