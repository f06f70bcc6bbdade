"""A recommendation on the terminal and as JSON."""

import math
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from roftbench.advise.candidates import Candidate, defined, mean_of
from roftbench.advise.explain import alike, reasons
from roftbench.advise.learning_curve import LearningCurve
from roftbench.advise.recommendation import Advice
from roftbench.formatting import printable_name, score_text
from roftbench.report.format import MISSING, metric_name

HEADER = ["", "candidate", "test", "mean", "folds", "range", "winner minus this (95 %)", "s per job"]
WIDTH = 150  # where the output is no terminal


def show(advice: Advice, console: Console) -> None:
    """Print what the budget left open, the leaderboard and the recommendation."""
    lines = reasons(advice)
    first = lines[:1] if advice.ending.stopped else []
    table = Table(title=_text(f"{advice.dataset} · {metric_name(advice.metric)} · {advice.folds}"), box=None)
    for name in HEADER:
        table.add_column(name, no_wrap=name != "candidate", justify="left" if name in HEADER[:2] else "right")
    for row in rows(advice):
        table.add_row(*map(_text, row), style="bold" if row[0] == "1" else "")
    warnings = [f"warning  {text}" for text in advice.warnings]
    rest = [_text(line) for line in [*lines[len(first) :], *warnings, "", *commands(advice)]]
    for part in [*map(_text, first), table, *rest]:
        console.print(part, highlight=False, soft_wrap=part is not table)


def _text(text: str) -> Text:
    """Return a text for the terminal, without markup and control characters."""
    return Text(printable_name(text))


def commands(advice: Advice) -> list[str]:
    """Return the commands that repeat the winner's jobs, those that use its saved models, and those for a model of all
    labels.
    """
    return [*advice.commands, *advice.saved.commands, *advice.production]


def rows(advice: Advice) -> list[list[str]]:
    """Return the leaderboard; "≈" marks candidates not distinguished from the winner, the null model is last."""
    found = [_row(advice, str(number), one) for number, one in enumerate(advice.ranked, 1) if one.scores or one.failure]
    return [*found, _row(advice, "", advice.null)]


def _row(advice: Advice, number: str, one: Candidate) -> list[str]:
    mark = number + (" ≈" if number and alike(advice, one) else "")
    values = [value for value in one.scores.values() if value is not None]
    if one.failure or not values:
        return [mark, one.name, "failed" if one.failure else "undefined", *[MISSING] * 5]
    found = advice.behind.get(one.name)
    behind = MISSING
    if found is not None:
        interval = "" if math.isnan(found.low) else f" [{score_text(found.low)}, {score_text(found.high)}]"
        behind = f"{'+' * (found.mean >= 0)}{score_text(found.mean)}{interval}"
    test = advice.test[one.name].mean if one.name in advice.test else None
    mean, low, high = (score_text(value) for value in (sum(values) / len(values), min(values), max(values)))
    spent = MISSING if one.seconds is None else f"{one.seconds:.1f}"
    tested = MISSING if test is None else score_text(test)
    return [mark, one.name, tested, mean, str(len(one.scores)), f"{low} to {high}", behind, spent]


def to_dict(advice: Advice) -> dict[str, Any]:
    """Return an advice as plain values, with the keys of its jobs."""
    return {
        "dataset": advice.dataset,
        "metric": advice.metric,
        "labels": advice.labels,
        "folds": advice.folds,
        "candidates": [
            {
                "model": one.model,
                "method": one.method,
                "mean": mean_of(one, defined([one])),
                "scores": list(one.scores.values()),
                "folds": [fold + 1 for fold in one.scores],
                "jobs": [record.key for part in one.parts for record in part.records.values()],
                "indistinguishable": alike(advice, one),
                "failure": one.failure or None,
                "test": advice.test[one.name].scores if one.name in advice.test else [],
                "test_jobs": advice.test[one.name].jobs if one.name in advice.test else [],
            }
            for one in advice.ranked
        ],
        "baseline": {
            "name": advice.null.name,
            "scores": list(advice.null.scores.values()),
            "test": advice.test[advice.null.name].mean,
        },
        "decided": not advice.ending.undecided,
        "run_to_its_end": not advice.ending.stopped,
        "test": advice.saved.score,
        "warnings": advice.warnings,
        "quality": [[one.state, one.subject, one.text] for one in advice.quality],
        "learning_curve": None if advice.curve is None else _curve(advice.curve),
        "reasons": reasons(advice),
        "commands": advice.commands,
        "production": advice.production,
        "name": advice.saved.name,
        "models": [str(path) for path in advice.saved.folders],
    }


def _curve(curve: LearningCurve) -> dict[str, Any]:
    gain = curve.gain
    return {
        "candidate": curve.name,
        "molecules": [point.molecules for point in curve.points],
        "scores": [point.mean for point in curve.points],
        "exponent": None if curve.exponent is None else [curve.exponent, curve.low, curve.high],
        "more_labels": None if gain is None else gain.labels,
        "change": None if gain is None else [curve.sign * one for one in (gain.mean, gain.low, gain.high)],
    }
