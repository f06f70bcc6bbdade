"""On a GPU: every method runs, repeats itself bit for bit, and scores what it scores on a CPU; no step waits for it."""

import pytest
import torch
from lab import METHODS, Lab, numbers, primary

import roftbench
from roftbench.config.job import FLOAT32
from roftbench.methods.adam import Adam
from roftbench.methods.base import Method
from roftbench.methods.feature_map import FeatureMap
from roftbench.models.gin import GIN
from roftbench.runner import training
from roftbench.runner.cuda_graph import GraphedCallable
from roftbench.runner.modes import Modes
from roftbench.runner.passes import FullPass
from roftbench.runner.training import shuffled_batches, train_step

CUDA = "run.device=cuda:0"
MODELS = {
    "gin": ["model=gin_descriptors"],
    **{name: [f"model={name}", "model.checkpoint=null"] for name in ("gcn", "graphsage", "gat", "graphgps", "minimol")},
}
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def repeats(lab: Lab, *words: str) -> None:
    """Run a job in two empty results folders: everything but times must be equal."""
    first, second = (
        numbers(lab.elsewhere(name).done(CUDA, "method.search=false", *words)) for name in ("first", "second")
    )
    assert first == second


@pytest.mark.parametrize("dataset", ["esol", "bbbp"])
@pytest.mark.parametrize("method", METHODS)
def test_a_job_repeats_itself_bit_for_bit(lab: Lab, method: str, dataset: str) -> None:
    repeats(lab, f"method={method}", "model=gin_masking", f"dataset={dataset}")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", ["lp_ft", "feature_map", "roftmol"])
def test_every_architecture_repeats_itself(lab: Lab, method: str, model: str) -> None:
    repeats(lab, f"method={method}", *MODELS[model])


@pytest.mark.parametrize("method", METHODS)
def test_replaying_what_is_the_same_changes_no_number(lab: Lab, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (CUDA, f"method={method}", "method.search=false", "model=gin_masking", "train.epochs=4")
    replays = 0
    replay = torch.cuda.CUDAGraph.replay

    def counting(graph: torch.cuda.CUDAGraph) -> None:
        nonlocal replays
        replays += 1
        replay(graph)

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", counting)
    replayed = numbers(lab.done(*words))
    assert replays >= (0 if method == "lp" else 3)
    monkeypatch.setattr(GIN, "sync_free", False)
    assert numbers(lab.elsewhere("called").done(*words)) == replayed


def test_linear_probing_scores_what_it_scores_on_a_cpu(lab: Lab) -> None:
    words = ("method=lp", "model=gin_masking", "dataset=bbbp", "train.epochs=30")
    here, there = (lab.elsewhere(device[-6:]).done(*words, device) for device in ("run.device=cpu", CUDA))
    for part in ("val", "test"):
        assert primary(there, part) == pytest.approx(primary(here, part), abs=2e-3)
    assert there.env["device"] == torch.cuda.get_device_name()


def test_a_model_kept_there_predicts_there_and_elsewhere_what_its_record_says(lab: Lab) -> None:
    record = lab.done(CUDA, "method=roftmol", "model=gin_masking", "run.keep=true")
    experiment = lab.experiment("method=roftmol", "model=gin_masking")
    smiles = [experiment.dataset.smiles[i] for i in experiment.parts.test]
    expected = [row[0] for row in record.test_predictions.prediction]
    for device in ("cuda:0", "cpu"):
        found = roftbench.load(lab.store.model_path(record.key), device=device).predict(smiles)
        assert found.iloc[:, 1].to_numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("model", [name for name in MODELS if name != "graphgps"])  # it pads to the largest graph
@pytest.mark.parametrize(
    ("last", "method"), [(0, Method()), (2, Method()), (0, FeatureMap())], ids=["all", "last block", "feature map"]
)
def test_no_step_waits_for_the_gpu(lab: Lab, model: str, last: int, method: Method) -> None:
    experiment = lab.experiment(CUDA, "method=full_ft", "label_ratio=n100", *MODELS[model])
    modes = Modes(experiment.model, list(experiment.model.blocks())[-last:], "eval")
    view = FullPass(modes, experiment.objective, experiment.start, method)
    view.train()
    optimizer, device = Adam(experiment.model.parameters(), 1e-3, fused=True), torch.device("cuda")
    steps = view.losses(shuffled_batches(experiment.objective.train, 32))
    train_step(next(steps), optimizer, FLOAT32, device, 10.0)  # gathers the batches, and makes what is made once
    torch.cuda.set_sync_debug_mode("error")
    try:
        for work_out in steps:
            train_step(work_out, optimizer, FLOAT32, device, 10.0)  # clipping, too
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_sync_in_a_sync_free_encoder_fails_with_advice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "is_sync_free", lambda encoder: True)  # GraphGPS asks for the largest graph
    outcome = lab.run(CUDA, "method=full_ft", *MODELS["graphgps"])
    assert outcome.status == "failed"
    assert "sync_free = True" in outcome.record.error
    assert lab.done(CUDA, "method=full_ft", "model=gin_masking")


class Counter:
    """Work that adds 1 to a tensor, and counts its calls."""

    def __init__(self) -> None:
        self.total, self.calls = torch.zeros((), device="cuda"), 0

    def __call__(self) -> torch.Tensor:
        self.calls += 1
        self.total += 1
        return self.total * 2


@pytest.mark.parametrize(("recorded", "calls"), [(True, 2), (False, 5)])  # once as ever, once to record it
def test_what_is_replayed_is_done_each_time(recorded: bool, calls: int) -> None:
    work = Counter()
    again = GraphedCallable(work, torch.device("cuda"), recorded=recorded)
    assert [again().item() for _ in range(5)] == [2, 4, 6, 8, 10]
    assert work.calls == calls
