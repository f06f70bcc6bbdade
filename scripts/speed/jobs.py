"""The nine methods' jobs: ours through `run_job`, the reference as the authors' scripts run it; and the suite."""

import argparse
import shutil
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from roftbench.config.components import build
from roftbench.runner.run import run_job
from roftbench.runner.stages import FINISH
from roftbench.store.record_schema import Record
from scripts.speed.reference_jobs import ReferenceJob
from scripts.speed.setting import LABELS, Setting, reference, say, settings
from scripts.speed.timing import Row

METHODS = ("full_ft", "lp", "lp_ft", "surgical_ft", "l2_sp", "wise_ft", "feature_map", "bss", "roftmol")
AFTER = {"lp_ft": "lp", "wise_ft": "full_ft", "roftmol": "full_ft"}  # whose stage ours takes from the store
TARGETS = {
    "full_ft": "≥ 2 × (50: ≥ 3 ×)", "lp": "≥ 100 ×", "lp_ft": "≥ 4 ×", "l2_sp": "≥ 2.5 ×", "feature_map": "≥ 2.5 ×",
    "bss": "≥ 2.5 ×", "roftmol": "≥ 3 ×",
}  # fmt: skip
EPOCHS, COEFFICIENT_EPOCHS = 100, 200  # of a job, by docs/protocol.md; what is timed is shorter and scaled
# Where epochs are short a cold start would weigh: more are timed.
LONGER = {"50": 5}  # so many times as many with so few labels
COEFFICIENTS = 10  # at least so many of roftmol's, which read the validation part alone
CASES = (*(("esol", labels) for labels in LABELS), ("bbbp", "500"))


def epochs_and_rounds(arguments: argparse.Namespace, labels: str) -> tuple[int, int]:
    """Return how many epochs are timed, and how often."""
    return (1, 1) if arguments.quick else (arguments.epochs * LONGER.get(labels, 1), 3)


def timed(method: str, epochs: int) -> int:
    """Return how many epochs of a method's own phases are timed."""
    return max(epochs, COEFFICIENTS) if method == "roftmol" and epochs > 1 else epochs


def note(arguments: argparse.Namespace) -> str:
    """Say how the times of the jobs came about."""
    (epochs, rounds), (few, _) = (epochs_and_rounds(arguments, labels) for labels in ("500", "50"))
    coefficients = timed("roftmol", epochs), timed("roftmol", few)
    return (
        f"Jobs: {epochs} epochs of each phase ({few} with 50 labels; {coefficients[0]} and {coefficients[1]} of"
        f" roftmol's coefficients) are run on both sides and scaled to {EPOCHS} ({COEFFICIENT_EPOCHS}); what is done"
        " once is not scaled, but for feature_map's pretrained states, which are part of ours' first epoch. Medians of"
        f" {rounds} rounds, variants alternating. Ours of lp is run whole. Loading of molecules and start-up are in"
        " ours only. lp_ft: ours after lp, the reference from scratch, both its phases. wise_ft and roftmol: both after"
        " full_ft."
    )


def jobs(arguments: argparse.Namespace) -> list[Row]:
    """Jobs of the nine methods and their sum, for a number of labels on ESOL and BBBP."""
    chosen = [
        (dataset, labels)
        for dataset, labels in CASES
        if (arguments.dataset is None or dataset == arguments.dataset)
        and (arguments.labels is None or labels == arguments.labels)
    ]
    if arguments.quick:
        chosen = [("freesolv", "50")]
    rows: list[Row] = []
    for dataset, labels in chosen or [(arguments.dataset, arguments.labels)]:
        with settings(dataset, labels) as setting:
            rows += suite(setting, *epochs_and_rounds(arguments, labels))
    return rows


def suite(setting: Setting, epochs: int, rounds: int) -> list[Row]:
    """Time the nine jobs `rounds` times, after one that warms up where there are several, and add them up."""
    times: dict[tuple[str, str], list[float]] = {}
    model, parts = reference(setting.experiment())
    for number in range(rounds):
        with TemporaryDirectory() as folder:
            for method in METHODS:
                say(f"{setting}, {method}, round {number + 1} of {rounds}")
                job, _ = setting.job(method, Path(folder))
                textbook = ReferenceJob(model, parts, str(job.dataset.task), build(job.method))
                if method == "lp" and epochs != EPOCHS:  # short enough to be timed whole; lp_ft takes the shorter one
                    ours(setting, method, Path(folder), epochs)
                spans = {
                    "ours": ours(setting, method, Path(folder), EPOCHS if method == "lp" else epochs),
                    "reference": textbook.run(method, timed(method, epochs)).scaled(wanted(method)),
                }
                for side, span in spans.items():
                    times.setdefault((method, side), []).append(span)
    middle = {key: median(spans) for key, spans in times.items()}
    rows = [_row(setting, method, middle) for method in METHODS]
    own, textbook_sum = (sum(middle[method, side] for method in METHODS) for side in ("ours", "reference"))
    return [*rows, Row(f"{setting}: the nine jobs together", own, textbook_sum, target="≥ 4 ×, aim 6 ×")]


def titled(method: str) -> str:
    """Return a method with what ours takes from the store."""
    return f"{method} after {AFTER[method]}" if method in AFTER else method


def wanted(method: str) -> list[int]:
    """Return the epochs of each phase of a whole job."""
    return {"roftmol": [COEFFICIENT_EPOCHS], "wise_ft": [], "lp_ft": [EPOCHS, EPOCHS]}.get(method, [EPOCHS])


def _row(setting: Setting, method: str, middle: dict[tuple[str, str], float]) -> Row:
    name = f"{setting}: {titled(method)}"
    return Row(name, middle[method, "ours"], middle[method, "reference"], target=TARGETS.get(method, ""))


def ours(setting: Setting, method: str, results: Path, epochs: int) -> float:
    """Run a job with so many epochs; returns its seconds, scaled to a whole job's epochs.

    Raises:
        RuntimeError: the job failed.
    """
    coefficients = timed("roftmol", epochs)
    words = [f"train.epochs={epochs}", f"train.interpolation_epochs={coefficients}"]
    job, env = setting.job(method, results, *words)
    began = time.perf_counter()
    outcome = run_job(job, env)
    span = time.perf_counter() - began
    if not isinstance(outcome.record, Record) or outcome.cached:
        raise RuntimeError(f"{method}: {outcome.record}")
    for name, seconds in outcome.record.seconds.items():
        if name == FINISH:
            span += seconds * (COEFFICIENT_EPOCHS / coefficients - 1) if method == "roftmol" else 0
        elif name != "total" and not name.endswith("(reused)"):
            span += seconds * (EPOCHS / epochs - 1)
    return span


def workers(arguments: argparse.Namespace) -> list[Row]:
    """Five seeds of the nine methods: two joblib workers of one thread, against one after another on two threads."""
    from scripts.speed.shell import run  # here: it is about processes

    epochs = 1 if arguments.quick else arguments.epochs
    count = 2 if arguments.quick else 5
    methods = "full_ft,lp" if arguments.quick else ",".join(METHODS)
    spans = []
    with settings("esol", "50" if arguments.quick else "500") as setting, TemporaryDirectory() as folder:
        for more in (["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "run.threads=1"], ["run.threads=2"]):
            say(f"{count} seeds: {' '.join(more)}")
            seeds = ",".join(map(str, range(count)))
            ratio = f"label_ratio=n{setting.labels}"
            words = ["-m", f"method={methods}", f"seed={seeds}", "dataset=esol", ratio, "run.device=cpu", *more]
            words += [f"train.epochs={epochs}", f"train.interpolation_epochs={epochs}"]
            words += [f"paths.results={folder}/results", f"paths.cache={setting.cache}"]
            spans.append(run(["run", *words]).seconds)
            shutil.rmtree(f"{folder}/results")
    name = f"{count} seeds, {epochs} epochs: joblib, 2 workers (reference: one after another, 2 threads)"
    return [Row(name, spans[0], spans[1], target="≥ 1.25 ×")]
