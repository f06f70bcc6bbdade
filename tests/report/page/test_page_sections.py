"""The page of a single job, of one method on an own table, of folds of two methods, and of advice: whole, not empty."""

import json
from pathlib import Path

import pytest
from browser import Browser
from command import Command
from given_page import data_in, rows
from lab import FOREST, Lab, write_csv

from roftbench.config.paths import Paths
from roftbench.report.page.html import write_report
from roftbench.report.page.sections import empty_sections

SMILES = ["C" * length + end for length in range(1, 16) for end in ("O", "N", "F", "Cl")]
SHOWN = "return [...document.querySelectorAll('main section')].filter((one) => !one.hidden).map((one) => one.id)"
LINKS = "return [...document.querySelectorAll('nav.sections a')].map((one) => one.hash.slice(4))"
LOADED = "return [...document.images].map((one) => one.complete && one.naturalWidth > 0)"


def page_of(lab: Lab, folder: Path) -> Path:
    out = folder / "report.html"
    write_report(lab.results, out, paths=Paths(str(lab.results), str(lab.cache), offline=True))
    return out


def own(folder: Path) -> tuple[str, str]:
    path = write_csv(folder / "own.csv", {"smiles": SMILES, "logS": [len(text) * 1.5 for text in SMILES]})
    return "dataset=csv", f"dataset.path={path}"


def single_job(lab: Lab, folder: Path) -> None:
    lab.done("method=lp")


def own_table_with_seeds(lab: Lab, folder: Path) -> None:
    for seed in (0, 1, 2):
        lab.done(*FOREST, *own(folder), "label_ratio=full", "split=random", f"seed={seed}")


def folds_of_two_methods(lab: Lab, folder: Path) -> None:
    for fold in (0, 1):
        for method in ("ridge", "knn"):
            names = ("model=ecfp", f"method={method}", "dataset=bbbp", "label_ratio=full")
            lab.done(*names, "split=cv", "split.folds=2", f"split.fold={fold}")


@pytest.mark.parametrize(
    ("fill", "images"),
    [(single_job, 2), (own_table_with_seeds, 2), (folds_of_two_methods, 3)],
    ids=lambda one: getattr(one, "__name__", None),
)
@pytest.mark.parametrize("width", [1280, 390])
def test_no_section_is_empty_and_pictures_are_inside(
    browser: Browser, lab: Lab, tmp_path: Path, fill: object, images: int, width: int
) -> None:
    assert callable(fill)
    fill(lab, tmp_path)
    browser.window(width, 900)
    browser.open(page_of(lab, tmp_path))
    compared = ["versus"] if fill is folds_of_two_methods else []
    assert browser.script(SHOWN) == browser.script(LINKS)
    assert sorted(browser.script(SHOWN)) == sorted(["board", "predictions", *compared, "facts"])
    assert browser.script(LOADED) == [True] * images
    assert browser.console() == []
    assert browser.script("return document.documentElement.scrollWidth") <= width
    assert [url for url in browser.requests() if not url.startswith(("file:", "data:", "about:"))] == []


@pytest.mark.whole
def test_advice_is_shown_with_its_folds(browser: Browser, cli: Command, tmp_path: Path) -> None:
    words = ["advise", *own(tmp_path), "split=random", "train=smoke", "advise.models=tiny_gin", "advise.methods=lp"]
    words += ["advise.features=ecfp", "advise.estimators=random_forest"]
    words += ["advise.folds=3", "advise.members=1", "advise.budget=14jobs", "advise.by=random"]
    assert cli(*words, "run.device=cpu", "run.threads=1").code == 0
    browser.open(page_of(cli.lab, tmp_path))
    assert "advice" in browser.script(SHOWN)
    [path] = (cli.lab.results / "advise").glob("*/advice.json")
    advice = json.loads(path.read_text(encoding="utf-8"))
    head, *lines = rows(browser, "#advice")
    folds = sorted({fold for one in advice["candidates"] for fold in one["folds"]})
    assert head == ["", "Candidate", "Test", "Mean of folds", *(f"Fold {fold}" for fold in folds)]
    assert [line[1] for line in lines] == [
        *(f"{one['model']} · {one['method']}" for one in advice["candidates"]),
        advice["baseline"]["name"],
    ]
    for line, one in zip(lines, advice["candidates"], strict=False):
        by_fold = dict(zip(one["folds"], one["scores"], strict=True))
        assert line[4:] == [f"{by_fold[fold]:.3f}" if fold in by_fold else "--" for fold in folds]
    assert lines[-1][2] == f"{advice['baseline']['test']:.3f}"
    assert browser.texts("#advice li") == advice["reasons"]
    assert browser.text("#advice code") == advice["commands"][0]


def test_damaged_advice_is_reported_and_left_out(lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lab.done("method=lp")
    path = lab.results / "advise" / "0123" / "advice.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"candidates": [{}]}', encoding="utf-8")
    text = page_of(lab, tmp_path).read_text(encoding="utf-8")
    assert 'id="advice"' not in text
    assert f"{path} cannot be read and is not shown" in caplog.text


def test_names_from_advice_cannot_become_markup(lab: Lab, tmp_path: Path) -> None:
    lab.done("method=lp")
    hostile = "<script>alert(1)</script>"
    one = {"model": hostile, "method": "lp", "scores": [1.0], "folds": [1], "test": [], "indistinguishable": False}
    advice = {
        "dataset": hostile,
        "metric": "rmse",
        "folds": hostile,
        "reasons": [hostile],
        "commands": [hostile],
        "candidates": [{**one, "failure": None}],
        "baseline": {"name": hostile, "scores": [2.0], "test": 2.0},
    }
    path = lab.results / "advise" / "0123" / "advice.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(advice), encoding="utf-8")
    assert hostile not in page_of(lab, tmp_path).read_text(encoding="utf-8")


def test_pages_of_benchmarks_are_complete_and_read_no_predictions(
    bench: Lab, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert empty_sections(data_in(page)) == set()
    monkeypatch.setattr("roftbench.report.page.sections.groups", None)  # it has five data sets, splits and label counts
    assert page_of(bench, tmp_path).read_bytes() == page.read_bytes()


def test_pages_without_predictions_allow_no_images(page: Path, lab: Lab, tmp_path: Path) -> None:
    assert "img-src" not in page.read_text(encoding="utf-8")
    lab.done("method=lp")
    assert "; img-src data:" in page_of(lab, tmp_path).read_text(encoding="utf-8")
    first = page_of(lab, tmp_path).read_bytes()
    assert page_of(lab, tmp_path).read_bytes() == first
