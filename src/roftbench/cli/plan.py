"""`roftbench plan`: the jobs of a sweep and the time that they need; nothing runs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from roftbench.config.compose import clear_errors
from roftbench.console import duration
from roftbench.errors import JobError, UsageError
from roftbench.formatting import counted, printable, score_text
from roftbench.report.records import each_record
from roftbench.store.record_schema import RecordSummary
from roftbench.sweep import hydra_app
from roftbench.sweep.arguments import Arguments
from roftbench.sweep.estimate import estimate
from roftbench.sweep.launchers import workers
from roftbench.sweep.plan import Plan
from roftbench.sweep.progress import failed_lines

if TYPE_CHECKING:
    from roftbench.sweep.search import Search

SHOWN = 10  # failed jobs in the output


def run(arguments: Sequence[str], *, as_json: bool) -> int:
    """Print how many jobs of a sweep are done, failed and open, their fits and the estimated time; returns 0.

    Of a hyperparameter search, print how many trials are done, and the time of those that are left.

    Raises:
        UsageError: as `roftbench run` with the same arguments does.
    """
    try:
        if search := hydra_app.planned_search(arguments):
            with clear_errors(arguments, None):
                found = _of_search(search)
            lines = _search_lines(found)
        else:
            plan, settings = hydra_app.plan(arguments)
            with clear_errors(arguments, None):
                found = _found(plan, workers(settings.launcher))
            lines = _lines(plan, found, Arguments.parse(arguments, plan=True).command)
    except JobError as error:
        raise UsageError(str(error)) from None
    print(json.dumps(found, indent=1) if as_json else printable("\n".join(lines)))
    return 0


def _of_search(search: "Search") -> dict[str, Any]:
    trials, first = search.trials(), search.one_trial()
    best, ended = trials.best(), sum(one.ended for one in trials.all())
    left = max(0, search.settings.n_trials - ended)
    needed = asdict(estimate(first, _records(first)))
    hours = left * needed["seconds"] / 3600
    at_once = max(1, min(search.at_once, left))
    return {
        "trials": search.settings.n_trials,
        "trials_done": ended,
        "trials_to_run": left,
        "jobs_per_trial": len(first.jobs),
        "searched": list(search.space.axes),
        "sampler": search.settings.sampler,
        "metric": search.metric,
        "best": None if best is None else {"values": dict(best.values), "val": best.score},
        "hours_one_after_another": hours,
        "hours_several_at_a_time": hours / at_once,
        "trials_at_a_time": at_once,
        "why_without": needed["without"],
    }


def _search_lines(found: dict[str, Any]) -> list[str]:
    jobs = found["jobs_per_trial"]
    lines = [
        f"{'search':<15}{', '.join(found['searched'])} by validation {found['metric']}; sampler {found['sampler']}",
        f"{'trials':<15}{found['trials']:,} of {jobs} job{'s' * (jobs != 1)}",
        f"{'done':<15}{found['trials_done']:,}",
        f"{'to run':<15}{found['trials_to_run']:,}",
        f"{'estimate':<15}at most {_times(found, found['trials_at_a_time'])}",
        f"{'':<15}each as long as one with the first values: which jobs follow is decided by the scores before",
    ]
    if best := found["best"]:
        values = ", ".join(f"{key}={value}" for key, value in best["values"].items())
        lines.append(f"{'best':<15}{values}: val {score_text(best['val'], 4)}")
    return [*lines, *(f"{'':<15}without an estimate: {reason}" for reason in found["why_without"])]


def _times(found: dict[str, Any], several: int) -> str:
    """Return the times of jobs one after another, and of several at a time."""
    spent, shared_out = (found[f"hours_{how}"] * 3600 for how in ("one_after_another", "several_at_a_time"))
    return f"{duration(spent)} one after another" + (
        f", {duration(shared_out)} with {several} at a time" if several > 1 else ""
    )


def _found(plan: Plan, count: int | None) -> dict[str, Any]:
    states = [one.state for one in plan.jobs]
    needed = asdict(estimate(plan, _records(plan)))
    at_once = max(1, min(count or 1, len(plan.open)))
    return {
        "combinations": plan.combinations,
        "jobs": len(states),
        "done": states.count("done"),
        "failed_before": states.count("failed"),
        "skipped_before": states.count("skipped"),
        "to_run": len(plan.open),
        "fits": {"needed": needed["fits"], "after_sharing": needed["shared"], "in_store": needed["in_store"]},
        "hours_one_after_another": needed["seconds"] / 3600,
        "workers": count,
        "hours_several_at_a_time": max(needed["seconds"] / at_once, needed["longest"]) / 3600,
        "jobs_without_estimate": sum(needed["without"].values()),
        "why_without": needed["without"],
        "measured_models": list(needed["measured"]),
    }


def _records(plan: Plan) -> Iterator[RecordSummary]:
    stores = {one.store.root: one.store for one in plan.jobs}
    found = (record for store in stores.values() for record in each_record(store))
    return (record for record in found if isinstance(record, RecordSummary))


def _lines(plan: Plan, found: dict[str, Any], command: Sequence[str]) -> list[str]:
    fits = found["fits"]
    lines = [
        f"{'jobs':<15}{found['jobs']:,}",
        f"{'done':<15}{found['done']:,}",
        f"{'failed before':<15}{found['failed_before']:,}",
        *([f"{'skipped before':<15}{found['skipped_before']:,}"] if found["skipped_before"] else []),
        f"{'to run':<15}{found['to_run']:,}",
        f"{'fits':<15}{fits['needed']:,}, after sharing {fits['after_sharing']:,}, in the store {fits['in_store']:,}",
        f"{'estimate':<15}{_times(found, min(found['workers'] or 1, found['to_run']))}",
    ]
    if plan.combinations != found["jobs"]:
        lines[0] += f" ({plan.combinations:,} combinations)"
    if found["measured_models"]:
        lines.append(f"{'':<15}one epoch measured here: {', '.join(found['measured_models'])}; otherwise from records")
    for reason, count_of in found["why_without"].items():
        lines.append(f"{'':<15}without {counted(count_of, 'job')}: {reason}")
    failed = [one for one in plan.jobs if one.state == "failed"]
    for one in failed[:SHOWN]:
        failure = one.store.failure(one.key)
        lines.append(failed_lines(command, one, failure.error if failure else "its failure cannot be read"))
    return lines + ([f"  and {len(failed) - SHOWN} more"] if len(failed) > SHOWN else [])
