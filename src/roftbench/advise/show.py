"""An advice on the terminal, as Markdown and as JSON."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from roftbench.advise.advice import Advice
from roftbench.advise.race import Runner
from roftbench.advise.reasons import alike, reasons
from roftbench.files import write_text
from roftbench.progress import shown
from roftbench.report.text import MISSING, markdown_table, metric_name

HEADER = ["", "candidate", "mean", "folds", "range", "winner minus it (95 %)", "s a job", "test"]
WIDTH = 150  # where the output is no terminal


def show(advice: Advice, console: Console) -> None:
    """Print the leaderboard and the recommendation."""
    table = Table(title=f"{advice.dataset} · {metric_name(advice.metric)} · {advice.folds}", box=None)
    for name in HEADER:
        table.add_column(name, no_wrap=name != "candidate", justify="left" if name in HEADER[:2] else "right")
    for row in rows(advice):
        table.add_row(*row, style="bold" if row[0] == "1" else "")
    console.print(table)
    for line in [*reasons(advice), "", *commands(advice)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def write(advice: Advice, folder: Path) -> list[Path]:
    """Write advice.md and advice.json into a folder; returns their paths."""
    text = [
        f"# {advice.dataset}: which model, which method",
        f"{metric_name(advice.metric)}, {advice.folds}.",
        markdown_table(HEADER, rows(advice)),
        "\n".join(f"- {line}" for line in reasons(advice)),
        "```\n" + "\n".join(commands(advice)) + "\n```",
    ]
    write_text(folder / "advice.md", "\n\n".join(text) + "\n")
    write_text(folder / "advice.json", json.dumps(to_dict(advice), indent=1, allow_nan=False) + "\n")
    return [folder / "advice.md", folder / "advice.json"]


def commands(advice: Advice) -> list[str]:
    """Return the commands that repeat the winner's jobs, and the one that predicts with what was kept."""
    if not advice.kept:
        return advice.commands
    folders = ",".join(shown(folder) for folder in advice.kept)
    words = ["roftbench", "predict", f"model_dir={folders}", "input=new.csv", "output=predictions.csv"]
    return [*advice.commands, shlex.join(words)]


def rows(advice: Advice) -> list[list[str]]:
    """Return the leaderboard: "≈" marks who cannot be told from the winner."""
    return [_row(advice, number, one) for number, one in enumerate(advice.ranked, 1) if one.scores or one.failure]


def _row(advice: Advice, number: int, one: Runner) -> list[str]:
    mark = str(number) + (" ≈" if alike(advice, one) else "")
    values = [value for value in one.scores.values() if value is not None]
    if one.failure or not values:
        return [mark, one.name, "failed" if one.failure else "undefined", *[MISSING] * 5]
    found = advice.behind.get(one.name)
    behind = MISSING
    if found is not None:
        interval = "" if math.isnan(found.low) else f" [{found.low:.3f}, {found.high:.3f}]"
        behind = f"{found.mean:+.3f}{interval}"
    test = advice.test[one.name].mean if one.name in advice.test else None
    level = advice.levels.get(one.name, sum(values) / len(values))
    mean, low, high = (f"{value:.3f}" for value in (level, min(values), max(values)))
    spent = MISSING if one.seconds is None else f"{one.seconds:.1f}"
    last = MISSING if test is None else f"{test:.3f}"
    return [mark, one.name, mean, str(len(one.scores)), f"{low} to {high}", behind, spent, last]


def to_dict(advice: Advice) -> dict[str, Any]:
    """Return an advice in plain values, with the keys of all jobs behind it."""
    return {
        "dataset": advice.dataset,
        "metric": advice.metric,
        "labels": advice.labels,
        "folds": advice.folds,
        "candidates": [
            {
                "model": one.model,
                "method": one.method,
                "mean": advice.levels.get(one.name),
                "scores": list(one.scores.values()),
                "jobs": [record["key"] for part in one.parts for record in part.records.values()],
                "indistinguishable": alike(advice, one),
                "failure": one.failure or None,
                "test": advice.test[one.name].scores if one.name in advice.test else [],
                "test_jobs": advice.test[one.name].jobs if one.name in advice.test else [],
            }
            for one in advice.ranked
        ],
        "reasons": reasons(advice),
        "commands": advice.commands,
        "models": [str(path) for path in advice.kept],
    }
