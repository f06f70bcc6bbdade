"""One trial of the fault campaign: a command that meets its fault, what is left of it, and the same command again."""

import importlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from roftbench.cli.main import main
from roftbench.errors import UsageError
from roftbench.predict.saved_model import read_saved
from roftbench.store.results import Store
from scripts.faults.inject import KILL, Faults

# What the commands import late: imported before the forks, so that no trial spends seconds on it.
LATE = (
    "matplotlib.backends.backend_svg", "matplotlib.figure", "rich.jupyter", "scipy.stats", "sklearn.ensemble",
    "sklearn.gaussian_process", "roftbench.cli.advise", "roftbench.cli.predict", "roftbench.cli.tables",
    "roftbench.methods.random_forest", "roftbench.models.gin", "roftbench.sweep.hydra_app",
)  # fmt: skip
LIMIT = 600.0  # seconds after which a command hangs
JOB = ("model=tiny_gin", "train=smoke", "dataset=esol", "label_ratio=n50", "run.device=cpu", "run.threads=1")
RACE = (
    "dataset=esol", "split=random", "train=smoke", "label_ratio.count=40", "label_ratio.val_budget=strict",
    "advise.features=ecfp", "advise.estimators=ridge", "advise.models=tiny_gin", "advise.methods=lp",
    "advise.folds=3", "advise.members=1", "advise.budget=5jobs",
    "run.device=cpu", "run.threads=1",
)  # fmt: skip
REMOVING = ("unlink", "remove", "rmdir")  # what could not be removed is, at the next start
NOTES = "notes.txt"  # the user's own, beside a saved model
Words = Callable[[Path], Sequence[str]]


def _predict(root: Path) -> list[str]:
    [folder] = (root / "results" / "models").iterdir()
    return ["predict", f"model_dir={folder}", "input=table.csv", "output=out.csv", "device=cpu"]


COMMANDS: dict[str, Words] = {
    "job": lambda root: ["run", *JOB, "method=lp", "run.keep=true", "seed=1"],
    "again": lambda root: ["run", *JOB, "method=roftmol", "run.keep=true", "run.rerun=true"],
    "advise": lambda root: ["advise", *RACE],
    "predict": _predict,
    "tables": lambda root: ["tables", "--no-figures"],
}


class Ground:
    """The folder from which each trial begins: a record, and a saved model with a file of the user's beside it."""

    def __init__(self, folder: Path) -> None:
        for name in LATE:
            importlib.import_module(name)
        self.folder, self.template = folder, folder / "template"
        self.template.mkdir()
        os.environ["ROFTBENCH_CACHE"] = str(folder / "cache")
        smiles = "\n".join("C" * length + end for length in range(1, 9) for end in "ONF")
        (self.template / "table.csv").write_text(f"smiles\n{smiles}\n", encoding="utf-8")
        for words in (COMMANDS["again"](self.template), ["run", *JOB, "method=lp"]):
            code, text = call(self.template, words)
            if code:
                raise RuntimeError(f"roftbench {' '.join(words)} failed:\n{text}")
        [model] = (self.template / "results" / "models").iterdir()
        (model / NOTES).write_text("mine", encoding="utf-8")

    def fresh(self, *, empty: bool = False) -> Path:
        """Return a new folder for a trial, with a copy of what all begin with."""
        root = self.folder / "trial"
        shutil.rmtree(root, ignore_errors=True)
        if empty:
            root.mkdir()
        else:
            shutil.copytree(self.template, root)
        return root


class Trial:
    """A command, its operations in an undisturbed run, and what that run leaves."""

    def __init__(self, ground: Ground, name: str) -> None:
        self.ground, self.name = ground, name
        root, log = ground.fresh(), ground.folder / f"{name}.log"
        code, text = call(root, COMMANDS[name](root), Faults(root, KILL, 0, log))
        if code:
            raise RuntimeError(f"{name} failed undisturbed:\n{text}")
        self.log = log.read_text(encoding="utf-8").replace(str(root), "").splitlines()
        self.operations, self.expected = len(self.log), left(root)

    def at(self, fault: str, at: int) -> tuple[str, list[str]]:
        """Let an operation meet a fault; returns the outcome in words, and what is wrong."""
        root = self.ground.fresh()
        words = COMMANDS[self.name](root)
        code, text = call(root, words, Faults(root, fault, at))
        outcome, wrong = _judged(fault, code, text)
        wrong += whole(root, self.expected)
        if code >= 0 and not self.log[at - 1].startswith(REMOVING):
            wrong += [f"{path.name} is left" for path in temporaries(root)]
        code, text = call(root, words)
        if code:
            return outcome, [*wrong, f"again: exit code {code}: {text.strip()[-300:]}"]
        wrong += [f"{path.name} is left after the next run" for path in temporaries(root)]
        wrong += whole(root, self.expected)
        found = left(root)
        names = self.expected if self.name == "advise" else {*found, *self.expected}  # a race goes on with its budget
        if other := sorted(name for name in names if found.get(name) != self.expected.get(name)):
            wrong.append(f"again: {', '.join(other)} differ")
        return outcome, wrong


def _judged(fault: str, code: int, text: str) -> tuple[str, list[str]]:
    """Return how a command ended that met a fault, and what is wrong with that."""
    wrong = ["a traceback"] if "Traceback" in text else []
    if fault == KILL:
        return ("killed", wrong) if code == -signal.SIGKILL else (f"exit code {code}", [*wrong, "not killed"])
    if code == 0:
        return "went on", wrong
    messages = [line for line in text.splitlines() if line.startswith(("roftbench: ", "failed: "))]
    if code not in (1, 2) or not messages:
        wrong.append(f"exit code {code} without a message: {text.strip()[-300:]}")
    return "stopped with a message", wrong


def call(root: Path, words: Sequence[str], faults: Faults | None = None) -> tuple[int, str]:
    """Run `roftbench` in a process of its own; returns its exit code, negative for a signal, and what it printed."""
    begun = start(root, words, faults)
    end = time.monotonic() + LIMIT
    while not (ended := os.waitpid(begun, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(begun, signal.SIGKILL)
        time.sleep(0.005)
    return os.waitstatus_to_exitcode(ended[1]), output_of(root).read_text(encoding="utf-8", errors="replace")


def output_of(root: Path) -> Path:
    """Return the file with what the last command in a folder printed."""
    return root.with_name(f"{root.name}.out")


def start(root: Path, words: Sequence[str], faults: Faults | None = None) -> int:
    """Start `roftbench` in a fork of this process, which has imported everything; returns its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.chdir(root)
        number = os.open(output_of(root), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for standard in (1, 2):
            os.dup2(number, standard)
        os.environ["ROFTBENCH_RESULTS"] = str(root / "results")
        if faults is not None:
            faults.install()
        code = main(words)
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def temporaries(root: Path) -> list[Path]:
    """Return the temporary files and folders that are left."""
    return [path for path in root.rglob(".*") if path.suffix in (".tmp", ".old")]


def whole(root: Path, expected: dict[str, Any]) -> list[str]:
    """Return what in a folder is neither as it was written nor absent, and what of the user's is missing."""
    store = Store(root / "results")
    wrong = [f"{path.name} cannot be read" for path in store.record_paths() if store.get(path.stem) is None]
    wrong += [
        f"the failure {path.name} cannot be read" for path in store.failure_paths() if not store.failure(path.stem)
    ]
    users = 0
    for folder in (root / "results" / "models").glob("[!.]*"):
        users += (folder / NOTES).exists()
        try:
            read_saved(folder)
        except UsageError as error:
            wrong.append(f"a saved model: {error}")
    if not users and any(name.endswith(NOTES) for name in expected):
        wrong.append("the user's file is lost")
    output = root / "out.csv"
    if output.exists() and output.read_text(encoding="utf-8") != expected.get("out.csv"):
        wrong.append("out.csv is not whole")
    return wrong


def left(root: Path) -> dict[str, Any]:
    """Return what a command left, by file: records without times, the contents of other outputs."""
    found: dict[str, Any] = {}
    for path in sorted((root / "results").rglob("*.json")):
        if path.parent.name in ("runs", "failures", "running"):
            content = json.loads(path.read_text(encoding="utf-8"))
            found[path.name] = {name: content.get(name) for name in ("scores", "candidates", "error", "process")}
    for folder in (root / "results" / "models").glob("[!.]*"):
        found |= {f"{folder.name}/{path.name}": 0 for path in folder.iterdir()}
    outputs = [root / "out.csv", *(root / "results" / "tables").glob("*.md"), *root.glob("out.csv.*")]
    return found | {path.name: path.read_text(encoding="utf-8") for path in outputs if path.exists()}
