"""Experiments on a network: stages are fitted, or taken from the store where they have been fitted before."""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
from msgspec import convert
from numpy.typing import NDArray
from torch import Tensor

from roftbench.config.environment import RunContext
from roftbench.config.job import Job, derive_seed
from roftbench.config.schema import naming_params
from roftbench.console import JobProgress, say
from roftbench.errors import UsageError
from roftbench.methods.base import Finished, Fitted, Fold, Member, Method, Stage
from roftbench.models.config import PRETRAINING
from roftbench.models.encoder import Predictor, State
from roftbench.runner.converged_head import PENALTIES, fit_converged
from roftbench.runner.devices import CPU, choose_device
from roftbench.runner.experiment import Experiment, FitResult
from roftbench.runner.loading import load_model
from roftbench.runner.members import Tuned, counted, divided, fit_members, fitted_for
from roftbench.runner.modes import parameters_of
from roftbench.runner.objective import too_close
from roftbench.runner.pretrained import PretrainedModel
from roftbench.runner.provenance import arithmetic
from roftbench.runner.setup import Setup
from roftbench.runner.shift import shift_of
from roftbench.runner.stages import FINISH, Needed, job_of, needed, stages_of
from roftbench.runner.training import Fit, fit_stage, seeded
from roftbench.store.record_schema import BaseResult, Count, Epoch, StageResult, plain
from roftbench.store.tensors import Entry

CPU_SECONDS = "cpu_seconds"  # in the description of a stored stage; older ones lack it
FIT = ("best_epoch", "best_score", "history", "seconds", "info")  # stored with a stage's weights


class NetworkExperiment(Experiment):
    """Fine-tuning of a network on the device: the stages of a method, and its finish."""

    method: Method
    not_finite = (
        "training diverged: the fitted model's predictions are not all finite numbers."
        " Lower train.lr ({job.train.lr:g}) or the method's weight, or check the labels' range."
    )
    selects = True  # the best epoch

    def __init__(self, setup: Setup, model: Predictor) -> None:
        super().__init__(setup)
        self.model = self._plain = model
        self.start = self.plain_start = PretrainedModel(model, self.objective)  # plain: without modules of a method
        self._extended_by: Method | None = None  # whose modules are in `model`
        self.fold: Fold | None = None  # labels that are kept from the fit
        self.held_out = self.objective.val  # molecules of the validation loss of a finish: the fold, if there is one
        self.progress = JobProgress(self.objective.metric.name)
        self.used_stages: set[str] = set()  # keys of the stages that this job has fitted or loaded

    @classmethod
    def load(cls, job: Job, context: RunContext) -> Self:
        """Load data, model and method of a job onto its device; raises as `Experiment.load` does."""
        setup = Setup.load(job, context, choose_device(context.run.device))
        if not job.train.standardize_targets and (reason := too_close(setup.dataset.y)):
            raise UsageError(reason, key="train.standardize_targets", got=False)
        return cls(setup, load_model(job, context, setup.objective.num_tasks).to(setup.device))

    def words(self) -> dict[str, str]:
        """Return the number of parameters that each stage trains, and the settings of training."""
        self._extend(_extending(self.method))
        spec = self.job.model
        total = sum(parameter.numel() for parameter in self.model.parameters())
        texts = []
        members = self.method.members()
        for stage in stages_of(members[0].method if members else self.method):
            chosen = parameters_of(self.model, stage, self.job.train.epochs)
            trained = sum(parameter.numel() for parameter in chosen.values())
            texts.append(f"{stage.name} trains {trained:,}")
        return {
            "model": f"{spec.name} (pretraining: {PRETRAINING[spec.pretraining]}),"
            f" {'; '.join(texts)} of {total:,} parameters{f' in each of {len(members)} fits' if members else ''}",
            "training": self._training(),
        }

    def _training(self) -> str:
        """Return a description of the training: of a converged head, or of stages with epochs."""
        settings = self.job.train
        if all(stage.converged for stage in stages_of(self.method)):
            kind = "ridge" if self.objective.task == "regression" else "logistic"
            return f"{kind} regression to its optimum, one of {len(PENALTIES)} penalties by validation score"
        clipped = "" if settings.clip_value is None else f", gradients clipped at {settings.clip_value:g}"
        return (
            f"{settings.epochs} epochs per stage, batch {settings.batch_size}, Adam {settings.lr:g},"
            f" loss {settings.loss}{clipped}"
        )

    def candidates(self) -> list[Method]:
        """Return the methods of the grid, or the single one of the job."""
        if not self.job.method.search:
            return [self.method]
        return self.method.candidates(self.job.method.grid, list(self.model.encoder.blocks()))

    def _extend(self, method: Method | None) -> None:
        """Let `model` be the network as it was loaded, or a copy with the modules of a method."""
        if method == self._extended_by:
            return
        self.model, self.start, self._extended_by = self._plain, self.plain_start, method
        if method is not None:
            self.model.load_state_dict(self.start.state)
            with seeded(derive_seed(self.job.seed, "extend"), CPU):
                self.model = extended(self.model, method).to(self.device)
            self.start = self.plain_start.extended(self.model)

    def fit(self, method: Method) -> FitResult:
        """Fit the stages of a candidate and apply its finish, or its members; `fitted` is a `Tuned`."""
        if members := method.members():
            return fit_members(self, method, members)
        by = _extending(method)
        self._extend(by)
        self.model.load_state_dict(self.start.state)
        stages = needed(self.job, method, self.device.type, self.fold)
        learned = stages.pop() if method.fits_on_validation else None
        history: list[Epoch] = []
        for number, need in enumerate(stages):
            fit = self._fit_stage(method, need, number)
            history += fit.history
        base = None
        finished = Finished(fit.state)
        if method.overrides("finish"):
            own = any(method.overrides(hook) for hook in ("stages", "penalty", "step_rule", "extend"))
            name = "before finish" if own else "full_ft"
            base = BaseResult(name, *self.scores(Tuned(fit.state, by))[:2], fit.best_epoch)
            finished = self.finished(lambda: method.finish(self.given(fit.state)), learned)
        return FitResult(
            Tuned(finished.state, by),
            finished.info.get("best_epoch", fit.best_epoch),
            [_stage_result(need) for need in stages],
            history,
            base,
            {**fit.info, **finished.info},
            self._trained(method),
        )

    def _trained(self, method: Method) -> int:
        """Return the number of parameters of `model` that the stages of a method change."""
        chosen = [parameters_of(self.model, stage, self.job.train.epochs) for stage in method.stages()]
        return sum(one.numel() for one in {key: one for part in chosen for key, one in part.items()}.values())

    @property
    def keeps_labels(self) -> bool:
        """Whether interpolation coefficients have labels of their own."""
        return any(member.fold is not None for member in self.method.members())

    def count(self) -> Count:
        """Return the number of molecules per part and of labels per use."""
        return counted(self, super().count())

    def networks(self, fitted: Tuned) -> Iterator[Predictor]:
        """Yield the network with each state of fitted weights, in evaluation mode."""
        self._extend(fitted.extended_by)
        for state in (fitted.state, *fitted.others):
            self.model.load_state_dict(state)
            yield self.model.eval()

    def predict(self, fitted: Tuned, index: Tensor) -> NDArray[np.float64]:
        """Return the predictions of fitted weights, in evaluation mode."""
        to_predictions, networks = self.objective.to_predictions, self.networks(fitted)
        found = [to_predictions(self.start.outputs(model, index)) for model in networks]
        return found[0] if len(found) == 1 else np.mean(found, axis=0)

    def shift(self, fitted: Tuned) -> dict[str, Any]:
        """Return `parameter_shift` and `feature_shift` of fitted weights; the mean over the networks of an ensemble."""
        return shift_of(self, fitted)

    def weights(self) -> State:
        """Return the best candidate's state dict; several of them under the prefixes "0.", "1.", …."""
        states = (self.chosen.state, *self.chosen.others)
        if len(states) == 1:
            return dict(self.chosen.state)
        return {f"{number}.{key}": tensor for number, state in enumerate(states) for key, tensor in state.items()}

    def member(self, member: Member) -> Self:
        """Return the experiment of a member: with another seed, or with labels kept from it."""
        if member.seed == 0 and member.fold is None:
            return self
        job = job_of(self.job, member)
        other = type(self)(
            replace(self.setup, job=job), load_model(job, self.context, self.objective.num_tasks).to(self.device)
        )
        other.seconds, other.cpu_seconds, other.used_stages = self.seconds, self.cpu_seconds, self.used_stages
        other.fold = member.fold
        if member.fold is not None:
            other.objective, other.held_out = divided(self.objective, member.fold, job.seed)
            other.start = other.plain_start = PretrainedModel(other.model, other.objective)
        return other

    def _fit_stage(self, method: Method, need: Needed, number: int) -> Fit:
        """Return a fitted stage, from the store if it has it, and load its weights into the model."""

        live = list[Epoch]()  # epochs that the callback has seen as they ended

        def epoch_ended(epoch: Epoch) -> None:
            live.append(epoch)
            self.on_epoch(epoch, self.candidate)

        def fit() -> Entry:
            stage = method.stages()[number]
            if stage.converged:
                made = fit_converged(self.model, self.start, self.objective, self.dataset.targets)
            else:
                given = (method, stage, number, self.objective, self.job.train, self.job.seed)
                made = fit_stage(self.model, self.start, *given, self.progress, epoch_ended)
            return made.state, {**{name: getattr(made, name) for name in FIT}, "history": plain(made.history)}

        state, description = self._stored(need, fit)
        self.model.load_state_dict(state)
        known = {name: description[name] for name in FIT if name in description}  # older: no info
        history = convert(description["history"], list[Epoch])
        for epoch in history[len(live) :]:  # of a stage from the store
            self.on_epoch(epoch, self.candidate)
        return Fit(state=state, **{**known, "history": history})

    def finished(self, make: Callable[[], Finished], need: Needed | None) -> Finished:
        """Return the result of `Method.finish` or `combine`; with `need` (it is fitted), stored like a stage."""

        def finish() -> Entry:
            began = time.monotonic()
            made = make()
            return made.state, {"info": made.info, "seconds": time.monotonic() - began}

        if need is None:
            cpu = time.process_time()
            state, description = finish()
            self.add_seconds(FINISH, description["seconds"], time.process_time() - cpu)
        else:
            state, description = self._stored(need, finish)
        return Finished(state, description["info"])

    def _stored(self, need: Needed, fit: Callable[[], Entry]) -> Entry:
        """Return weights and description from the store, or fit and store them; other processes wait meanwhile.

        A stage that was fitted with other threads, another torch or another device has other last digits and is fitted
        again: the job's scores must not depend on what is in the store.
        """
        with self.store.stage_lock(need.key):
            again = self.context.run.rerun and need.key not in self.used_stages
            stored = None if again else self.store.get_stage(need.key)
            made_with = arithmetic(self.device)
            if stored is not None and stored[1].get("made_with") != made_with:
                used = _versions(stored[1].get("made_with"))
                say(f"  {need.name} is in the store, made with {used}: it is fitted again")
                stored = None
            if stored is None:
                cpu = time.process_time()
                state, description = fit()
                made = state, {**description, "made_with": made_with, CPU_SECONDS: time.process_time() - cpu}
                self.store.put_stage(need.key, made)
                self.add_seconds(need.name, made[1]["seconds"], made[1][CPU_SECONDS])
                self.used_stages.add(need.key)
                return made
        if need.key not in self.used_stages:
            self.add_seconds(f"{need.name} (reused)", stored[1]["seconds"], stored[1].get(CPU_SECONDS))
        self.used_stages.add(need.key)
        # A copy: tensors of a file are not aligned, and the last bits of a product depend on the alignment.
        return {name: tensor.to(self.device, copy=True) for name, tensor in stored[0].items()}, stored[1]

    def given(self, tuned: State) -> Fitted:
        """Return the fit of the present network as `Method.finish` and `Method.combine` receive it."""
        return fitted_for(self, tuned)


def _stage_result(need: Needed) -> StageResult:
    stage = need.stage
    assert stage is not None
    described = naming_params(Stage, asdict(stage))
    lists = {name: list(value) for name, value in described.items() if isinstance(value, tuple)}
    return StageResult(**{**described, **lists}, frozen=need.frozen)


def _extending(method: Method) -> Method | None:
    """Return a method that extends the network, None for another."""
    return method if method.overrides("extend") else None


def extended(model: Predictor, method: Method) -> Predictor:
    """Return a copy of a network with the modules of a method; raises SkipJob as `Method.extend` does."""
    copied = deepcopy(model)
    method.extend(copied)
    return copied


def _versions(made_with: dict[str, Any] | None) -> str:
    if made_with is None or "arithmetic" not in made_with:
        return "an older version"
    return ", ".join(f"{name} {value}" for name, value in made_with.items())
