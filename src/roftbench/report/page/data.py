"""Data of the report's page as plain JSON values: cells, ranks, statistics and jobs."""

import json
from typing import Any

import pandas as pd

from roftbench.console import bar
from roftbench.report.aggregate import BUDGET, CELL, COST, cells, mean_rank, selected, unfinished_table
from roftbench.report.cell_key import canonical_json
from roftbench.report.page import facts
from roftbench.report.page import statistics as page_stats
from roftbench.report.page.contests import page_contests
from roftbench.report.page.jobs import Interned, fit_curves, job_row, params_of, short
from roftbench.report.page.lists import OWN, lists_of, numbers_of
from roftbench.report.query import Request
from roftbench.report.tables.footnotes import run_name, spread_notes
from roftbench.store.record_schema import Failure, RecordSummary
from roftbench.store.results import Store

_Data = dict[str, Any]
_View = tuple[pd.DataFrame, pd.DataFrame]  # long table and cells by one metric


def page_data(
    store: Store | None,
    records: list[RecordSummary],
    failures: list[Failure],
    long: pd.DataFrame,
    request: Request | None = None,
) -> _Data:
    """Return the data of the page; equal records give equal data.

    `records` and `failures` are those of the store or, without a store, of `read_scores`; `long` is the records'
    `long_table`; `request` names reference and delta of comparisons. Rows refer to models, methods, data sets, params
    and jobs by their indices in the lists. null is an undefined score.
    """
    done = sorted(records, key=lambda record: record.key)
    failed = unfinished_table(done, failures)
    lists = lists_of(long, done, failed)
    shared = {name: Interned() for name in ("params", "envs", "data", "warnings", "epochs")}
    jobs = []
    for record in bar(done, "reading jobs", "job", delay=page_stats.PATIENCE):
        metrics = lists["metrics_of"][record.job["dataset"]["task"]]
        jobs.append(job_row(record, store.get(record.key) if store else None, metrics, shared))
    points = fit_curves(jobs, shared["epochs"])
    views = _views(long, done, lists)
    contests = page_contests(views, failed, done, request or Request(), lists)
    return {
        **lists,
        "tables": _tables(views, failed, lists),
        "cells": _cells(long, views, lists, done, shared["params"]),
        "unfinished": _unfinished(failed, lists),
        "jobs": jobs,
        "points": points,
        "from_scores": store is None,
        **_spread(views[OWN][1]),
        **page_stats.statistics(views[OWN][1], long, lists, contests["reference"]),
        **contests,
        **facts.facts(long, done, failures, jobs, shared["envs"]),
        **{name: interned.values for name, interned in shared.items()},
    }


def _spread(table: pd.DataFrame) -> _Data:
    """Return what means and their ± are over, in words: "runs" ("seed", "fold" or "run") and "spread"."""
    whole = table[(table["n"] == table["n_expected"]) & (table["n"] > 1) & table["mean"].notna()]
    runs = run_name(table["replicates"]).removeprefix("training ")
    return {"runs": runs, "spread": " ".join(spread_notes(whole.to_dict("records")))}


def _views(long: pd.DataFrame, done: list[RecordSummary], lists: _Data) -> dict[str, _View]:
    """Long table and `cells` by each metric, and by each data set's own.

    Params are always selected by the data set's own metric.
    """
    tests = {
        (record.key, canonical_json(params_of(record, one.params))): one.test
        for record in done
        for one in record.candidates
    }
    scores = [tests[key, params] for key, params in zip(long["key"], long["params"], strict=True)]
    views = {OWN: long}
    for task, metrics in lists["metrics_of"].items():
        for metric in metrics if (long["task"] == task).any() else ():
            column = pd.Series([one.get(metric) for one in scores], index=long.index, dtype=float)
            views[metric] = long.assign(test=column, metric=metric)[long["task"] == task]
    shown = bar(views.items(), "tables by each metric", "metric", delay=page_stats.PATIENCE)
    return {name: (view, cells(view)) for name, view in shown}


def _tables(views: dict[str, _View], failed: pd.DataFrame, lists: _Data) -> list[_Data]:
    """Return per setting and task the number of seeds of a complete cell, and average ranks by each metric.

    Without a finished job, it is the number of seeds that were tried, without ranks.
    """
    setting_at, _, method_at = numbers_of(lists)
    groups = {name: dict(list(mean_rank(table).groupby(["setting", "task"]))) for name, (_, table) in views.items()}
    entries = []
    for (setting, task), group in views[OWN][1].groupby(["setting", "task"]):
        found = {name: groups[name][setting, task] for name in [OWN, *lists["metrics_of"][task]]}
        ranks = {
            name: {
                "over": int(rows["datasets"].iloc[0]),
                "of": {method_at[row["method"]]: short(row["average_rank"]) for row in rows.to_dict("records")},
            }
            for name, rows in found.items()
        }
        expected = int(group["n_expected"].iloc[0])
        entries.append({"setting": setting_at[setting], "task": task, "expected": expected, "ranks": ranks})
    there = {(entry["setting"], entry["task"]) for entry in entries}
    for (setting, task), group in failed.groupby(["setting", "task"]):
        if (setting_at[setting], task) not in there:
            none = {name: {"over": 0, "of": {}} for name in [OWN, *lists["metrics_of"][task]]}
            entries.append(
                {"setting": setting_at[setting], "task": task, "expected": group["replicate"].nunique(), "ranks": none}
            )
    return sorted(entries, key=lambda entry: (entry["setting"], entry["task"]))


def _cells(
    long: pd.DataFrame, views: dict[str, _View], lists: _Data, done: list[RecordSummary], params: Interned
) -> list[list[Any]]:
    """Return one row per cell: setting, data set, method, seeds, params, tuned, jobs, scores, tried, labels, cost.

    Scores: mean and standard deviation (ddof 0) by each of the task's metrics. Tried, where there was a choice: params,
    number of seeds, mean val and mean test score of each. Labels: how many were used for weights, selection and
    interpolation coefficients. Cost: trained parameters, seconds and CPU seconds of the fits (null: not known).
    """
    settings, datasets, methods = numbers_of(lists)
    jobs = {record.key: i for i, record in enumerate(done)}
    chosen = selected(long).sort_values(["seed", "replicate"])
    behind = {cell: [jobs[key] for key in keys] for cell, keys in chosen.groupby(CELL)["key"]}
    scored = {metric: _scored(table) for metric, (_, table) in views.items() if metric != OWN}
    tried = _tried(long, params)
    rows = []
    for row in views[OWN][1].to_dict("records"):
        cell = (row["setting"], row["dataset"], row["method"])
        names = (settings[cell[0]], datasets[cell[1]], methods[cell[2]])
        scores = [scored[metric][cell] for metric in lists["metrics_of"][row["task"]]]
        chosen_params = params.place(json.loads(row["params"]))
        labels = [short(row[column]) for column in BUDGET]
        cost = [short(row[column], 9) for column in COST]
        about = (row["n"], chosen_params, row["tuned"], behind[cell])
        rows.append([*names, *about, scores, tried.get(cell, []), labels, cost])
    return sorted(rows, key=lambda row: row[:3])


def _unfinished(failed: pd.DataFrame, lists: _Data) -> list[list[Any]]:
    """Return one row per cell with failed or skipped jobs: setting, data set, method, status (failed first)."""
    settings, datasets, methods = numbers_of(lists)
    found = failed.groupby(CELL)["status"].min().reset_index()
    columns = (found[name] for name in (*CELL, "status"))
    return sorted([settings[s], datasets[d], methods[m], status] for s, d, m, status in zip(*columns, strict=True))


def _scored(table: pd.DataFrame) -> dict[tuple[str, str, str], list[float | None]]:
    """Return [mean, std] per cell of a view."""
    numbers = zip(table["mean"], table["std"], strict=True)  # all digits, so that they round as the tables do
    listed = [[short(mean, 17), short(std, 17)] for mean, std in numbers]
    return dict(zip(zip(*(table[name] for name in CELL), strict=True), listed, strict=True))


def _tried(long: pd.DataFrame, params: Interned) -> dict[tuple[str, str, str], list[list[Any]]]:
    """Return the candidates of cells with several: `cells` of each params alone."""
    several = long[long.groupby(CELL)["params"].transform("nunique") > 1]
    if several.empty:
        return {}
    # With params as part of the method, each candidate is a cell of its own.
    alone = several.assign(method=several["method"] + "\0" + several["params"], test=several["test_own"])
    test, val = cells(alone), cells(alone.assign(test=alone["val"]))
    found: dict[tuple[str, str, str], list[list[Any]]] = {}
    for row, mean_val in zip(test.to_dict("records"), val["mean"], strict=True):
        cell = (row["setting"], row["dataset"], row["method"].partition("\0")[0])
        numbers = [row["n"], short(mean_val), short(row["mean"])]
        found.setdefault(cell, []).append([params.place(json.loads(row["params"])), *numbers])
    return found
