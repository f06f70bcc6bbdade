"""Every command that a page shows is one that works: it is executed, on small networks and short trainings."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command, Ended
from lab import ROOT, molecules, write_csv

from roftbench.sweep import hydra_app

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SMALL = ["train=smoke", "run.device=cpu", "run.threads=1"]
RACE = ["advise.budget=6jobs", "advise.folds=3", "advise.models=tiny_gin", "advise.methods=lp", "advise.members=1"]
PLUGIN = "--config-dir my_conf"  # of the README; tests/test_plugins.py runs it


def commands(page: Path) -> list[str]:
    """Return the lines of fenced blocks that call roftbench; continued lines are joined, comments left out."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    called = (re.sub(r"\s+#.*", "", line.strip().removeprefix("$ ")) for line in lines)
    return sorted({" ".join(line.split()) for line in called if re.match(r"roftbench [a-z]", line)})


CALLING = [page for page in PAGES if page.stem != "reference"]  # there the help's examples have words beside them
SHOWN = sorted({command for page in CALLING for command in commands(page)})


def test_the_pages_show_commands() -> None:
    assert len(SHOWN) > 25
    assert {command.split()[1] for command in SHOWN} >= {"run", "plan", "tables", "report", "advise", "list", "data"}


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_of_a_page_works(cli: Command, command: str) -> None:
    if PLUGIN in command:
        pytest.skip("tests/test_plugins.py runs it, with its files")
    smiles, labels = molecules("esol", cli.lab.job()[0], 60)
    write_csv(Path("my.csv"), {"smiles": smiles, "solubility": labels})
    write_csv(Path("new.csv"), {"smiles": smiles[:3]})
    if "models/KEY" in command:
        key = cli.lab.done("method=lp", "train.epochs=1", "run.keep=true")["key"]
        command = command.replace("results/models/KEY", str(cli.lab.results / "models" / key))
    if "results/paper" in command:
        shutil.copytree(ROOT / "results" / "gin_masking", "results/paper")
    words = [word.replace("DIR", str(cli.lab.results)) for word in shlex.split(command)[1:]]
    ended = called(cli, *words)
    assert ended.code == 0, ended


@pytest.mark.parametrize("page", [*PAGES, ROOT / "results" / "README.md"], ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in targets if "://" not in link and not (page.parent / link).exists()] == []


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    copy = tmp_path / "reference.md"
    subprocess.run([sys.executable, ROOT / "scripts" / "make_reference.py", "--out", copy], check=True)
    assert copy.read_text(encoding="utf-8") == (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_the_site_is_built_without_a_warning_and_holds_every_page(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert not re.search("not included in the .nav.", built.stderr)
    assert "fonts.googleapis" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        where = tmp_path / ("index.html" if page.stem == "index" else f"{page.stem}/index.html")
        assert where.exists()


def called(cli: Command, name: str, *words: str) -> Ended:
    if name in ("run", "plan") and ("-m" in words or name == "plan"):
        plan, _ = hydra_app.plan([word for word in words if word != "-m"])
        assert plan.jobs
        return Ended(0, "", "")
    if name == "run":
        if "model=ecfp" in words:
            return cli("run", *words, *SMALL, "method.n_estimators=20")
        return cli("run", *(word for word in words if not word.startswith("model=")), "model=tiny_gin", *SMALL)
    if name == "advise":
        return cli("advise", *(word for word in words if "budget" not in word), *RACE, *SMALL)
    if name == "fetch":  # what it brings is tested against a local server
        return Ended(0, "", "") if words else cli("fetch", "--help")
    if name in ("tables", "report") and "--from" not in words:
        for dataset in ("esol", "lipo"):
            cli.lab.done(f"dataset={dataset}", "method=lp", "train.epochs=1")
    return cli(name, *words)
