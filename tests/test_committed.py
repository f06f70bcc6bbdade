"""The results that are committed are those that this code gives."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from command import Command
from lab import ROOT, Lab
from whole import but_whole

from roftbench.data.table.reader import unpack
from roftbench.report.score_columns import LATER_METRICS
from roftbench.sweep.hydra_app import plan

# With jobs that fine-tuned MiniMol before the gradient of its pooling was corrected (docs/numbers.md).
UNCORRECTED = ("transfer_full_ft", "bace_lp_ft")
FOLDERS = sorted(path.parent for path in ROOT.glob("results/*/scores.csv*"))

SOME_FOLDS = (0, 7, 24)  # of 25: keys differ by the number alone

# The commands are those of cv_frozen.
LONGEST = [ROOT / "results" / name for name in ("cv_frozen_random", "cv_frozen_butina")]


def scores_of(folder: Path) -> Path:
    [path] = folder.glob("scores.csv*")
    return path


def commands(folder: Path, program: str) -> list[list[str]]:
    """Return the words of the commands of a program that results/README.md gives under the heading of a folder."""
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    [section] = [
        part for part in re.split(r"^## ", text, flags=re.MULTILINE) if f"`{folder.name}/`" in part.splitlines()[0]
    ]
    found = re.findall(rf"^{program} (.*)$", section, re.MULTILINE)
    return [shlex.split(words) for words in found]


@pytest.mark.parametrize("folder", but_whole(FOLDERS, LONGEST), ids=lambda p: p.name)
def test_the_commands_of_a_folder_are_the_jobs_of_its_scores(folder: Path, tmp_path: Path) -> None:
    """Key by key, so that no change of the code gives a committed result another name without being noticed."""
    arguments = [[*words, f"paths.results={tmp_path}"] for words in commands(folder, "roftbench run -m")]
    table = pd.read_csv(scores_of(folder)).drop_duplicates("key")
    if all("split=cv5x5" in words and "split.fold=" not in " ".join(words) for words in arguments):
        arguments = [[*words, f"split.fold={','.join(map(str, SOME_FOLDS))}"] for words in arguments]
        table = table[table["seed"].isin(SOME_FOLDS)]  # the seed of a fold is its number
    jobs = [one.job for words in arguments for one in plan(words)[0].jobs]
    scores = table.set_index("key")["method"].to_dict()
    if folder.name in UNCORRECTED:
        jobs = [job if job.key in scores else replace(job, model=replace(job.model, protocol=None)) for job in jobs]
    assert {job.key: job.method.name for job in jobs} == scores


def test_a_committed_score_is_computed_again(lab: Lab) -> None:
    """Bit for bit on the processor that made it; elsewhere the last digits of sums may differ."""
    table = pd.read_csv(ROOT / "results" / "gin_masking" / "scores.csv")
    words = ["model=gin_masking", "method=lp", "dataset=freesolv", "split=scaffold", "label_ratio=n50", "train=paper"]
    record = lab.done(*words, "seed=0")
    [row] = table[table["key"] == record.key].to_dict("records")
    for part in ("val", "test"):
        for metric, value in getattr(record.scores, part).items():
            if metric in LATER_METRICS:
                assert pd.isna(row[f"{part}_{metric}"])
            else:
                assert row[f"{part}_{metric}"] == pytest.approx(value, rel=1e-4), (part, metric)
    assert row["data_sha256"] == record.data.sha256


@pytest.mark.parametrize("folder", but_whole(FOLDERS, LONGEST), ids=lambda p: p.name)
def test_committed_tables_are_those_of_the_committed_scores(cli: Command, tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "tables"
    by = "model" if (folder / "models.csv").exists() else "method"
    given = [words for words in commands(folder, "roftbench tables") if words[1].startswith(f"results/{folder.name}/")]
    [asked] = [words[2:-2] for words in given if words[-2] == "--out"] or [[]]
    ended = cli("tables", "--by", by, "--from", str(scores_of(folder)), *asked, "--out", str(out))
    assert ended.code == 0, ended
    assert {path.name for path in out.iterdir()} == {path.name for path in folder.iterdir()}
    for path in out.iterdir():
        if path.suffix not in (".svg", ".pdf"):  # those depend on the machine's fonts
            made, committed = path.read_bytes(), (folder / path.name).read_bytes()
            assert unpack(path.name, made) == unpack(path.name, committed), path.name
