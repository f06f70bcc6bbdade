"""Average ranks of methods in committed results, which determine the order of a race and nothing else."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roftbench.advise.candidates import Candidate
from roftbench.report.format import method_name

PATH = Path(__file__).parents[1] / "assets" / "prior.csv"  # made by scripts/make_prior.py


@dataclass(frozen=True)
class Prior:
    """Average ranks of methods in committed results, and their origin in words."""

    ranks: dict[str, float]
    origin: str

    @classmethod
    def of(cls, task: str, labels: int, path: Path = PATH) -> "Prior":
        """Return the ranks for a task at the nearest number of labels (by ratio)."""
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["task"] == task]
        if not rows:
            return cls({}, "no committed result is like this task")
        counts = {int(row["labels"]) for row in rows}
        nearest = min(counts, key=lambda count: (abs(math.log(count / labels)), count))
        rows = [row for row in rows if int(row["labels"]) == nearest]
        tables = max(int(row["tables"]) for row in rows)
        sums: dict[str, list[float]] = {}
        for row in rows:
            sums.setdefault(row["method"], []).append(float(row["average_rank"]))
        ranks = {name: sum(values) / len(values) for name, values in sums.items()}
        return cls(ranks, f"{tables} committed rankings of {task} at {nearest} labels")

    def order(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates, quick methods first, then by rank, those without a rank last; the sort is stable."""
        return sorted(candidates, key=lambda one: (not one.quick, self.ranks.get(one.method, math.inf)))

    def words(self) -> str:
        """Return the order of the race and its reason in words."""
        if not self.ranks:
            return f"{self.origin}: networks run in the order of advise.methods"
        best = sorted(self.ranks, key=lambda name: self.ranks[name])
        shown = ", ".join(f"{method_name(name)} {self.ranks[name]:.1f}" for name in best)
        return f"networks run in the order of {self.origin}, which affects nothing else: {shown}"
