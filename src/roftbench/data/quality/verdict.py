"""Verdict on a data set in five lines, from its quality report: molecules, replicates, leaks, labels, range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roftbench.data.quality.concerns import (
    DROPPED,
    FEW_MOLECULES,
    FEW_VALUES,
    MANY_LABELS,
    MISSING,
    RARE,
    looks_exponential,
    rarer,
)
from roftbench.data.warnings import scale_warning
from roftbench.formatting import counted

OK, LOOK, ACT = "ok", "look", "act"  # nothing to do; to be judged by the user; an option or the table must be changed
BOUNDS = "dataset.censored"  # which the notes on labels that are bounds, or on a column of signs, name

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One line of a verdict: its state ("ok", "look" or "act"), its subject, and what was found."""

    state: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<5} {self.subject:<11} {self.text}"


def verdict(report: Report) -> list[Finding]:
    """Return the five lines on a report of `roftbench.data.quality.report.quality_report`."""
    values = _classes if report["task"] == "classification" else _values
    return [_molecules(report), _replicates(report), _leaks(report), _labels(report), values(report["labels"]["tasks"])]


def _molecules(report: Report) -> Finding:
    kept, dropped, salts = report["kept"], report["dropped_count"], report["molecules"]["several_fragments"]
    parts = [f"{kept:,} of {report['rows']:,} rows are molecules"]
    state = OK
    if dropped:
        often, count = next(iter(report["dropped_reasons"].items()))
        parts.append(f"{dropped:,} dropped ({count:,}: {often})")
        state = LOOK if dropped > DROPPED * report["rows"] else OK
    if salts:
        parts.append(f"{salts:,} of several fragments (salts): dataset.strip_salts=true keeps the largest")
        state = ACT
    if kept < FEW_MOLECULES:
        parts.append("few, so that scores depend more on the split than on the method")
        state = LOOK if state == OK else state
    return Finding(state, "molecules", "; ".join(parts))


def _replicates(report: Report) -> Finding:
    found, forms = report["duplicates"], report["same_connectivity"]["groups_of_several_smiles"]
    alike = f"{counted(forms, 'group')} of molecules differ{'s' * (forms == 1)} in stereochemistry or charge alone"
    other = f"; {alike}" if forms > 0 else ""
    if not found["groups"]:
        return Finding(LOOK if forms > 0 else OK, "replicates", f"no molecule occurs twice{other}")
    text = f"{counted(found['groups'], 'molecule')} in {found['rows']:,} rows"
    if not found["conflicting_groups"]:
        return Finding(ACT, "replicates", f"{text}, with equal labels: dataset.duplicates=merge{other}")
    spread = found["largest_spread"]
    apart = f", by up to {spread:.3g}" if spread else ""
    merged = "averages them" if report["task"] == "regression" else "drops classes that differ"
    remedy = f"dataset.duplicates=merge {merged}, drop_conflicts leaves these molecules out"
    return Finding(
        ACT, "replicates", f"{text}; {found['conflicting_groups']:,} contradict themselves{apart}: {remedy}{other}"
    )


def _leaks(report: Report) -> Finding:
    leaking, near = [], []
    for name, split in report["splits"].items():
        if "error" in split:
            continue
        shared = split["in_train"]["test"]
        if shared["same_smiles"]:
            leaking.append(f"{shared['same_smiles']:,} of {split['parts']['test']['molecules']:,} ({name})")
        if (median := split["test_similarity"]["median"]) is not None:
            near.append(f"{median:.2f} ({name})")
    close = f"; median similarity of test to train {', '.join(near)}" if near else ""
    if leaking:
        return Finding(ACT, "leaks", f"test molecules that are also in train: {', '.join(leaking)}{close}")
    return Finding(OK, "leaks", f"no test molecule is in train{close}")


def _labels(report: Report) -> Finding:
    labels = report["labels"]
    bounds = [note for note in report["notes"] if BOUNDS in note]
    without, share = report["molecules"]["without_label"], labels["missing_share"] or 0
    parts = [f"{labels['known']:,} labels"]
    if without or share:
        parts.append(f"{share:.1%} missing, {counted(without, 'molecule')} without any")
    parts += bounds or ["none censored"]
    state = ACT if not labels["known"] else LOOK if bounds or share > MISSING else OK
    return Finding(state, "labels", "; ".join(parts))


def _classes(tasks: list[Report]) -> Finding:
    single = [task for task in tasks if not (task["negatives"] and task["positives"])]
    if single:
        return Finding(ACT, "range", f"not both classes in {len(single)} of {len(tasks)} tasks: ROC-AUC is undefined")
    shares = [task["positive_share"] for task in tasks]
    text = f"{min(shares):.1%} positives" if len(tasks) == 1 else f"{min(shares):.1%} to {max(shares):.1%} positives"
    few = any(rarer(task) < RARE for task in tasks)
    return Finding(LOOK if few else OK, "range", f"{text}{'; look at average precision, too' if few else ''}")


def _values(tasks: list[Report]) -> Finding:
    known = [task for task in tasks if task["known"]]
    if not known:
        return Finding(ACT, "range", "no task has a label")
    one = known[0]
    text = f"{one['min']:.3g} to {one['max']:.3g}, standard deviation {one['std']:.3g}"
    text += f" ({one['name']}; {len(tasks)} tasks)" if len(tasks) > 1 else ""
    if any(looks_exponential(task) for task in known):
        return Finding(ACT, "range", f"{text}: more than four orders of magnitude, take logarithms")
    if warning := scale_warning([(task["name"], task["std"]) for task in known]):
        return Finding(ACT, "range", f"{text}; {warning}")
    if any(task["unique"] <= FEW_VALUES and task["known"] >= MANY_LABELS for task in known):
        return Finding(LOOK, "range", f"{text}; at most {FEW_VALUES} different values: classes?")
    return Finding(OK, "range", text)
