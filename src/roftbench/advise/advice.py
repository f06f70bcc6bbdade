"""The whole of `roftbench advise`: folds, race, the winner on the untouched test part, and what follows from it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from roftbench.advise.bench import Jobs, reason
from roftbench.advise.blend import Blender
from roftbench.advise.compare import Difference, difference
from roftbench.advise.folds import Folds, Parts
from roftbench.advise.keeping import kept, out_of_folds, tested
from roftbench.advise.prior import Prior
from roftbench.advise.race import Budget, Race, Runner, levels
from roftbench.advise.settings import BASELINES, AdviseSettings
from roftbench.checksums import digest
from roftbench.components import build
from roftbench.data.dataset import load_dataset
from roftbench.errors import JobError, UsageError
from roftbench.estimate import one_epoch
from roftbench.metrics import METRICS
from roftbench.progress import bar, say
from roftbench.sources import fetch_missing
from roftbench.store import Record


@dataclass(frozen=True)
class Tested:
    """Scores on the test part by seed, and the keys of the jobs behind them."""

    scores: list[float | None]
    jobs: list[str]

    @property
    def mean(self) -> float | None:
        """The mean over the seeds; None where a score is undefined."""
        values = [score for score in self.scores if score is not None]
        return sum(values) / len(values) if values and len(values) == len(self.scores) else None


@dataclass(frozen=True)
class Advice:
    """What came out: the candidates in order, how each differs from the first, and the first ones on the test part.

    `behind` are mean differences over the folds that both have, the winner minus the candidate. `test` has the winner
    (a score for each member), and baselines for which there was time, on the outer parts. `half` is the winner with
    half of the training molecules, minus the winner with all of them. `pretrained` are names of candidates.
    """

    dataset: str
    metric: str
    labels: int
    folds: str
    ranked: list[Runner]
    behind: dict[str, Difference]
    test: dict[str, Tested]
    half: Difference | None
    stopped: str
    commands: list[str]
    kept: list[Path]
    together: str
    pretrained: frozenset[str]

    @cached_property
    def levels(self) -> dict[str, float]:
        """Mean scores as if all had been judged on the same folds."""
        return levels(self.ranked)

    @property
    def winner(self) -> Runner:
        """The best candidate."""
        return self.ranked[0]


class Advisor:
    """A race over the labelled molecules of one data set."""

    def __init__(self, settings: AdviseSettings, overrides: Sequence[str], folder: Path | None) -> None:
        self.settings, self.overrides, self.folder = settings, list(overrides), folder
        self.budget = Budget(*settings.limit())
        self.jobs = Jobs(overrides, folder, search=settings.search)
        runners = [Runner(*pair, baseline=pair in BASELINES) for pair in settings.pairs()]
        parsed = [self.jobs.of(one.model, one.method) for one in runners]
        self.job, self.env, self.guesses = parsed[0]
        fetch_missing((source, env.places) for job, env, _ in parsed for source in job.sources())
        self.dataset = load_dataset(self.job.dataset, self.env.cache / "data", self.env.places)
        self.folds = Folds(self.job, self.dataset, settings.folds, settings.by, self.env.results / "advise")
        self.prior = Prior.of(str(self.job.dataset.task), len(self.folds.pool))
        self.runners = self.prior.order(runners)
        self.metric = str(self.job.dataset.metric)
        self.sign = -1 if METRICS[self.metric].higher_is_better else 1
        self.blender = Blender(self.dataset, settings.folds, self.metric, self.sign)
        kinds = zip(runners, parsed, strict=True)
        self.pretrained = frozenset(one.name for one, (job, _, _) in kinds if job.model.pretraining != "none")
        self._epochs: dict[str, dict[str, float]] = {}  # seconds of one measured epoch, by model

    @property
    def place(self) -> Path:
        """The folder of this advice; a race with other candidates, or settings of their jobs, has another one."""
        keys = sorted(self.jobs.of(one.model, one.method)[0].key for one in self.runners)
        chosen = {"folds": self.folds.folder.name, "jobs": keys, "members": self.settings.members}
        return self.env.results / "advise" / digest(chosen)

    def run(self) -> Advice:
        """Race, fit the winner for keeps, and return what came out.

        Raises:
            UsageError: no candidate could be judged.
        """
        self.env.tidy()
        race = Race(self.runners, self, self.settings.folds, self.budget, self.metric, self.sign, self.settings.members)
        race.run()
        blend = self.blender.blend(self.runners, race.affordable)
        ranked = race.ranked(*([blend] if blend is not None else []))
        if ranked[0].failure or not ranked[0].scores:
            raise UsageError(f"no candidate could be judged. {ranked[0].name}: {ranked[0].failure or race.stopped}")
        if ranked[0].name not in levels(ranked):
            raise UsageError(
                f"{self.metric} is defined on no fold: each lacks a class, or labels that differ. More labels of the"
                f" rarer class are needed, or fewer folds (advise.folds, now {self.settings.folds}; at least 3)"
            )
        test = self._final(ranked[0], race)
        kept = self._keep(ranked[0])
        half = self._half(ranked[0])
        _, parts = self.dataset.cut(build(self.job.split), self.job.label_ratio)
        share = 1 / (self.settings.folds - 2)
        what = "whole scaffolds" if self.settings.by == "scaffold" else "molecules"
        found = {one.name: difference(ranked[0].scores, one.scores, share) for one in ranked[1:]}
        return Advice(
            dataset=str(self.job.dataset.name),
            metric=self.metric,
            labels=len(self.folds.pool),
            folds=f"{self.settings.folds} folds of {what} within the {len(self.folds.pool)} labelled ones;"
            f" {len(parts.test)} test molecules untouched",
            ranked=ranked,
            behind={name: one for name, one in found.items() if one is not None},
            test=test,
            half=half,
            stopped=race.stopped,
            commands=[self._command(one) for one in ranked[0].parts],
            kept=kept,
            together=tested(kept, self.metric, self.env) if kept else "",
            pretrained=self.pretrained,
        )

    def judge(self, one: Runner, fold: int) -> tuple[Record | None, bool]:
        """Run a candidate on a fold, or take its record; returns that, None if it failed, and whether it was there."""
        return self._on(one, self.folds[fold])

    def known(self, one: Runner, fold: int) -> bool:
        """Tell whether a candidate's job on a fold is done."""
        job, env = self.jobs.on(one.model, one.method, self.folds.split(self.folds[fold]))
        return self.jobs.finished(job, env) is not None

    def expected(self, one: Runner) -> float:
        """Return the seconds of a job of a model that nobody has trained yet, from one epoch that is measured."""
        if one.quick or self.budget.seconds is None:
            return 0.0
        if one.model not in self._epochs:
            try:
                job, env = self.jobs.on(one.model, "full_ft", self.folds.split(self.folds[0]))
                self._epochs[one.model] = one_epoch(job, env)["seconds"]
            except (JobError, UsageError, OSError):  # the job itself will tell, or it is no network
                self._epochs[one.model] = {"total": 0.0, "ft": 0.0}
        epoch = self._epochs[one.model]
        return float(epoch["total"] + (self.job.train.epochs - 1) * epoch["ft"])

    def _on(self, one: Runner, parts: Parts) -> tuple[Record | None, bool]:
        job, env = self.jobs.on(one.model, one.method, self.folds.split(parts))
        record, old = self.jobs.result(job, env)
        if record is None:
            one.failure = reason(job, env)
        return record, old

    def _final(self, winner: Runner, race: Race) -> dict[str, Tested]:
        """Fit the winner, and baselines for which there is time, to the outer parts, and score the test part.

        It is the one time that the test part is used.
        """
        others = [one for one in self.runners if one.baseline and one.scores and one not in winner.parts]
        say("the winner and baselines, fitted to the labelled molecules and judged on the test part")
        test: dict[str, Tested] = {}
        for one in [winner, *others]:
            if not (one is winner or one.quick or self.budget.allows(race.after(one.seconds or 0.0))):
                continue
            for member in range(self.settings.members if one is winner else 1):
                records = [self._outer(part, member) for part in one.parts]
                if (done := [record for record in records if record is not None]) == records:
                    score = self.blender.score(done)
                    found = test.setdefault(one.name, Tested([], []))
                    found.scores.append(score)
                    found.jobs.extend(str(record["key"]) for record in done)
                    shown = "undefined" if score is None else f"{score:.4f}"
                    say(f"  {one.name:<34} seed {self.job.seed + member:<3} test {self.metric} {shown}")
        return test

    def _outer(self, one: Runner, member: int) -> Record | None:
        job, env, _ = self.jobs.of(one.model, one.method)
        record, old = self.jobs.result(replace(job, seed=job.seed + member), env)
        self.budget.done += not old
        return record

    def _keep(self, winner: Runner) -> list[Path]:
        """Keep the winner's members, with intervals from the errors on the folds where these were all judged."""
        todo = []
        for part in winner.parts:
            calibration = out_of_folds(self.dataset, part.records, self.settings.folds)
            job, env, _ = self.jobs.of(part.model, part.method)
            members = [replace(job, seed=job.seed + member) for member in range(self.settings.members)]
            todo += [(one, env, calibration) for one in members if env.store.get(one.key) is not None]
        return [kept(*one) for one in bar(todo, "keeping", "model")]

    def _half(self, winner: Runner) -> Difference | None:
        """Judge the winner once more with half of the training molecules, as far as the budget lasts."""
        scores: dict[int, float | None] = {}
        for fold in sorted(winner.scores)[: self.settings.folds]:
            if not self.budget.allows(winner.seconds or 0.0, len(winner.parts)):
                break
            found = [self._on(Runner(part.model, part.method), self.folds.half(fold)) for part in winner.parts]
            self.budget.done += sum(not old for _, old in found)
            records = [record for record, _ in found if record is not None]
            if len(records) == len(found):
                scores[fold] = self.blender.score(records)
        return difference(scores, winner.scores, 1 / (self.settings.folds - 2))

    def _command(self, winner: Runner) -> str:
        chosen = [f"model={winner.model}", f"method={winner.method}", *["method.search=true"] * self.settings.search]
        folder = [] if self.folder is None else ["--config-dir", str(self.folder)]
        return shlex.join(["roftbench", "run", *folder, *chosen, *self.overrides])
