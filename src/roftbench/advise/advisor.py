"""`roftbench advise`: folds, race, the winner on the test part, and the advice."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roftbench.advise.candidates import Candidate
from roftbench.advise.ending import ending
from roftbench.advise.evidence import Evidence
from roftbench.advise.halving import MARGIN, PARTITIONS, Race
from roftbench.advise.learning_curve import SHARES, LearningCurve, fitted
from roftbench.advise.next_labels import Pool
from roftbench.advise.null import Null, null_of, null_score
from roftbench.advise.prior import Prior
from roftbench.advise.race_jobs import RaceJobs
from roftbench.advise.recommendation import Advice, Saved, Tested
from roftbench.advise.save import check_keep, give_name, out_of_folds, save_model, test_score
from roftbench.advise.settings import AdviseSettings
from roftbench.advise.significance import difference
from roftbench.config.components import build
from roftbench.console import bar, say
from roftbench.data.quality.report import quality_report
from roftbench.data.quality.verdict import verdict
from roftbench.errors import UsageError
from roftbench.formatting import score_text
from roftbench.overrides import quoted_list
from roftbench.store.checksums import digest
from roftbench.sweep.naming import uses

ONCE = ("run.overwrite=", "run.rerun=")  # what was asked of one call is not asked again by the printed commands


class Advisor:
    """A race over the labeled molecules of one data set; with `recorded`, time advances by the seconds in records."""

    def __init__(
        self, settings: AdviseSettings, overrides: Sequence[str], folder: Path | None, *, recorded: bool = False
    ) -> None:
        self.settings, self.folder = settings, folder
        self.overrides = [text for text in overrides if not text.startswith(ONCE)]  # of the printed commands
        self.jobs = RaceJobs(settings, overrides, folder, recorded=recorded)
        self.pool = Pool.opened(Path(settings.pool), self.jobs.dataset) if settings.pool else None
        self.prior = Prior.of(str(self.jobs.dataset.spec.task), len(self.jobs.folds.pool))
        self.candidates = self.prior.order(self.jobs.candidates)
        self.metric, self.sign, self.budget = self.jobs.metric, self.jobs.sign, self.jobs.budget

    @property
    def place(self) -> Path:
        """Folder of this advice, which depends on the candidates and the settings of their jobs."""
        keys = sorted(self.jobs.job_of(one).key for one in self.candidates)
        chosen = {"folds": self.jobs.folds.folder.name, "jobs": keys, "members": self.settings.members}
        return self.jobs.env.results / "advise" / digest(chosen)

    def run(self) -> Advice:
        """Run the race, fit and save the winner, and return the advice.

        Raises:
            UsageError: No candidate could be judged, or the name for the winner is that of another model.
        """
        jobs, count = self.jobs, self.settings.folds
        check_keep(self.settings.keep, jobs.env, self.place.name, self.folder)
        jobs.env.tidy()
        quality = verdict(
            quality_report(jobs.dataset, {jobs.job.split.name: build(jobs.job.split)}, jobs.job.label_ratio)
        )
        for line in quality:
            say(f"  {line}")
        partitions = jobs.folds.partitions(PARTITIONS)
        race = Race(self.candidates, jobs, count, self.budget, self.metric, self.sign, partitions)
        race.run()
        left_open = ending(race)
        blend = jobs.blender.blend(race.finalists(), race.affordable, race.deciding())
        ranked = [*([blend] if blend is not None else []), *race.ranked()]
        self._check(ranked[0], left_open.enough)
        null = self._null(ranked[0])
        test = self._final(ranked[0], race)
        parts = jobs.outer.parts
        test[null.name] = Tested([null_score(jobs.dataset, self.metric, parts.train, parts.test)], [])
        saved = self._save(ranked[0])
        found = {
            one.name: difference(ranked[0].scores, one.scores, 1 / (count - 2), len(ranked))
            for one in [*ranked[1:], null]
        }
        return Advice(
            dataset=str(jobs.job.dataset.name),
            metric=self.metric,
            labels=len(jobs.folds.pool),
            tested=len(parts.test),
            count=count,
            by=self.settings.by,
            budget=self.settings.budget,
            ranked=ranked,
            deciding=frozenset(race.deciding()),
            behind={name: one for name, one in found.items() if one is not None},
            null=null,
            test=test,
            curve=self._curve(race),
            ending=left_open,
            commands=[self._command(one) for one in ranked[0].parts],
            saved=saved,
            production=self._production(ranked[0], saved),
            pretrained=frozenset(one.name for one in self.candidates if jobs.job_of(one).model.pretraining != "none"),
            warnings=jobs.outer.warnings,
            quality=quality,
            evidence=Evidence.of(jobs, [ranked[0], *race.forests()]),
            next=None if self.pool is None else self.pool.ranked(saved.folders, jobs, self.settings.picks),
        )

    def _check(self, winner: Candidate, enough: str) -> None:
        if winner.failure or not winner.scores:
            if winner.failure:
                raise UsageError(f"no candidate could be judged. {winner.name}: {winner.failure}")
            budget = self.settings.budget
            problem = (
                f"not decided within this budget (advise.budget={budget} is too small): no candidate could be judged;"
                f" {enough}"
            )
            raise UsageError(problem, key="advise.budget", got=budget)
        if all(score is None for score in winner.scores.values()):
            raise UsageError(
                f"{self.metric} is defined on no fold: each lacks a class, or labels that differ",
                key="advise.folds",
                got=self.settings.folds,
                hint=f"Add labels of the rarer class, or give fewer folds (now {self.settings.folds}; at least 3).",
            )

    def _null(self, winner: Candidate) -> Null:
        """Return the null model, judged on the winner's folds."""
        null = null_of(self.jobs.dataset)
        for fold in winner.scores:
            rows = (self.jobs.folds[fold].train, self.jobs.folds[fold].test)
            train, test = (np.searchsorted(self.jobs.dataset.rows, part) for part in rows)
            null.scores[fold] = null_score(self.jobs.dataset, self.metric, train, test)
        return null

    def _final(self, winner: Candidate, race: Race) -> dict[str, Tested]:
        """Fit the winner, and baselines for which there is time, to the outer parts and return their test scores.

        The test part is used nowhere else.
        """
        others = [one for one in self.candidates if one.baseline and one.scores and one not in winner.parts]
        say("the winner and baselines, fitted to the labeled molecules and judged on the test part")
        test: dict[str, Tested] = {}
        seeds = self.jobs.seeds(winner)
        for one in [winner, *others]:
            if not (one is winner or one.quick or race.affordable([one])):
                continue
            for member in range(seeds if one is winner else 1):
                if member and not self.budget.allows(sum(self.jobs.needs_outside([one], member + 1).values())):
                    say(f"  the budget is spent: {one.name} is fitted with {member} of {seeds} seeds")
                    break
                records = [self.jobs.charged(part, self.jobs.outside(part, member), "test part") for part in one.parts]
                if (done := [record for record in records if record is not None]) == records:
                    score = self.jobs.blender.score(done)
                    found = test.setdefault(one.name, Tested([], []))
                    found.scores.append(score)
                    found.jobs.extend(record.key for record in done)
                    seed, shown = self.jobs.job.seed + member, score_text(score, 4)
                    say(f"  {one.name:<34} seed {seed:<3} test {self.metric} {shown}")
        return test

    def _save(self, winner: Candidate) -> Saved:
        """Save the winner's members, with intervals from the errors on the folds if all of these were judged."""
        todo = []
        for part in winner.parts:
            calibration = out_of_folds(self.jobs.dataset, part.records, self.settings.folds)
            members = [self.jobs.outside(part, member) for member in range(self.jobs.seeds(winner))]
            todo += [(one.job, one.env, calibration) for one in members if one.env.store.get(one.job.key) is not None]
        folders = [save_model(*one) for one in bar(todo, "saving", "model")]
        if not folders:
            return Saved()
        keys, env, wanted = [one[0].key for one in todo], self.jobs.env, self.settings.keep
        name = give_name(wanted, str(self.jobs.job.dataset.name), keys, env, self.place.name, self.folder)
        return Saved(folders, *test_score(folders, self.metric, env), name, uses(name, env))

    def _curve(self, race: Race) -> LearningCurve | None:
        """Return the learning curve of the best estimator on nested parts of the folds, as the budget allows."""
        jobs, folds = self.jobs, range(self.settings.folds)
        best = race.in_order(one for one in self.candidates if one.estimator and one.covers(self.settings.folds))[:1]
        scores = {}
        for one in best:
            scores[1.0] = [one.scores[fold] for fold in folds]
            for share in SHARES:
                todo = [jobs.on(one, jobs.folds.share(fold, share)) for fold in folds]
                price = sum(sum(jobs.costs.needs(timed).values()) for timed in todo)
                if not self.budget.allows(price * (1 if self.budget.counted else MARGIN)):
                    continue
                label = f"{share:.0%} of the training molecules"
                records = [jobs.charged(Candidate(one.model, one.method), timed, label) for timed in todo]
                if None not in records:
                    scores[share] = [jobs.blender.score([record]) for record in records if record is not None]
        sizes = {share: [len(jobs.folds.share(fold, share).train) for fold in folds] for share in scores}
        if not best:
            return None
        return fitted(best[0].name, best[0].method, self.metric, sizes, scores, len(jobs.outer.parts.train))

    def _command(self, winner: Candidate) -> str:
        overrides = self.overrides
        if self.jobs.outer.changed:
            split = self.jobs.folds.split(self.jobs.folds.outside())
            path = f"split.path={split.params['path']}"
            overrides = [*self._data(), "split=file", path, f"split.name={split.name}", "label_ratio=full"]
        return shlex.join(["roftbench", "run", *self._chosen(winner), *overrides])

    def _production(self, winner: Candidate, saved: Saved) -> list[str]:
        """Return the commands that cross-validate the winner and fit it to all labels, test part included."""
        found = []
        for number, part in enumerate(winner.parts, 1):
            name = f"{saved.name or 'winner'}-all" + (f"-{number}" if len(winner.parts) > 1 else "")
            words = [*self._chosen(part), *self._data(), "split=cv5x5", f"split.by={self.settings.by}"]
            found.append(shlex.join(["roftbench", "run", "-m", *words, f"run.keep={name}"]))
        return found

    def _chosen(self, part: Candidate) -> list[str]:
        search = self.jobs.job_of(part).method.search
        folder = [] if self.folder is None else ["--config-dir", str(self.folder)]
        return [*folder, f"model={part.model}", f"method={part.method}", *["method.search=true"] * search]

    def _data(self) -> list[str]:
        """Return the overrides but for those of the split and the label ratio.

        Those of the user's table name its labels, which may have been guessed from what the split reads.
        """
        words = [text for text in self.overrides if not text.startswith(("split=", "split.", "label_ratio"))]
        spec = self.jobs.job.dataset
        if spec.path is not None and not any(text.startswith("dataset.targets=") for text in words):
            words.append(f"dataset.targets={quoted_list(spec.targets or ())}")
        return words
