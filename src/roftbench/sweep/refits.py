"""Models that are fitted to all labeled molecules once jobs have judged their configuration (run.keep=all)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from roftbench.config.environment import ALL, RunContext
from roftbench.config.job import FOLD, FOLDS, Job
from roftbench.console import duration, logged, note, say, shown
from roftbench.errors import JobError, UsageError
from roftbench.predict.evaluation import Evaluation
from roftbench.predict.save import save
from roftbench.predict.saved_model import CARD, DESCRIPTION, read_saved
from roftbench.predict.verdict import verdict
from roftbench.runner.run import run_job
from roftbench.store.checksums import digest
from roftbench.store.record_schema import Record
from roftbench.sweep.job_summary import announce


@dataclass(frozen=True)
class Refit:
    """A configuration that is to be fitted to all labeled molecules.

    job: the refit: the job of the first fold, with its test part in train. judges: the jobs that judge the
    configuration, one per fold in order of folds, or a single one.
    """

    job: Job
    context: RunContext
    judges: tuple[Job, ...]

    @property
    def saved(self) -> bool:
        """Whether the model is saved, with the scores of these judges."""
        if self.context.run.rerun or not self.context.store.has_model(self.job.key):
            return False
        try:
            facts = json.loads((self.context.store.model_path(self.job.key) / DESCRIPTION).read_bytes())
            return bool(facts["evaluation"]["jobs"] == [job.key for job in self.judges])
        except (OSError, ValueError, KeyError, TypeError):  # damaged: it is written again
            return False


def refits_of(jobs: Iterable[tuple[Job, RunContext]]) -> list[Refit]:
    """Return the models that run.keep=all asks for: one per configuration, and per seed if folds have several seeds.

    Raises:
        UsageError: folds are missing, or not all labels are used.
    """
    groups: dict[str, list[tuple[Job, RunContext]]] = {}
    for job, context in jobs:
        if context.run.keep == ALL:
            _check_all_labels(job, context)
            groups.setdefault(digest(replace(_without_fold(job), seed=0).identity()), []).append((job, context))
    return [_refit(members) for group in groups.values() for members in _by_seed(group)]


def _check_all_labels(job: Job, context: RunContext) -> None:
    if (ratio := job.label_ratio.name) != "full":
        problem = f"run.keep={_wanted(context)} fits a model to all labels, but label_ratio={ratio} leaves some out"
        raise UsageError(problem, key="label_ratio", got=ratio, hint="Give label_ratio=full, or run.keep=true")


def _wanted(context: RunContext) -> str:
    """Return run.keep as it was given."""
    return context.name or ALL


def _without_fold(job: Job) -> Job:
    params = {name: value for name, value in job.split.params.items() if name != FOLD}
    return replace(job, split=replace(job.split, params=params))


def _fold(job: Job) -> int:
    return int(job.split.params.get(FOLD) or 0)


def _by_seed(group: Sequence[tuple[Job, RunContext]]) -> list[list[tuple[Job, RunContext]]]:
    """Return the jobs of each seed where a fold has several seeds; otherwise all, as the seed follows the fold."""
    if len({_fold(job) for job, _ in group}) == len(group):
        return [list(group)]
    return [[one for one in group if one[0].seed == seed] for seed in sorted({job.seed for job, _ in group})]


def _refit(members: Sequence[tuple[Job, RunContext]]) -> Refit:
    members = sorted(members, key=lambda one: _fold(one[0]))
    first, context = members[0]
    if first.has_folds:
        folds, found = first.split.params[FOLDS], {_fold(job) for job, _ in members}
        lacking = {repeat * folds + fold for repeat in {one // folds for one in found} for fold in range(folds)} - found
        if lacking or first.split.params[FOLD] is None:
            problem = f"run.keep={_wanted(context)} needs the scores of every fold: {len(lacking) or folds} are missing"
            raise UsageError(
                problem,
                key="split.fold",
                got=first.split.params[FOLD],
                hint="Add -m and leave split.fold out: all folds are run",
            )
    return Refit(replace(first, refit=True), context, tuple(job for job, _ in members))


def keep_all(refits: Sequence[Refit], *, quiet: bool) -> None:
    """Fit and save the models of all judged configurations; a configuration that was not judged is named.

    Args:
        refits: The models; one that is saved already is not fitted again.
        quiet: Whether the lines of each fit go to its log alone.

    Raises:
        JobError: A model could not be fitted or saved; all others are.
        UsageError: The device is not available, or results cannot be written.
    """
    failed = [one for one in refits if not _keep(one, quiet=quiet)]
    if failed:
        raise JobError(f"{len(failed)} of {len(refits)} models could not be fitted to all labels")


def _keep(one: Refit, *, quiet: bool) -> bool:
    """Fit and save a model; returns False if that failed."""
    store, key = one.context.store, one.job.key
    what = f"{one.job.model.name} · {one.job.method.name}, all labels of {one.job.dataset.name}"
    if not one.saved:
        found = [store.get(job.key) for job in one.judges]
        records = tuple(record for record in found if record is not None)
        if len(records) < len(found):
            say(f"{what}: not fitted, as {len(found) - len(records)} of {len(found)} jobs have no scores")
            return True  # a job that failed has been reported, and one that is skipped makes no sense
        say(f"fitting {what}")
        context = one.context.running(keep=True)
        with logged(store.log_path(key), quiet=quiet):
            outcome = run_job(one.job, context, announce, partial(save, evaluation=Evaluation(records)))
            if not isinstance(outcome.record, Record):
                assert outcome.record is not None
                note(outcome.record.traceback or "")
        if not isinstance(outcome.record, Record):
            say(f"  {outcome.record.status}: {outcome.record.error}")
            return outcome.record.status == "skipped"
        say(f"  {duration(sum(outcome.record.seconds.values()))}")
    saved = read_saved(store.model_path(key))
    say(f"{'model':>9}  {shown(saved.folder)}  (roftbench predict model_dir={shown(saved.folder)} input=… output=…)")
    for label, text in verdict(saved):
        say(f"{label:>9}  {text}")
    say(f"{'card':>9}  {shown(saved.folder / CARD)}")
    return True
