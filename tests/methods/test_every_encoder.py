"""Every method beside the nine with every family of encoders: it trains and scores, or is skipped with a reason."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from encoders import forty
from lab import METHODS, NINE, Lab
from whole import but_whole

from roftbench.store.record_schema import Failure, Record

_SIZES = ("model.checkpoint=null", "model.num_layers=2", "model.dim=16")
_PYG = ("model=pyg", "model.width=8")
RIVALS = [method for method in METHODS if method not in NINE]
MORE = {
    "ensemble": ("method.size=2",),
    "gradual": ("method.unfreeze_every=1", "train.epochs=2"),
    "gtot": ("method.iterations=5",),
    "tpgm": ("method.iterations=2",),
}
BLOCKS = {
    "chemprop": ["W_i", "W_h", "W_o"], "pyg": ["embed", "layer0", "layer1"],
    **{key: ["embed", "layer0", "layer1"] for key in ("gin", "gcn", "graphsage", "gat", "minimol")},
}  # fmt: skip
ENCODERS: Mapping[str, tuple[str, ...]] = {
    "gin": ("model=gin", *_SIZES),
    "gcn": ("model=gcn", *_SIZES),
    "graphsage": ("model=graphsage", *_SIZES),
    "gat": ("model=gat", *_SIZES),
    "minimol": ("model=minimol", *_SIZES, "model.hidden=8", "model.node_dim=8", "model.edge_dim=8"),
    "chemprop": ("model=chemprop", "model.checkpoint=null", "model.dim=16"),
    "pyg": (
        *_PYG,
        "model.module=torch_geometric.nn.models.GIN",
        "++model.kwargs={hidden_channels: 8, num_layers: 2, norm: batch}",
    ),
}
NO_LAYERS = "DMPNN names no layers"
SKIPPED = {  # reasons of the pairs that make no sense
    **{("chemprop", method): NO_LAYERS for method in ("adapter", "gpf", "gpf_plus")},
    ("chemprop", "lines"): "layer0",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Lab:
    """One results folder for all pairs, so that methods share their stages."""
    return Lab(tmp_path_factory.mktemp("every") / "results", cache)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forty(tmp_path_factory.mktemp("table"))


@pytest.mark.parametrize("method", RIVALS)
@pytest.mark.parametrize("encoder", but_whole(ENCODERS, ("gcn", "graphsage", "gat")))
def test_method_trains_with_encoder_or_is_skipped_with_a_reason(
    lab: Lab, table: Path, encoder: str, method: str
) -> None:
    data = ("dataset=csv", f"dataset.path={table}", "split=random", "label_ratio=full")
    short = ("train.epochs=1", "train.interpolation_epochs=1", "train.lr=0.01")
    record = lab.run(*ENCODERS[encoder], *data, *short, f"method={method}", *MORE.get(method, ())).record
    if reason := SKIPPED.get((encoder, method)):
        assert isinstance(record, Failure), record
        assert (record.status, reason in record.error) == ("skipped", True), record.error
        return
    assert isinstance(record, Record), record
    assert all(value is not None and math.isfinite(value) for value in record.scores.test.values())
    assert record.trained_parameters
    [candidate] = record.candidates
    if method == "ensemble":
        assert not isinstance(candidate.parameter_shift, dict)  # its members start from other random weights
        return
    assert list(candidate.parameter_shift) == BLOCKS[encoder]
    moved = any(candidate.parameter_shift.values())
    assert moved != (method in ("gpf", "gpf_plus")), candidate.parameter_shift
    least = 0 if max(candidate.parameter_shift.values()) > 1e-6 else -1  # below, the shift is lost in rounding
    assert least < candidate.feature_shift <= 1
