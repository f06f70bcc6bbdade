"""A job at work: data, model and method loaded, stages fitted or taken from the store, candidates compared."""

import time
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from roftbench import record as records
from roftbench.config import Env, build
from roftbench.data.dataset import MoleculeDataset, load_dataset
from roftbench.data.warn import warnings_of
from roftbench.errors import JobError, UsageError
from roftbench.job import Job, derive_seed, digest
from roftbench.methods.base import Finished, Fitted, Method
from roftbench.models.checkpoints import load_checkpoint, load_published
from roftbench.models.encoder import HEAD, Encoder, Predictor, State, copy_state
from roftbench.problem import Problem
from roftbench.progress import JobProgress, bar
from roftbench.store import Record, Store
from roftbench.train import Fit, Start, fit_stage, seeded

DEFAULT_THREADS = torch.get_num_threads()


class Workbench:
    """Everything loaded for one job: data on the device, parts, model, method."""

    def __init__(self, job: Job, env: Env, store: Store) -> None:
        self.job, self.env, self.store = job, env, store
        self.device = choose_device(env.run.device)
        torch.set_num_threads(env.run.threads or DEFAULT_THREADS)  # also where an earlier job of this process set it
        self.dataset: MoleculeDataset = load_dataset(job.dataset, env.cache / "data", env.places)
        self.whole, self.parts = self.dataset.cut(build(job.split), job.label_ratio)
        self.warnings = [*warnings_of(self.dataset, self.parts), *job.model.cautions]
        if len(self.parts.train) == 0:
            raise UsageError(
                f"the training part of data set {job.dataset.name} is empty: {len(self.dataset)} molecules"
            )
        self.problem = Problem.create(
            self.dataset.graphs_of(job.model.featurizer),
            self.dataset.y,
            (self.parts.train, self.parts.val, self.parts.test),
            metric=str(job.dataset.metric),
            loss=str(job.train.loss),
            standardize=job.train.standardize_targets,
            device=self.device,
        )
        self.model = self._build_model()
        self.method: Method = build(job.method)
        encoder = deepcopy(self.model.encoder).eval().requires_grad_(False)
        self.start = Start(encoder, copy_state(self.model))
        self.progress = JobProgress(str(job.dataset.metric))
        self.seconds: dict[str, float] = {}
        self._at_hand: set[str] = set()  # keys of the stages that this job has fitted or loaded

    def _build_model(self) -> Predictor:
        """Return encoder and head; random weights follow from the job's seed alone."""
        cpu = torch.device("cpu")
        with seeded(derive_seed(self.job.seed, "encoder"), cpu):
            encoder = build(self.job.model)
        self._load_weights(encoder)
        with seeded(derive_seed(self.job.seed, "head"), cpu):
            model = Predictor(encoder, self.problem.num_tasks)
        try:
            model.keys_of_blocks()  # a wrong encoder is told so before any training
        except ValueError as error:
            raise UsageError(f"model {self.job.model.name}: {error}") from None
        return model.to(self.device)

    def _load_weights(self, encoder: Encoder) -> None:
        spec = self.job.model
        if spec.source is not None:
            load_published(encoder, spec.source, self.env.places)
        elif spec.checkpoint is not None:
            load_checkpoint(encoder, spec.checkpoint, spec.sha256, spec.git_blob)

    def candidates(self) -> list[Method]:
        """Return the methods to try: the grid's, or the one that was asked for."""
        if not self.job.method.search:
            return [self.method]
        return self.method.candidates(self.job.method.grid, list(self.model.encoder.blocks()))

    def work(self) -> Record:
        """Fit every candidate, choose by validation score, and return the record."""
        name = self.problem.metric.name
        tried: list[dict[str, Any]] = []
        best: dict[str, Any] = {}
        for candidate in self.candidates():
            one = self._try(candidate)
            tried.append(one)
            if not best or self.problem.metric.better(one["val"][name], best["val"][name]):
                best = {**one}
            del one["state"], one["predictions"]  # of all candidates' weights only the best ones are kept in memory
        self.model.load_state_dict(best["state"])
        train = self.problem.predict(self.model.eval(), self.problem.train)
        return records.assemble(self, tried, best, self.problem.scores(train, self.problem.train))

    def _try(self, method: Method) -> dict[str, Any]:
        """Fit one candidate and return its scores, history and test predictions."""
        self.model.load_state_dict(self.start.state)
        chain: list[Any] = []
        history: list[dict[str, Any]] = []
        for number, stage in enumerate(method.stages()):
            spec = {"blocks": stage.blocks, "epochs": stage.epochs, "lr": stage.lr}
            chain.append({**spec, "penalty": _penalty_identity(method)})
            fit = self._fit(method, chain, number)
            history += fit.history
        base = None
        finished = Finished(fit.state)
        if method.overrides("finish"):
            base = {"method": "full_ft", **self._scores(fit.state)[0], "best_epoch": fit.best_epoch}
            began = time.monotonic()
            finished = self._finish(method, fit)
            self._add_seconds("finish", time.monotonic() - began)
        scores, predictions = self._scores(finished.state)
        return {
            "params": asdict(method),
            **scores,
            "best_epoch": finished.info.get("best_epoch", fit.best_epoch),
            "base": base,
            "info": finished.info,
            "history": history,
            "state": finished.state,
            "predictions": predictions,
        }

    def _fit(self, method: Method, chain: list[Any], number: int) -> Fit:
        """Return the fitted stage at the end of a chain, from the store if it is there, and leave it in the model."""
        stage = method.stages()[number]
        key = digest({**self.job.fit_identity(), "device": self.device.type, "stages": chain})
        with self.store.stage_lock(key):
            refit = self.env.run.rerun and key not in self._at_hand
            kept = None if refit else self.store.get_stage(key)
            if kept is not None:
                self.model.load_state_dict(kept[0])
                if key not in self._at_hand:
                    self._add_seconds(f"{stage.name} (reused)", kept[1]["seconds"])
                self._at_hand.add(key)
                # A copy: a file's tensors begin at any address, and the last bits of a product depend on the address.
                state = {name: tensor.to(self.device, copy=True) for name, tensor in kept[0].items()}
                return Fit(state=state, **kept[1])
            arguments = (method, stage, number, self.problem, self.job.train, self.job.seed, self.progress)
            fit = fit_stage(self.model, self.start, *arguments)
            description = {name: getattr(fit, name) for name in ("best_epoch", "best_score", "history", "seconds")}
            self.store.put_stage(key, (fit.state, description))
            self._add_seconds(stage.name, fit.seconds)
            self._at_hand.add(key)
            return fit

    def _finish(self, method: Method, fit: Fit) -> Finished:
        model, problem = self.model.eval().requires_grad_(False), self.problem
        size = self.job.train.batch_size
        index = problem.val.split(size)
        small = [problem.graphs.batch(chunk) for chunk in index]
        large = list(problem.eval_batches(problem.val))

        def val_loss(state: State, number: int) -> torch.Tensor:
            return problem.loss(functional_call(model, state, (small[number],)), index[number])

        def val_score(state: State) -> float | None:
            with torch.no_grad():
                outputs = torch.cat([functional_call(model, state, (batch,)) for batch in large])
            predictions = problem.to_predictions(outputs)
            return problem.scores(predictions, problem.val, [problem.metric.name])[problem.metric.name]

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
                better=problem.metric.better,
                progress=lambda numbers: bar(numbers, self.job.method.name),
            )
        )

    def _scores(self, state: State) -> tuple[dict[str, dict[str, float | None]], Any]:
        """Return val and test scores of weights, and the test predictions [n, T]. The only reading of the test part.

        Raises:
            JobError: a prediction is not a finite number.
        """
        self.model.load_state_dict(state)
        self.model.eval()
        val = self.problem.predict(self.model, self.problem.val)
        test = self.problem.predict(self.model, self.problem.test)
        if not (np.isfinite(val).all() and np.isfinite(test).all()):
            raise JobError(
                "training diverged: the fitted model's predictions are not all finite numbers."
                f" Lower train.lr ({self.job.train.lr:g}) or the method's weight, or check the labels' range."
            )
        scores = {
            "val": self.problem.scores(val, self.problem.val),
            "test": self.problem.scores(test, self.problem.test),
        }
        return scores, test

    def _add_seconds(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def _penalty_identity(method: Method) -> Any:
    """Return what a penalty adds to a stage's identity: nothing where there is none, so that stages are shared."""
    if not method.overrides("penalty"):
        return None
    return {"class": f"{type(method).__module__}.{type(method).__qualname__}", **asdict(method)}


def choose_device(name: str) -> torch.device:
    """Return the device of a name: auto (the GPU if there is one), cpu, cuda, cuda:N.

    Raises:
        UsageError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"run.device={name} is no device. Allowed: auto, cpu, cuda, cuda:N.") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"run.device={name} is not supported. Allowed: auto, cpu, cuda, cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"run.device={name}: this machine has {torch.cuda.device_count()} GPUs that torch can use.")
    return device
