"""Leaderboards of `roftbench advise` as the report's page shows them, from its advice.json files."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roftbench.formatting import score_text
from roftbench.report.format import MISSING, metric_name

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdviceTable:
    """A leaderboard over folds within the labeled molecules.

    Attributes:
        title: data set, metric and folds, in words.
        header: names of the columns.
        rows: a row per candidate, the best first, and one for the null model.
        reasons: sentences about the result.
        commands: commands that repeat the winner's jobs.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    reasons: list[str]
    commands: list[str]


def read_advice(results: Path) -> list[AdviceTable]:
    """Return the leaderboards of all advice under a results folder; a file that cannot be read is reported."""
    found = []
    for path in sorted((results / "advise").glob("*/advice.json")):
        try:
            found.append(_table(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("%s cannot be read and is not shown: %s", path, error)
    return sorted(found, key=lambda one: one.title)


def _table(advice: dict[str, Any]) -> AdviceTable:
    candidates = [one for one in advice["candidates"] if one["scores"] or one["failure"]]
    folds = sorted({fold for one in candidates for fold in one["folds"]})
    null = {**advice["baseline"], "folds": candidates[0]["folds"]}
    rows = []
    for at, one in enumerate(candidates, 1):
        mark = f"{at} ≈" if one["indistinguishable"] else str(at)
        rows.append(_row(mark, f"{one['model']} · {one['method']}", one, one["test"], folds))
    rows.append(_row("", null["name"], null, [null["test"]], folds))
    return AdviceTable(
        title=f"{advice['dataset']}, {metric_name(advice['metric'])}, {advice['folds']}",
        header=["", "Candidate", "Test", "Mean of folds", *(f"Fold {fold}" for fold in folds)],
        rows=rows,
        reasons=list(map(str, advice["reasons"])),
        commands=list(map(str, advice["commands"])),
    )


def _row(mark: str, name: str, one: dict[str, Any], test: list[float | None], folds: list[int]) -> list[str]:
    if one.get("failure"):
        return [mark, name, "failed", *[MISSING] * (len(folds) + 1)]
    by_fold = dict(zip(one["folds"], one["scores"], strict=True))
    scores = [score_text(by_fold[fold]) if fold in by_fold else MISSING for fold in folds]
    return [mark, name, _mean(test), _mean(list(by_fold.values())), *scores]


def _mean(scores: list[float | None]) -> str:
    """Return a mean as text; undefined scores of folds are left out, as `advise` does."""
    known = [score for score in scores if score is not None]
    if not known:
        return score_text(None) if scores else MISSING
    return score_text(sum(known) / len(known))
