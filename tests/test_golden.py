"""What commands print, whole: tests/golden holds it, so that other tests need not quote it."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from boards import every_form
from command import Command
from golden import FOLDER, Golden
from lab import ROOT, merged, write_csv

from roftbench.cli import doctor
from roftbench.report.scores import write_scores

# A skipped job, failed jobs (too few molecules), and one that ends: the same on every processor.
SWEEP = ("method=surgical_ft", "method.block=layer0,layer4", "dataset=bbbp,freesolv", "label_ratio.count=600")
ADVISE = (
    "dataset=esol", "split=random", "train=smoke", "label_ratio.count=40", "label_ratio.val_budget=strict",
    "advise.features=ecfp", "advise.estimators=random_forest", "advise.models=tiny_gin", "advise.methods=lp,full_ft",
    "advise.folds=3", "advise.members=2", "advise.budget=12jobs", "run.device=cpu", "run.threads=1",
)  # fmt: skip
LISTS = {
    "methods": ["lp", "roftmol", "random_forest"],
    "models": ["tiny_gin", "moleculestm", "graphgps", "ecfp", "gin", "admet_ai", "gin_masking"],
    "datasets": ["csv", "esol", "muv", "toxcast"],
    "splits": ["scaffold", "column"],
}
RIDGE = ("model=ecfp", "method=ridge")  # solved in closed form: its numbers are those of every processor
ROWS = {
    "smiles": ["CCO", "OCC", "c1ccccc1C", "C1CCCCC1", "CC(=O)O", "c1ccncc1", "CCCCl", "[NH4+].[Cl-]", "no molecule"],
    "y": ["0.5", "0.75", "1.25", "2.5", "3.5", ">4", "-2.25", "0.125", "9.0"],
}


def transcript(cli: Command, *calls: tuple[str, ...]) -> str:
    """Return commands with what they print on both streams."""
    parts = []
    for words in calls:
        ended = cli(*words)
        parts.append(f"$ roftbench {shlex.join(words)}\n{ended.out}{ended.err}[{ended.code}]\n")
    return "\n".join(parts)


def test_job(cli: Command, golden: Golden) -> None:
    network = ("run", *merged(("method=roftmol", "run.keep=mine")))
    searched = ("method=wise_ft", "method.search=true", "method.grid.alpha=[0.1,0.9]", "dataset=bbbp")
    text = transcript(cli, network, network, ("run", *merged(searched)), ("run", *merged(("method=lp_ft",))))
    golden("job.txt", text, trained=True)
    [card] = (cli.lab.results / "models").glob("*/README.md")
    golden("card_network.md", re.sub(r"\d+ %", "# %", card.read_text(encoding="utf-8")), trained=True)


def test_job_of_a_table_of_ones_own(cli: Command, golden: Golden) -> None:
    smiles = ["C" * length for length in range(1, 40)] + ["no molecule"]
    path = write_csv(Path("my.csv"), {"smiles": smiles, "y": [0.5 * row for row in range(len(smiles))]})
    own = ("dataset=csv", f"dataset.path={path}", "label_ratio=full", "split=random")
    skipped = ("method=surgical_ft", "method.block=layer4")
    few = ("dataset=freesolv", "label_ratio.count=600", "method=lp")
    golden("job_own.txt", transcript(cli, *(("run", *merged(words)) for words in ((*RIDGE, *own), skipped, few))))


def test_sweep_plan_and_runs(cli: Command, golden: Golden) -> None:
    sweep = ("run", "-m", *merged(SWEEP))
    none = transcript(cli, ("list", "runs"))
    golden("sweep.txt", transcript(cli, sweep, sweep), trained=True)
    more = merged((*SWEEP[:2], "dataset=bbbp,freesolv,malaria", SWEEP[-1], "seed=0,1"))
    golden("plan.txt", transcript(cli, ("plan", *more), ("plan", *merged(("method=lp", "method.search=true,false")))))
    golden("list_runs.txt", none + transcript(cli, ("list", "runs"), ("list", "runs", "method=bss")), trained=True)


def test_tables_of_made_up_records(cli: Command, golden: Golden, tmp_path: Path) -> None:
    """All that tables show of jobs: gaps, failures, baselines, bounds, seconds, two numbers of labels."""
    write_scores(*every_form(), tmp_path / "made")
    source = ("tables", "--from", str(tmp_path / "made" / "scores.csv"), "--out", str(tmp_path / "tables"))
    golden("tables.txt", transcript(cli, source))
    assert cli(*source, "--by", "model").code == 0
    for name in ("leaderboard.md", "comparison.md", "models.md"):
        golden(name, (tmp_path / "tables" / name).read_text(encoding="utf-8"))


@pytest.fixture
def offline(cli: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """The command line with an empty cache of its own and without network."""
    monkeypatch.setenv("ROFTBENCH_CACHE", str(tmp_path / "none"))
    monkeypatch.setenv("ROFTBENCH_OFFLINE", "1")
    return cli


@pytest.mark.parametrize("kind", LISTS)
def test_lists(offline: Command, golden: Golden, kind: str) -> None:
    """Whole lists change with every option that is added; some of their entries show the form."""
    golden(f"list_{kind}.txt", transcript(offline, ("list", kind, *LISTS[kind])))


def test_list_of_models(offline: Command, golden: Golden) -> None:
    """One line each, without names: those of some models, and what stands below."""
    entries, _, below = offline("list", "models").out.partition("\n\n")
    rows = [line for line in entries.splitlines() if line.split()[0] in {"admet_ai", "ecfp", "gin", "tiny_gin"}]
    golden("list_models_short.txt", "\n".join([*rows, "", below]))


def test_fetch_and_cache(offline: Command, golden: Golden) -> None:
    fetch = ("fetch", "dataset=esol,muv", "model=tiny_gin,mole_bert,gin,ecfp")
    golden("fetch.txt", transcript(offline, fetch, ("cache", "info"), ("cache", "clean")))


def test_saved_model(cli: Command, golden: Golden) -> None:
    write_csv(Path("in.csv"), {"id": [1, 2], "smiles": ["CCO", "no molecule"]})
    for words in (("dataset=esol", "run.keep=first"), ("dataset=bbbp", "run.keep=true")):
        assert cli.run(*RIDGE, *words).code == 0
    cards = [path.read_text(encoding="utf-8") for path in (cli.lab.results / "models").glob("*/README.md")]
    golden("card.md", "\n".join(sorted(cards)))
    golden("list_kept.txt", transcript(cli, ("list", "kept"), ("list", "kept", "first")))
    given = ("model=first", "input=in.csv", "device=cpu")
    golden("predict.txt", transcript(cli, ("predict", *given, "output=out.csv")))


def test_cross_validation_and_its_model(cli: Command, golden: Golden) -> None:
    folds = ("split=cv", "split.folds=3", "label_ratio=full", "run.keep=production")
    golden("sweep_folds.txt", transcript(cli, ("run", "-m", *merged((*RIDGE, *folds)))))
    [card] = (cli.lab.results / "models").glob("*/README.md")
    golden("card_folds.md", card.read_text(encoding="utf-8"))


def test_data(cli: Command, golden: Golden) -> None:
    own = (str(write_csv(Path("own.csv"), ROWS)), "dataset.censored=drop")
    golden("data.txt", transcript(cli, ("data", *own), ("data", *own, "--full", "split=random")))


def test_advise(cli: Command, golden: Golden) -> None:
    """The last column holds seconds."""
    last = re.compile(r"\d+\.\d(?=(?: \|)? *$)", re.MULTILINE)
    golden("advise.txt", last.sub("#", transcript(cli, ("advise", *ADVISE))), trained=True)
    [path] = (cli.lab.results / "advise").glob("*/advice.md")
    golden("advice.md", last.sub("#", path.read_text(encoding="utf-8")), trained=True)


def test_doctor(cli: Command, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {
        "results": {"path": "results", "exists": True, "problem": None, "free_bytes": 2**30},
        "cache": {"path": "cache", "exists": False, "problem": "Read-only file system", "free_bytes": 0},
    }
    facts: dict[str, Any] = {
        "roftbench": "1.2.3", "python": "3.12.1", "platform": "Linux-6.1", "packages": {"torch": "2.6.0", "ray": None},
        "cores": 8, "threads": 4, "gpus": ["NVIDIA H200"], "launchers": {"basic": True, "ray": False},
        "folders": folders, "cache": {"data": {"files": 2, "bytes": 2**20}}, "mirror": None, "offline": False,
        "training_step_ms": {"cpu": 50.0, "cuda": 1.5},
    }  # fmt: skip
    monkeypatch.setattr(doctor, "examine", lambda paths: facts)
    golden("doctor.txt", transcript(cli, ("doctor",)))


def test_every_golden_text_belongs_to_a_test() -> None:
    texts = [path.name for path in FOLDER.iterdir() if path.suffix in {".txt", ".md"}]
    modules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    lists = {f"list_{kind}.txt" for kind in LISTS}
    assert [name for name in texts if f'"{name}"' not in modules and name not in lists] == []
