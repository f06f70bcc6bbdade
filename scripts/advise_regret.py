"""Measure what `roftbench advise` costs against hindsight: its recommendation and the best candidate on a test part.

    python -m scripts.advise_regret TABLES --results DIR --output DIR [--tables A,B] [--labels 50,100] [--budgets 4m]

TABLES is a folder of CSV files as in MoleculeACE 3.0.0 (MIT; `MoleculeACE/Data/benchmark_data` in its wheel): columns
`smiles` and `y`. Each table is cut at random into 60 % train, 10 % val and 30 % test; so many labels are drawn, those
for validation included, and advised on. Then every candidate is fitted to the same labels once, and judged on the same
test part. The regret is by how much the recommendation's test RMSE, of its members' mean as they are kept, is above
that of the best candidate.

The clock is a recorded one: each job of a race is charged the seconds in its record, whoever ran it. So a job runs
once, a larger budget goes on from the smaller ones' jobs, and after an interruption the same command goes on where it
was. A race that is in OUTPUT is not repeated. Seconds are those of the processor, on one thread: what else the machine
does changes no budget.
"""

import argparse
import csv
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from roftbench.advise.advisor import Advisor
from roftbench.advise.settings import separated
from roftbench.console import logged
from roftbench.report.format import markdown_table
from roftbench.store.files import write_text

# Of the first four the bundled encoders saw at most 1 % of the molecules in pretraining, of the others 99 %.
TABLES = ("CHEMBL2835_Ki", "CHEMBL4005_Ki", "CHEMBL4616_EC50", "CHEMBL4792_Ki", "CHEMBL2147_Ki", "CHEMBL204_Ki")
FOREST = "ecfp · random_forest"
ROWS = [
    "labels",
    "budget",
    "table",
    "recommended",
    "its test",
    "best in hindsight",
    "its test",
    "regret",
    "forest",
    "behind it",
]
SUMMARY = ["labels", "budget", "tables", "mean regret", "worst regret", "worst behind the forest", "not decided"]


@dataclass(frozen=True)
class Cell:
    """A race: what it recommended, and what every candidate scored on the same test part (RMSE, the first seed)."""

    labels: int
    budget: str
    table: str
    recommended: str
    test: float
    decided: bool
    used: float
    scores: dict[str, float]

    @property
    def best(self) -> str:
        """The name of the best candidate in hindsight."""
        return min(self.scores, key=lambda name: self.scores[name])

    @property
    def regret(self) -> float:
        """By which share the recommendation's RMSE is above that of the best candidate in hindsight."""
        return self.test / self.scores[self.best] - 1

    @property
    def behind_forest(self) -> float:
        """By which share the recommendation's RMSE is above the forest's."""
        return self.test / self.scores[FOREST] - 1


def raced(path: Path, labels: int, budget: str, overrides: Sequence[str]) -> Cell:
    """Advise on a table with so many labels, and judge every candidate on the same test part."""
    words = [
        "dataset=csv", f"dataset.path={path}", "dataset.smiles_column=smiles", "dataset.targets=[y]",
        "dataset.task=regression", "split=random", "split.fractions=[0.6,0.1,0.3]", f"label_ratio.count={labels}",
        "label_ratio.val_budget=strict", "advise.by=random", f"advise.budget={budget}", *overrides,
    ]  # fmt: skip
    settings, others = separated(words)
    with logged(None, quiet=True):
        advisor = Advisor(settings, others, None, recorded=True)
        advice = advisor.run()
        used = advisor.budget.used()
        found = {one.name: advisor.jobs.alone(one) for one in advisor.candidates}
    scores = {name: score for name, score in found.items() if score is not None}
    if advice.saved.score is None:
        raise SystemExit(f"{path}: the recommendation has no test score")
    decided = not advice.ending.undecided
    return Cell(labels, budget, path.stem, advice.winner.name, advice.saved.score, decided, used, scores)


def report(cells: Sequence[Cell]) -> str:
    """Return the tables of races and of what they come to, as Markdown."""
    lines, totals = [], []
    for one in cells:
        shown = [f"{value:.3f}" for value in (one.test, one.scores[one.best], one.scores[FOREST])]
        shares = [f"{100 * value:+.1f} %" for value in (one.regret, one.behind_forest)]
        head = [str(one.labels), one.budget, one.table, one.recommended, shown[0], one.best]
        lines.append([*head, shown[1], shares[0], shown[2], shares[1]])
    for labels, budget in dict.fromkeys((one.labels, one.budget) for one in cells):
        among = [one for one in cells if (one.labels, one.budget) == (labels, budget)]
        regrets = [one.regret for one in among]
        values = (statistics.fmean(regrets), max(regrets), max(one.behind_forest for one in among))
        undecided = sum(not one.decided for one in among)
        totals.append(
            [str(labels), budget, str(len(among)), *(f"{100 * value:+.1f} %" for value in values), str(undecided)]
        )
    return markdown_table(SUMMARY, totals) + "\n\n" + markdown_table(ROWS, lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Race on each table with each number of labels and budget; writes regret.md, regret.csv and a file a race."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of CSV files")
    parser.add_argument("--results", type=Path, required=True, help="results folder of the jobs")
    parser.add_argument("--output", type=Path, required=True, help="folder of what comes out")
    parser.add_argument("--tables", default=",".join(TABLES), help="names of files, without .csv")
    parser.add_argument("--labels", default="50,100,300")
    parser.add_argument("--budgets", default="4m,10m,30m")
    parser.add_argument("overrides", nargs="*", help="of the jobs and of advise, such as train=smoke")
    vars(time)["monotonic"] = time.process_time  # by which jobs record their seconds
    given = parser.parse_intermixed_args(arguments)
    overrides = [f"paths.results={given.results}", "run.device=cpu", "run.threads=1", *given.overrides]
    cells = []
    for labels in map(int, given.labels.split(",")):
        for table in given.tables.split(","):
            for budget in given.budgets.split(","):
                cells.append(_cell(given.folder / f"{table}.csv", labels, budget, overrides, given.output))
                cells.sort(key=lambda one: (one.labels, float(one.budget[:-1]), one.table))
                write_text(given.output / "regret.md", report(cells))
                _write(given.output / "regret.csv", cells)
    return 0


def _cell(path: Path, labels: int, budget: str, overrides: Sequence[str], output: Path) -> Cell:
    kept = output / f"{path.stem}-{labels}-{budget}.json"
    if kept.exists():
        return Cell(**json.loads(kept.read_text(encoding="utf-8")))
    began = time.perf_counter()
    one = raced(path, labels, budget, overrides)
    write_text(kept, json.dumps(asdict(one), indent=1) + "\n")
    spent = time.perf_counter() - began
    print(f"{path.stem} {labels} {budget}: {one.recommended}, regret {one.regret:+.3f}, {spent:.0f} s", flush=True)
    return one


def _write(path: Path, cells: Sequence[Cell]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["labels", "budget", "table", "recommended", "test", "decided", "used", "candidate", "score"])
        for one in cells:
            head = [
                one.labels,
                one.budget,
                one.table,
                one.recommended,
                f"{one.test:.6g}",
                one.decided,
                f"{one.used:.1f}",
            ]
            writer.writerows([*head, name, f"{score:.6g}"] for name, score in one.scores.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
