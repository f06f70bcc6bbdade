"""All methods of conf/method, on real molecules: their records, what they may look at, and what they leave alone."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import METHODS, NINE, ROOT, Lab, molecules, moved, numbers, primary, write_csv
from whole import but_whole

from roftbench.methods.base import Stage
from roftbench.methods.lp_ft import LPFT
from roftbench.models.encoder import State, copy_state
from roftbench.store.record_schema import SCHEMA, BaseResult, CandidateResult, PartScores, Record, plain
from roftbench.store.tensors import read_tensors

DELTAS = [1, 0.1, 0.01, 0.001, 0.0001]
GRIDS: dict[str, dict[str, list[Any]]] = {  # docs/protocol.md, Methods
    "full_ft": {},
    "lp": {},
    "surgical_ft": {"block": ["embed", "layer0", "layer1"]},
    "lp_ft": {},
    "l2_sp": {"weight": DELTAS},
    "wise_ft": {"alpha": [0.1, 0.3, 0.5, 0.7, 0.9]},
    "feature_map": {"weight": DELTAS},
    "bss": {"weight": DELTAS},
    "roftmol": {"alpha": [0.5, 0.9], "lr": [0.001, 0.01]},
}
LATER: dict[str, dict[str, list[Any]]] = {
    "lines": {"alpha": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]},
    "tpgm": {"lr": [0.001, 0.01, 0.1]},
    "ftp": {"k": [0.0, 0.5, 1.0]},
    "spd": {"weight": [0.5, 1.0, 2.0]},
    "mixout": {"p": [0.1, 0.3, 0.5, 0.7, 0.9]},
    "ema": {"decay": [0.9, 0.99, 0.999]},
    "swa": {"start": [0.25, 0.5, 0.75]},
    "gtot": {"weight": [10.0, 1.0, 0.1, 0.01, 0.001]},
    "bitfit": {"trained": ["biases", "norms", "both"]},
    "gradual": {"unfreeze_every": [1, 5, 10]},
    "adapter": {"rank": [5, 15, 45]},
    "lora": {"rank": [2, 8, 32]},
    "gpf": {},
    "gpf_plus": {"prompts": [5, 10, 20]},
    "soup_uniform": {"of": ["l2_sp", "feature_map", "bss", "lr"]},
    "soup_greedy": {"of": ["l2_sp", "feature_map", "bss", "lr"]},
    "ensemble": {},
}
SCORES = {
    "esol": {"rmse", "mae", "r2", "spearman", "pearson", "kendall"},
    "bbbp": {"roc_auc", "average_precision", "brier", "mcc", "balanced_accuracy"},
}
ON_VALIDATION = {"roftmol", "tpgm"}
OF_SEVERAL = {"soup_uniform", "soup_greedy", "ensemble"}  # fits
NEED_LAYERS = {"adapter", "gpf", "gpf_plus"}


def test_the_nine_methods_are_there() -> None:
    assert set(METHODS) >= GRIDS.keys()


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
@pytest.mark.parametrize("method", METHODS)
def test_a_job_with_each_method_gives_a_whole_record(lab: Lab, method: str, dataset: str) -> None:
    outcome = lab.run(f"method={method}", f"dataset={dataset}")
    assert outcome.status == "done", outcome.record
    job = lab.job(f"method={method}", f"dataset={dataset}")[0]
    path = lab.store.record_path(job.key)
    record = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)  # NaN is no JSON
    assert len(record.pop("digest")) == 64
    assert list(record) == list(plain(outcome.record))
    assert record == plain(outcome.record)
    record = outcome.record
    assert (record.schema, record.key, record.status) == (SCHEMA, job.key, "done")
    assert record.job == job.identity()
    for part in ("train", "val", "test"):
        assert getattr(record.scores, part).keys() == SCORES[dataset]
        assert all(math.isfinite(value) for value in getattr(record.scores, part).values())
    _check_history(record)
    _check_counts(record, method)
    (candidate,) = record.candidates
    assert candidate.params == record.chosen == job.method.params
    assert _val_and_test(candidate) == _val_and_test(record.scores)
    assert all(value >= 0 for value in record.seconds.values())
    assert record.seconds.keys() - {"total"}
    assert {"roftbench", "commit", "python", "torch", "rdkit", "numpy", "device"} <= record.env.keys()
    assert record.peak_memory_mb > 1
    assert len(record.data.split_sha256) == 64
    predictions = record.test_predictions
    assert len(predictions.row) == len(predictions.prediction) == record.count.graphs.test


def _val_and_test(scores: PartScores | CandidateResult) -> list[Any]:
    return [scores.val, scores.test]


def _check_history(record: Record) -> None:
    metric = record.metric
    if record.name("method") in OF_SEVERAL:  # tests/methods/test_members.py
        assert [stage.name for stage in record.stages] == [f"ft {number}" for number in range(1, 6)]
        return
    stages = list(dict.fromkeys(row.stage for row in record.history))
    assert stages in (["ft"], ["lp"], ["lp", "ft"])
    for stage in stages:
        rows = [row for row in record.history if row.stage == stage]
        assert [row.epoch for row in rows] == [1, 2, 3]
        assert all(math.isfinite(row.train_loss) for row in rows)
    last = [row.val_score for row in record.history if row.stage == stages[-1]]
    best = max(last) if metric == "roc_auc" else min(last)
    fitted = record.base or BaseResult(record.name("method"), record.scores.val, record.scores.test, record.best_epoch)
    if record.name("method") == "swa":  # has its mean from the third epoch on
        best = last[2]
    assert fitted.val[metric] == best
    assert fitted.best_epoch == last.index(best) + 1


def _check_counts(record: Record, method: str) -> None:
    count = record.count
    graphs, labels = count.graphs, count.labels
    assert graphs.train == labels.weights == 50
    assert graphs.val == labels.selection
    assert graphs.test == labels.test
    assert labels.interpolation == (labels.selection if method in ON_VALIDATION else 0)
    assert record.data.kept + len(record.data.dropped) == record.data.rows


@pytest.mark.parametrize("method", METHODS)
def test_a_search_tries_the_whole_grid_and_chooses_by_validation(lab: Lab, method: str) -> None:
    if not (grid := {**GRIDS, **LATER}[method]):
        assert lab.job(f"method={method}")[0].method.grid == {}
        return
    job, _ = lab.job(f"method={method}", "method.search=true")
    if method != "surgical_ft":
        assert job.method.grid == grid
    record = lab.done(f"method={method}", "method.search=true")
    names = list(grid)
    tried = [tuple(one.params[name] for name in names) for one in record.candidates]
    expected = [()]
    for values in grid.values():
        expected = [(*head, value) for head in expected for value in values]
    assert tried == expected
    scores = [one.val["rmse"] for one in record.candidates]
    best = record.candidates[scores.index(min(scores))]
    assert record.chosen == best.params
    assert _val_and_test(record.scores) == _val_and_test(best)
    assert record.best_epoch == best.best_epoch
    assert all(math.isfinite(getattr(one, part)["rmse"]) for one in record.candidates for part in ("val", "test"))


@pytest.mark.parametrize("method", ["surgical_ft", "bss", "roftmol"])
def test_a_candidate_is_the_job_that_has_its_parameters(lab: Lab, method: str) -> None:
    """Nothing of one candidate reaches the next: the last one's scores are those of a job of its own."""
    last = lab.done(f"method={method}", "method.search=true", "train.lr=0.01").candidates[-1]
    given = [f"method.{name}={value}" for name, value in last.params.items()]
    alone = lab.elsewhere("alone").done(f"method={method}", "train.lr=0.01", *given)
    assert _val_and_test(alone.scores) == _val_and_test(last)


def own_table(path: Path) -> tuple[str, ...]:
    return ("dataset=csv", "dataset.name=mine", f"dataset.path={path}", "split=random", "label_ratio=full")


@pytest.fixture
def honest(lab: Lab, tmp_path: Path) -> tuple[Path, list[str], list[float], list[int]]:
    """A table of 120 molecules of ESOL, its columns, and its test rows."""
    smiles, labels = molecules("esol", lab.job()[0], 120)
    path = write_csv(tmp_path / "honest.csv", {"smiles": smiles, "y": labels})
    test = lab.experiment(*own_table(path)).parts.test.tolist()
    assert len(test) == 12
    return path, smiles, labels, test


@pytest.mark.parametrize("method", but_whole(METHODS, {*METHODS} - {*NINE, "tpgm", "soup_greedy"}))
def test_test_labels_decide_nothing_but_the_test_score(lab: Lab, honest: Any, method: str) -> None:
    path, smiles, labels, test = honest
    search = "true" if lab.job(f"method={method}")[0].method.grid else "false"
    given = (f"method={method}", f"method.search={search}", "train.lr=0.01")
    wrong = [label + 7 * (row in test) for row, label in enumerate(labels)]
    other = write_csv(path.with_name("wrong.csv"), {"smiles": smiles, "y": wrong})
    before, after = (lab.done(*given, *own_table(table)) for table in (path, other))
    assert before.key != after.key
    for field in ("chosen", "history", "best_epoch", "details", "test_predictions"):
        assert getattr(before, field) == getattr(after, field), field
    assert before.scores.val == after.scores.val
    assert [one.val for one in before.candidates] == [one.val for one in after.candidates]
    assert before.scores.test["rmse"] != after.scores.test["rmse"]


def test_a_candidate_that_diverges_is_the_worst_and_costs_the_others_nothing(lab: Lab) -> None:
    record = lab.done("method=roftmol", "method.search=true", "method.grid.lr=[1e30,0.01]", "method.grid.alpha=[0.5]")
    lost, good = record.candidates
    assert lost.val.keys() == lost.test.keys() == good.val.keys()
    assert {*lost.val.values(), *lost.test.values(), lost.best_epoch} == {None}
    assert "the validation loss is nan" in lost.error
    assert (record.chosen["lr"], record.scores.val) == (0.01, good.val)
    [warning] = [text for text in record.warnings if text.startswith("candidate ")]
    assert warning == f"candidate {{'alpha': 0.5, 'lr': 1e+30}}: {lost.error}"
    alone = lab.done("method=roftmol", "method.lr=0.01", "method.alpha=0.5")
    assert alone.scores == record.scores
    assert alone.warnings == [text for text in record.warnings if text != warning]
    assert lab.store.get(record.key) == record


def test_where_every_candidate_diverges_the_job_fails_with_the_first_reason(lab: Lab) -> None:
    failed = lab.run("method=bss", "method.search=true", "train.lr=1e30", "method.grid.weight=[0.1,1]")
    assert failed.status == "failed"
    assert failed.record.error.startswith("none of 2 candidates can be used. The first: training diverged: ")
    single = lab.run("method=bss", "train.lr=1e30")
    assert single.record.error.startswith("training diverged: ")
    assert single.record.traceback is None


def test_a_search_does_not_take_the_candidate_that_is_best_on_the_test_part(lab: Lab, honest: Any) -> None:
    """The test labels are made what another candidate predicts: a perfect test score must not win."""
    path, smiles, labels, test = honest
    search = ("method=surgical_ft", "method.search=true", "train.lr=0.01")
    chosen = lab.done(*search, *own_table(path)).chosen
    rival = next(block for block in ("layer1", "layer0") if block != chosen["block"])
    perfect = lab.done("method=surgical_ft", f"method.block={rival}", "train.lr=0.01", *own_table(path))
    predicted = perfect.test_predictions
    assert predicted.row == test
    for row, (value,) in zip(predicted.row, predicted.prediction, strict=True):
        labels[row] = value
    tempting = write_csv(path.with_name("tempting.csv"), {"smiles": smiles, "y": labels})
    record = lab.done(*search, *own_table(tempting))
    test_scores = {one.params["block"]: one.test["rmse"] for one in record.candidates}
    assert min(test_scores, key=lambda block: test_scores[block]) == rival
    assert test_scores[rival] < 1e-5
    assert record.chosen == chosen


def ends(lab: Lab, method: str, *overrides: str) -> tuple[State, State, set[str]]:
    """Return the weights a method starts from and those it ends with, and the buffers' keys."""
    experiment = lab.experiment(f"method={method}", "train.lr=0.01", *overrides)
    experiment.work()
    return experiment.start.state, copy_state(experiment.model), {name for name, _ in experiment.model.named_buffers()}


EVERY_BLOCK = frozenset(["embed", "layer0", "layer1", "head"])
MOVE_ALL = (
    *("full_ft", "lp_ft", "l2_sp", "wise_ft", "feature_map", "bss", "roftmol"),
    *("lines", "spd", "ema", "swa", "ftp", "gtot", "mixout"),
)
MOVES = {**dict.fromkeys(MOVE_ALL, EVERY_BLOCK), "lp": {"head"}, "surgical_ft": {"layer0", "head"}}


@pytest.mark.parametrize("method", MOVES)
def test_a_method_moves_its_blocks_whole_and_no_others(lab: Lab, method: str) -> None:
    start, end, _ = ends(lab, method)
    block_of = lab.experiment().model.keys_of_blocks()
    assert moved(start, end) == {key for key, block in block_of.items() if block in MOVES[method]}


def test_lp_ft_fine_tunes_from_the_best_head(lab: Lab) -> None:
    """With no step in its second stage its weights are those of linear probing, at the best epoch."""

    class Standing(LPFT):
        def stages(self) -> list[Stage]:
            return [super().stages()[0], Stage("ft", lr=1e-30)]

    probed = lab.done("method=lp", "train.lr=0.03", "model.dropout=0")
    (stage,) = lab.stages()
    head = {key: value for key, value in read_tensors(stage)[0].items() if key.startswith("head.")}
    experiment = lab.experiment("method=lp_ft", "train.lr=0.03", "model.dropout=0")
    experiment.method = Standing()
    record = experiment.work()
    assert record.seconds.keys() == {"lp (reused)", "ft"}
    assert record.history[:3] == probed.history
    for key, weight in experiment.model.named_parameters():
        expected = head[key] if key in head else experiment.start.state[key]
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-25)


def test_lp_ft_ends_elsewhere_than_full_fine_tuning(lab: Lab) -> None:
    """Its fine-tuning starts from another head and has random numbers of its own."""
    lp_ft = lab.done("method=lp_ft")
    full = lab.done("method=full_ft")
    assert [row.stage for row in lp_ft.history] == ["lp"] * 3 + ["ft"] * 3
    assert lp_ft.history[3].train_loss != full.history[0].train_loss
    assert len(lab.stages()) == 3


@pytest.mark.parametrize("kind", ["gcn", "graphsage", "gat"])
@pytest.mark.parametrize("method", NINE)
def test_the_nine_work_with_the_other_encoders_of_hu_et_al(lab: Lab, kind: str, method: str) -> None:
    """The others: tests/methods/test_every_encoder.py."""
    small = ("model.checkpoint=null", "model.num_layers=2", "model.dim=16", "train.epochs=1")
    record = lab.done(f"method={method}", f"model={kind}", *small, "train.interpolation_epochs=1")
    assert math.isfinite(primary(record, "test"))
    blocks = ["embed", "layer0", "layer1"]
    assert list(record.details.get("alpha", blocks)) == blocks


BAG = '''
import torch
import torch.nn.functional as F
from torch import nn
from roftbench.models.encoder import Encoder, Nodes

class Bag(Encoder):
    """Atoms without bonds: no batch norm, other block names, two dropouts, max pooling."""

    def __init__(self, dim: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.dim, self.dropout = dim, dropout
        self.atoms = nn.Embedding(120, dim)
        self.mix = nn.Linear(dim, dim)
        self.drop = nn.Dropout(dropout)

    def blocks(self):
        return {"atoms": self.atoms, "mix": self.mix}

    def forward(self, batch):
        h = F.dropout(self.atoms(batch.x[:, 0]), self.dropout, training=self.training)
        h = self.drop(F.relu(self.mix(h)))
        return Nodes(out=h, features=h)

    def readout(self, out, batch):
        return torch.segment_reduce(out, "max", offsets=batch.node_ptr, axis=0)
'''


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Overrides that choose an encoder from a user's own file and config folder."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "bag_encoder.py").write_text(BAG, encoding="utf-8")
    (folder / "conf" / "model").mkdir(parents=True)
    content = "name: bag\n_target_: bag_encoder.Bag\ndim: 8\ndropout: 0.2\n"
    (folder / "conf" / "model" / "bag.yaml").write_text(content, encoding="utf-8")
    return ("model=bag", f"--config-dir={folder / 'conf'}", f"plugins=[{folder / 'bag_encoder.py'}]")


@pytest.mark.parametrize("method", METHODS)
def test_a_new_encoder_works_with_every_method(lab: Lab, bag: tuple[str, ...], method: str) -> None:
    more = ("method.block=mix",) if method == "surgical_ft" else ()
    if method in {"lines", *NEED_LAYERS}:
        outcome = lab.run(f"method={method}", *bag)
        assert outcome.status == "skipped"
        assert ("names no layers" if method in NEED_LAYERS else "has atoms, mix") in outcome.record.error
        return
    record = lab.done(f"method={method}", *bag, *more)
    assert record.job["model"]["name"] == "bag"
    assert math.isfinite(primary(record, "test"))
    if method in ("wise_ft", "roftmol"):
        assert list(record.details["alpha"]) == ["atoms", "mix"]


def test_a_new_encoders_blocks_are_the_surgical_grid(lab: Lab, bag: tuple[str, ...]) -> None:
    record = lab.done("method=surgical_ft", "method.search=true", *bag)
    assert [one.params["block"] for one in record.candidates] == ["atoms", "mix"]
    skipped = lab.run("method=surgical_ft", *bag)  # layer0 is no block here
    assert skipped.status == "skipped"
    assert "no block 'layer0'" in skipped.record.error


def test_a_new_encoders_cached_probing_is_repeatable(lab: Lab, bag: tuple[str, ...]) -> None:
    """Its dropout outside the blocks is silent while it is frozen, in whatever order jobs come."""
    first = lab.done("method=lp", *bag)
    other = lab.elsewhere("other")
    other.done("method=full_ft", *bag)
    assert numbers(other.done("method=lp", *bag)) == numbers(first)


@pytest.mark.parametrize("method", METHODS)
def test_a_config_names_its_file_and_its_class(lab: Lab, method: str) -> None:
    spec = lab.job(f"method={method}")[0].method
    assert spec.name == method
    assert spec.target.startswith(f"roftbench.methods.{method}.")
    assert (ROOT / "src" / "roftbench" / "methods" / f"{method}.py").is_file()
