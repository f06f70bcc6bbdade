"""A job with a network at work: model and weights loaded, stages fitted or taken from the store."""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from msgspec import convert
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from roftbench.config.components import build
from roftbench.config.environment import RunContext, check_device
from roftbench.config.job import NETWORK, Job, derive_seed
from roftbench.config.schema import naming_params
from roftbench.console import JobProgress, bar, say
from roftbench.errors import UsageError
from roftbench.methods.base import Finished, Fitted, Method, Stage
from roftbench.models.checkpoints import load_checkpoint, load_published
from roftbench.models.config import PRETRAINING
from roftbench.models.encoder import HEAD, Encoder, Predictor, State
from roftbench.models.statistics import DifferentiableStatistics
from roftbench.runner import provenance as records
from roftbench.runner.converged_head import PENALTIES, fit_converged
from roftbench.runner.cuda_graph import GraphedCallable
from roftbench.runner.experiment import DEFAULT_THREADS, Experiment, FitResult
from roftbench.runner.objective import too_close
from roftbench.runner.pretrained import Start
from roftbench.runner.stages import FINISH, Needed, needed, stages_of
from roftbench.runner.training import Fit, fit_stage, seeded
from roftbench.store.record_schema import BaseResult, Epoch, StageResult, plain
from roftbench.store.tensors import Entry

FIT = ("best_epoch", "best_score", "history", "seconds", "info")  # what is kept beside a stage's weights


class NetworkExperiment(Experiment):
    """A network at work: the model on the device, its stages, and what a method finishes with."""

    method: Method
    not_finite = (
        "training diverged: the fitted model's predictions are not all finite numbers."
        " Lower train.lr ({job.train.lr:g}) or the method's weight, or check the labels' range."
    )
    selects = True  # the best epoch

    def __init__(self, job: Job, env: RunContext) -> None:
        super().__init__(job, env, choose_device(env.run.device))
        if not job.train.standardize_targets and (words := too_close(self.dataset.y)):
            raise UsageError(words)
        self.model = self._build_model()
        self.start = Start(self.model, self.objective)
        self.progress = JobProgress(str(job.dataset.metric))
        self._at_hand: set[str] = set()  # keys of the stages that this job has fitted or loaded

    def _build_model(self) -> Predictor:
        """Return encoder and head; random weights follow from the job's seed alone."""
        cpu = torch.device("cpu")
        encoder = pretrained(self.job, self.env)
        try:  # a wrong encoder is told so before any training
            with seeded(derive_seed(self.job.seed, "head"), cpu):
                model = Predictor(encoder, self.objective.num_tasks)
            model.keys_of_blocks()
        except ValueError as error:
            raise UsageError(f"model {self.job.model.name}: {error}") from None
        return model.to(self.device)

    def words(self) -> dict[str, str]:
        """Say how many parameters each stage trains, of how many, and how."""
        spec, blocks = self.job.model, self.model.blocks()
        total = sum(parameter.numel() for parameter in self.model.parameters())
        texts = []
        for stage in stages_of(self.method):
            names = [name for name in stage.blocks or blocks if name in blocks]
            trained = sum(parameter.numel() for name in names for parameter in blocks[name].parameters())
            texts.append(f"{stage.name} trains {trained:,}")
        return {
            "model": f"{spec.name} (pretraining: {PRETRAINING[spec.pretraining]}),"
            f" {'; '.join(texts)} of {total:,} parameters",
            "training": self._training(),
        }

    def _training(self) -> str:
        """Describe the training: that of a converged head, or of stages with epochs."""
        settings = self.job.train
        if all(stage.converged for stage in stages_of(self.method)):
            kind = "ridge" if self.objective.task == "regression" else "logistic"
            return f"{kind} regression to its optimum, one of {len(PENALTIES)} penalties by validation score"
        clipped = "" if settings.clip_value is None else f", gradients clipped at {settings.clip_value:g}"
        return (
            f"{settings.epochs} epochs a stage, batch {settings.batch_size}, Adam {settings.lr:g},"
            f" loss {settings.loss}{clipped}"
        )

    def candidates(self) -> list[Method]:
        """Return the methods to try: the grid's, or the one that was asked for."""
        if not self.job.method.search:
            return [self.method]
        return self.method.candidates(self.job.method.grid, list(self.model.encoder.blocks()))

    def fit(self, method: Method) -> FitResult:
        """Fit the stages of a candidate and let it finish; what came out is a state dict."""
        self.model.load_state_dict(self.start.state)
        stages = needed(self.job, method, self.device.type)
        learned = stages.pop() if method.fits_on_validation else None
        history: list[Epoch] = []
        for number, need in enumerate(stages):
            fit = self._fit_stage(method, need, number)
            history += fit.history
        base = None
        finished = Finished(fit.state)
        if method.overrides("finish"):
            name = "before finish" if method.overrides("stages") or method.overrides("penalty") else "full_ft"
            base = BaseResult(name, *self.scores(fit.state)[:2], fit.best_epoch)
            finished = self._finished(method, learned, fit)
        return FitResult(
            finished.state,
            finished.info.get("best_epoch", fit.best_epoch),
            [_described(need) for need in stages],
            history,
            base,
            {**fit.info, **finished.info},
        )

    def predict(self, fitted: State, index: Tensor) -> NDArray[np.float64]:
        """Return the predictions of these weights, in evaluation mode."""
        self.model.load_state_dict(fitted)
        return self.objective.to_predictions(self.start.outputs(self.model.eval(), index))

    def weights(self) -> State:
        """Return the best candidate's state dict."""
        return dict(self.chosen)

    def _fit_stage(self, method: Method, need: Needed, number: int) -> Fit:
        """Return a fitted stage, from the store if it is there, and leave its weights in the model."""

        def fit() -> Entry:
            stage = method.stages()[number]
            if stage.converged:
                made = fit_converged(self.model, self.start, self.objective, self.dataset.targets)
            else:
                given = (method, stage, number, self.objective, self.job.train, self.job.seed)
                made = fit_stage(self.model, self.start, *given, self.progress)
            return made.state, {**{name: getattr(made, name) for name in FIT}, "history": plain(made.history)}

        state, description = self._kept(need, fit)
        self.model.load_state_dict(state)
        known = {name: description[name] for name in FIT if name in description}  # older: no info
        return Fit(state=state, **{**known, "history": convert(description["history"], list[Epoch])})

    def _finished(self, method: Method, need: Needed | None, fit: Fit) -> Finished:
        """Return what a method makes of the fitted weights; what it learns for that is kept like a stage."""

        def finish() -> Entry:
            began = time.monotonic()
            made = self._finish(method, fit)
            return made.state, {"info": made.info, "seconds": time.monotonic() - began}

        if need is None:
            state, description = finish()
            self.add_seconds(FINISH, description["seconds"])
        else:
            state, description = self._kept(need, finish)
        return Finished(state, description["info"])

    def _kept(self, need: Needed, make: Callable[[], Entry]) -> Entry:
        """Return weights and description from the store, or make and keep them; who else wants them waits.

        Those that were made with other threads, another torch or another kind of device have other last digits, which
        would be this job's then: they are made again.
        """
        with self.store.stage_lock(need.key):
            remake = self.env.run.rerun and need.key not in self._at_hand
            kept = None if remake else self.store.get_stage(need.key)
            made_with = records.arithmetic(self.device)
            if kept is not None and kept[1].get("made_with") != made_with:
                say(f"  {need.name} is in the store, made with {_said(kept[1].get('made_with'))}: it is fitted again")
                kept = None
            if kept is None:
                state, description = make()
                made = state, {**description, "made_with": made_with}
                self.store.put_stage(need.key, made)
                self.add_seconds(need.name, made[1]["seconds"])
                self._at_hand.add(need.key)
                return made
        if need.key not in self._at_hand:
            self.add_seconds(f"{need.name} (reused)", kept[1]["seconds"])
        self._at_hand.add(need.key)
        # A copy: a file's tensors begin at any address, and the last bits of a product depend on the address.
        return {name: tensor.to(self.device, copy=True) for name, tensor in kept[0].items()}, kept[1]

    def _finish(self, method: Method, fit: Fit) -> Finished:
        model, objective = self.model.eval().requires_grad_(False), self.objective
        size, shared_layers = self.job.train.batch_size, model.encoder.shared_layers()
        index = objective.val.to(self.device).split(size)
        small = list(objective.graphs.batches(objective.val.split(size), shared_layers))
        large = list(objective.eval_batches(objective.val, shared_layers))

        def val_loss(state: State, number: int) -> torch.Tensor:
            with DifferentiableStatistics():
                outputs = functional_call(model, state, (small[number],))
            return objective.loss(outputs, index[number])

        def val_score(state: State) -> float | None:
            with torch.no_grad():
                outputs = torch.cat([functional_call(model, state, (batch,)) for batch in large])
            predictions = objective.to_predictions(outputs)
            return objective.scores(predictions, objective.val, [objective.metric.name])[objective.metric.name]

        block_of = model.keys_of_blocks()
        return method.finish(
            Fitted(
                start=self.start.state,
                tuned=fit.state,
                block_of=block_of,
                buffers=frozenset(name for name, _ in model.named_buffers()),
                encoder_blocks=[name for name in model.blocks() if name != HEAD],
                num_val_batches=len(small),
                val_loss=val_loss,
                val_score=val_score,
                better=objective.metric.better,
                device=self.device,
                repeated=partial(GraphedCallable, device=self.device, recorded=model.encoder.asks_nothing),
                progress=lambda numbers: bar(numbers, self.job.method.name),
            )
        )


def _described(need: Needed) -> StageResult:
    stage = need.stage
    assert stage is not None
    described = naming_params(Stage, asdict(stage))
    return StageResult(**{**described, "blocks": stage.blocks and list(stage.blocks)}, frozen=need.frozen)


def _said(made_with: dict[str, Any] | None) -> str:
    if made_with is None or "arithmetic" not in made_with:
        return "an older version"
    return ", ".join(f"{name} {value}" for name, value in made_with.items())


def pretrained(job: Job, env: RunContext) -> Encoder:
    """Return a job's encoder with its pretrained weights, or with random ones that follow from the job's seed alone.

    Raises:
        UsageError: the weights cannot be had or do not fit; or the model is a fingerprint.
    """
    if job.model.kind != NETWORK:
        raise UsageError(f"model={job.model.name} is a fingerprint: it has no network")
    with seeded(derive_seed(job.seed, "encoder"), torch.device("cpu")):
        encoder: Encoder = build(job.model)
    spec = job.model
    if spec.source is not None:
        load_published(encoder, spec.source, env.places)
    elif spec.checkpoint is not None:
        load_checkpoint(encoder, spec.checkpoint, spec.sha256, spec.git_blob)
    return encoder


def device_type(name: str) -> str:
    """Return "cpu" or "cuda" for the name of a device, which need not be on this machine; auto is this machine's.

    Raises:
        UsageError: no name of a device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    check_device(name)
    return torch.device(name).type


def will_make_with(env: RunContext) -> dict[str, Any] | None:
    """Return what a job that runs like this would make its stages with; None where its device is not here."""
    try:
        device = choose_device(env.run.device)
    except UsageError:
        return None
    return {**records.arithmetic(device), "threads": env.run.threads or DEFAULT_THREADS}


def choose_device(name: str) -> torch.device:
    """Return the device of a name: auto (the GPU if there is one), cpu, cuda, cuda:N.

    Raises:
        UsageError: no such device here.
    """
    kind = device_type(name)
    device = torch.device(kind if name == "auto" else name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device={name}: this machine has {torch.cuda.device_count()} GPUs that torch can use.")
    return device
