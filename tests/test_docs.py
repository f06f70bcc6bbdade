"""The pages: commands and code on them work, links lead somewhere, and tables agree with what they are made from."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import torch
from command import Command, Ended
from fenced import blocks, files
from graphs import without_smiles
from lab import ROOT
from whole import but_whole

from roftbench.store.names import Kept, Names
from roftbench.sweep import hydra_app
from scripts import findings, gains

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CALLING = [page for page in PAGES if page.stem != "reference"]  # there the help's examples have words beside them
COMMITTED = ROOT / "results"
GAINS = {  # rows of a table of the README: model, "" for the encoder of the column, and method
    "ROFT-MOL": ("", "roftmol"),
    "WiSE-FT": ("", "wise_ft"),
    "LP": ("", "lp"),
    "Feature map": ("", "feature_map"),
    "Gaussian process on the frozen encoder": ("", "gp"),
    "Gaussian process on ECFP4": ("ecfp", "gp"),
    "Ridge regression on ECFP4": ("ecfp", "ridge"),
    "mean of the labels": ("ecfp", "mean"),
}
SMALL = ["train=smoke", "run.device=cpu", "run.threads=1"]
RACE = [
    "advise.budget=6jobs", "advise.folds=3", "advise.features=ecfp", "advise.estimators=random_forest",
    "advise.models=tiny_gin", "advise.methods=lp", "advise.members=1",
]  # fmt: skip
PLUGIN = "--config-dir my_conf"  # with the files that the same page shows
CODE_WIDTH = 88


def commands(page: Path) -> list[str]:
    """Return the lines of fenced blocks that call roftbench; continued lines are joined, comments left out."""
    lines = "\n".join(text for _, text in blocks(page)).replace("\\\n", " ").splitlines()
    called = (re.sub(r"\s+#.*", "", line.strip().removeprefix("$ ")) for line in lines)
    return sorted({" ".join(line.split()) for line in called if re.match(r"roftbench [a-z]", line)})


SHOWN = sorted({command for page in CALLING for command in commands(page) if PLUGIN not in command})
LONGEST = [command for command in SHOWN if "experiment=paper_main" in command or "--from results/" in command]
WITH_FILES = [(page, command) for page in CALLING for command in commands(page) if PLUGIN in command]


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 25
    assert {command.split()[1] for command in SHOWN} >= {"run", "plan", "tables", "report", "advise", "list", "data"}
    assert len(WITH_FILES) >= 4


@pytest.mark.parametrize("command", but_whole(SHOWN, LONGEST))
def test_command_of_a_page_runs(cli: Command, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for example in (ROOT / "docs" / "examples").iterdir():
        shutil.copy(example, example.name)
    if "=graphs.pt" in command:
        torch.save(without_smiles(), "graphs.pt")
    if found := re.search(r"model_dir=|roftbench export ", command):
        command = re.sub(rf"(?<={found[0]})\S+", str(saved_model(cli)), command)
    if name := re.search(r"(?<=model=)(my|solubility)\b|(?<=serve )\w+", command):
        Names(cli.lab.store).put("run.keep", Kept(name[0], (saved_model(cli).name,)), overwrite=False)
    monkeypatch.setattr("roftbench.serve.run.serve", lambda *given: None)  # it would go on until it is interrupted
    if "--from results/" in command:
        shutil.copytree(COMMITTED / "gin_masking", "results/gin_masking")
    words = [word.replace("DIR", str(cli.lab.results)) for word in shlex.split(command)[1:]]
    ended = called(cli, *words)
    assert ended.code == 0, ended


@pytest.mark.parametrize(("page", "command"), WITH_FILES, ids=lambda each: getattr(each, "stem", each))
def test_plugin_of_a_page_runs(cli: Command, page: Path, command: str) -> None:
    for name, text in files(page).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    words = shlex.split(command)[1:]
    sweep = ["method=rollback", "method.search=false", "dataset=esol", "seed=0"] if "-m" in words else []
    names = {word.partition("=")[0] for word in sweep}
    kept = [word for word in words if word != "-m" and word.partition("=")[0] not in names]
    model = [] if any(word.startswith("model=") for word in words) else ["model=tiny_gin"]
    ended = cli(*kept, *sweep, *model, *SMALL)
    assert ended.code == 0, ended


def test_plot_of_the_tutorial_is_drawn_from_predictions(cli: Command, tmp_path: Path) -> None:
    [code] = [text for _, text in blocks(ROOT / "docs" / "chemist.md") if "import matplotlib" in text]
    examples = ROOT / "docs" / "examples"
    shutil.copy(examples / "my.csv", "my.csv")
    saved = saved_model(cli, "dataset=csv", "dataset.path=my.csv")
    ended = cli("predict", f"model_dir={saved}", f"input={examples / 'new.csv'}", "output=predictions.csv")
    assert ended.code == 0, ended
    env = {**os.environ, "MPLBACKEND": "Agg"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert "svg" in Path("predictions.svg").read_text(encoding="utf-8")[:500]


@pytest.mark.parametrize("page", [*PAGES, COMMITTED / "README.md"], ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in targets if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_fit_the_column(page: Path) -> None:
    lines = [line for _, text in blocks(page) for line in text.splitlines()]
    assert [line for line in lines if len(line) > CODE_WIDTH] == []


@pytest.mark.parametrize("page", CALLING, ids=lambda page: page.name)
def test_committed_scores_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"results/[\w/]+\.csv", page.read_text(encoding="utf-8"))
    made = {"results/tables/scores.csv"}  # by `roftbench tables`
    assert [path for path in named if path not in made and not (ROOT / path).exists()] == []


def test_readme_is_a_landing_page() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100
    assert sum(line.startswith("![") for line in lines) == 1
    assert {"make run", "make test"} <= {line.split("#")[0].strip() for line in lines}


@pytest.mark.parametrize("page", ["README.md", "results/README.md"])
def test_gains_of_the_readme_are_those_of_the_committed_scores(page: str) -> None:
    table = pd.concat([gains.scores("fine_tuning"), gains.scores("fine_tuning_nine")])
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in re.findall(r"^\|.* to .*\|$", text, re.MULTILINE)]
    given = {name: cells for name, *cells in lines if name in GAINS}
    assert len(given) >= 6
    for name, cells in given.items():
        model, method = GAINS[name]
        expected = []
        for encoder in findings.LARGER:
            own = (table["model"] == (model or encoder)) & (table["method"] == method)
            beside = (table["model"] == encoder) & (table["method"] == "full_ft")
            if not own.any():
                expected += ["–", "–"]
                continue
            found = gains.row("", "", gains.gains(table[own | beside], "method", [method], ["full_ft"]))
            expected += [f"{found[4]} ({found[5].replace('+', '')})", found[3]]
        assert cells == expected, name


def test_gains_of_the_nine_methods_are_those_of_the_committed_scores() -> None:
    table = gains.scores("fine_tuning_nine")
    table = table[~table["baseline"]]
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    given = re.findall(r"^\| `(\w+)` \| (.* to .*) \|$", text, re.MULTILINE)
    assert {method for method, _ in given} == {*table["method"]} - {"full_ft"}
    for method, cells in given:
        found = gains.gains(table, "method", [method], ["full_ft"])
        task = found.index.map(table.drop_duplicates("dataset").set_index("dataset")["task"])
        of_task = [gains.signed(found[task == one].mean()) for one in ("regression", "classification")]
        row = gains.row("", "", found)
        assert cells.split(" | ") == [f"{row[4]} ({row[5].replace('+', '')})", row[3], *of_task], method


def test_reference_is_generated_from_the_code(tmp_path: Path) -> None:
    copy = tmp_path / "reference.md"
    subprocess.run([sys.executable, "-m", "scripts.make_reference", "--out", copy], cwd=ROOT, check=True)
    assert copy.read_text(encoding="utf-8") == (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_reference_has_no_empty_cell() -> None:
    rows = [line for line in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    table = [line for line in rows if line.startswith("|")]
    assert len(table) > 150
    assert [line for line in table if not all(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])] == []


class Links(HTMLParser):
    """The addresses that a page of the site leads to, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.addresses.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; building stops at a broken link and at a page that the navigation lacks."""
    pytest.importorskip("mkdocstrings")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert not re.search("not included in the .nav.", built.stderr)
    return folder


def test_site_holds_every_page(site: Path) -> None:
    assert "fonts.googleapis" not in (site / "index.html").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert (site / ("index.html" if page.stem == "index" else f"{page.stem}/index.html")).exists()


def test_every_link_of_the_site_leads_to_a_page_or_file_of_it(site: Path) -> None:
    pages = {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}
    broken, code = [], set()
    for page, links in pages.items():
        for address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                assert parts.scheme in ("https", "mailto", "data"), address
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            anchors = pages[target].anchors if target in pages else set()
            if not target.exists() or (parts.fragment and parts.fragment not in anchors):
                broken.append(f"{page.relative_to(site)}: {address}")
            code |= {target.parent.name} if target.parent.suffix == ".py" else set()
    assert broken == []
    assert {"base.py", "encoder.py", "split.py", "train.py"} <= code


def test_pages_of_source_files_show_the_whole_file(site: Path) -> None:
    page = site / "repository" / "src" / "roftbench" / "methods" / "base.py" / "index.html"
    text = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
    first, *_, last = (ROOT / "src" / "roftbench" / "methods" / "base.py").read_text(encoding="utf-8").splitlines()
    assert first.strip('"') in text
    assert last.strip() in text.replace("&quot;", '"')


def saved_model(cli: Command, *overrides: str) -> Path:
    """Return the folder of a small model that was saved for prediction."""
    key = cli.lab.done("method=lp", "train.epochs=1", "run.keep=true", *overrides).key
    return cli.lab.results / "models" / key


def called(cli: Command, name: str, *words: str) -> Ended:
    """Run a command of a page on small networks and short trainings; of a sweep, make its plan."""
    if name in ("run", "plan") and ("-m" in words or name == "plan"):
        planned = [word for word in words if word != "-m"]
        search = hydra_app.planned_search(planned)
        assert search.first.jobs if search else hydra_app.plan(planned)[0].jobs
        return Ended(0, "", "")
    if name == "run":
        if "model=ecfp" in words:
            return cli("run", *words, *SMALL, "method.n_estimators=20")
        if "model=pyg" in words:
            return cli("run", *words, *SMALL)
        others = (word for word in words if not word.startswith(("model=", "model.checkpoint=")))
        return cli("run", *others, "model=tiny_gin", *SMALL)
    if name == "advise":
        return cli("advise", *(word for word in words if "budget" not in word), *RACE, *SMALL)
    if name == "fetch":  # what it brings is tested against a local server
        return Ended(0, "", "") if words else cli("fetch", "--help")
    if name in ("tables", "report") and "--from" not in words:
        for dataset in ("esol", "lipo"):
            cli.lab.done(f"dataset={dataset}", "method=lp", "train.epochs=1")
    return cli(name, *words)
