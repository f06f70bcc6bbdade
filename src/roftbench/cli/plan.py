"""`roftbench plan`: the jobs of a sweep and the time that they need; nothing runs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from roftbench.config.compose import clear_errors
from roftbench.console import duration
from roftbench.errors import JobError, UsageError
from roftbench.formatting import printable
from roftbench.report.records import each_record
from roftbench.store.record_schema import RecordSummary
from roftbench.sweep import hydra_app
from roftbench.sweep.arguments import Arguments
from roftbench.sweep.estimate import estimate
from roftbench.sweep.launchers import workers
from roftbench.sweep.plan import Plan
from roftbench.sweep.progress import failed_lines

SHOWN = 10  # failed jobs in the output


def run(arguments: Sequence[str], *, as_json: bool) -> int:
    """Print how many jobs of a sweep are done, failed and open, their fits and the estimated time; returns 0.

    Raises:
        UsageError: as `roftbench run` with the same arguments does.
    """
    plan, settings = hydra_app.plan(arguments)
    try:
        with clear_errors(arguments, None):
            found = _found(plan, workers(settings.launcher))
    except JobError as error:
        raise UsageError(str(error)) from None
    lines = _lines(plan, found, Arguments.parse(arguments, plan=True).command)
    print(json.dumps(found, indent=1) if as_json else printable("\n".join(lines)))
    return 0


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
    spent, shared_out = (found[f"hours_{how}"] * 3600 for how in ("one_after_another", "several_at_a_time"))
    several = min(found["workers"] or 1, found["to_run"])
    how = f", {duration(shared_out)} with {several} at a time" if several > 1 else ""
    lines = [
        f"{'jobs':<15}{found['jobs']:,}",
        f"{'done':<15}{found['done']:,}",
        f"{'failed before':<15}{found['failed_before']:,}",
        *([f"{'skipped before':<15}{found['skipped_before']:,}"] if found["skipped_before"] else []),
        f"{'to run':<15}{found['to_run']:,}",
        f"{'fits':<15}{fits['needed']:,}, after sharing {fits['after_sharing']:,}, in the store {fits['in_store']:,}",
        f"{'estimate':<15}{duration(spent)} one after another{how}",
    ]
    if plan.combinations != found["jobs"]:
        lines[0] += f" ({plan.combinations:,} combinations)"
    if found["measured_models"]:
        lines.append(f"{'':<15}one epoch measured here: {', '.join(found['measured_models'])}; otherwise from records")
    for reason, count_of in found["why_without"].items():
        lines.append(f"{'':<15}without {count_of:,} jobs: {reason}")
    failed = [one for one in plan.jobs if one.state == "failed"]
    for one in failed[:SHOWN]:
        failure = one.store.failure(one.key)
        lines.append(failed_lines(command, one, failure.error if failure else "its failure cannot be read"))
    return lines + ([f"  and {len(failed) - SHOWN} more"] if len(failed) > SHOWN else [])
