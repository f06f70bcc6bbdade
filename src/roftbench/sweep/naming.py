"""The name of the saved model of a command: checked before its first job, given once all its models are saved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.paths import absolute, paths_of
from roftbench.console import say, shown
from roftbench.errors import UsageError
from roftbench.overrides import as_needed
from roftbench.store.checksums import digest
from roftbench.store.names import Kept, Names
from roftbench.sweep.refits import Refit, refits_of

KEY = "run.keep"


@dataclass(frozen=True)
class Naming:
    """A name and the models that it will stand for; without a name, nothing is done."""

    kept: Kept
    context: RunContext

    @classmethod
    def of(cls, jobs: Sequence[tuple[Job, RunContext]], refits: Sequence[Refit], by: str = "") -> "Naming | None":
        """Return the naming that run.keep=NAME asks for, None without a name.

        Args:
            jobs: The jobs of a command.
            refits: The models that are fitted to all labels once they are judged.
            by: What may give the name to another of its models later, such as a search to its next best trial.

        Raises:
            UsageError: The jobs have several configurations, or the name is that of another model.
        """
        if not jobs or not (name := jobs[0][1].name):
            return None
        context = jobs[0][1]
        models = [one.job for one in refits] or [job for job, _ in jobs]
        if (count := len({digest(replace(job, seed=0).identity()) for job in models})) > 1:
            problem = f"{KEY}={name} names one model, but these jobs have {count} configurations"
            hint = "Give one of each (several seeds predict together), or run.keep=true."
            raise UsageError(problem, key=KEY, got=name, hint=hint)
        kept = Kept(name, tuple(dict.fromkeys(job.key for job in models)), by)
        Names(context.store).check_free(KEY, kept, overwrite=context.run.overwrite)
        return cls(kept, context)

    def conclude(self) -> None:
        """Give the name if all models are saved, and print how to use it.

        Raises:
            UsageError: The name was given to another model meanwhile, or cannot be written.
        """
        names, name = Names(self.context.store), self.kept.name
        if lacking := [key for key in self.kept.keys if not self.context.store.has_model(key)]:
            say(f"{'name':>9}  {name}: not given, as {len(lacking)} of {len(self.kept.keys)} models are missing")
            return
        names.put(KEY, self.kept, overwrite=self.context.run.overwrite)
        say(f"{'name':>9}  {name}")
        for line in uses(name, self.context):
            say(f"{'':>9}  {line}", wrap=False)


def kept_of(jobs: Sequence[tuple[Job, RunContext]], by: str = "") -> tuple[list[Refit], Naming | None]:
    """Return the models of a command that are to be fitted to all labels, and their naming.

    Raises:
        UsageError: As `refits_of` and `Naming.of` do.
    """
    refits = refits_of(jobs)
    return refits, Naming.of(jobs, refits, by)


def uses(name: str, context: RunContext) -> list[str]:
    """Return the commands that use a named model."""
    here = context.results == absolute(paths_of([]).results)
    place = "" if here else f" paths.results={as_needed(shown(context.results))}"
    return [
        f"roftbench predict model={name} input=new.csv output=predictions.csv{place}",
        f"roftbench serve {name}{place}",
    ]
