"""Where the numbers come from, and the jobs that gave none."""

from collections import Counter
from pathlib import Path

from browser import Browser
from given_page import behind, changed, data_in, rows
from lab import Lab

from roftbench.report.tables.provenance import protocol_of


def test_failed_job_is_listed_with_its_reason(shown: Browser, bench: Lab) -> None:
    [failure] = bench.store.load_failures()
    [_, [key, status, model, method, *_, reason]] = rows(shown, "#scroll-failures")
    assert (key, status, model, method) == (failure.key, "failed", "tiny_gin", "BSS")
    assert reason == failure.error
    assert shown.text("#failures .note").startswith("1 job failed. Nothing of them")


def test_long_list_of_failures_says_that_it_ends(browser: Browser, page: Path, tmp_path: Path) -> None:
    counts = {**data_in(page)["counts"], "failed": 900, "skipped": 2}
    browser.open(changed(page, tmp_path, counts=counts))
    said = browser.text("#failures .note")
    assert said.startswith("900 jobs failed, 2 skipped")
    assert "The first 1 are shown; “roftbench list runs” lists all." in said


def test_no_failures_leave_no_section(browser: Browser, page: Path, tmp_path: Path) -> None:
    counts = {**data_in(page)["counts"], "failed": 0}
    browser.open(changed(page, tmp_path, counts=counts, failures=[]))
    assert not browser.one("#failures").is_displayed()


def test_facts_name_data_models_settings_and_software(shown: Browser, bench: Lab) -> None:
    record = behind(bench, method="lp", model="tiny_gin", dataset="bbbp")[0]
    data, env = record.data, record.env
    table = {row[0]: row for row in rows(shown, "#scroll-data")}
    counts = [f"{data.rows:,}", f"{data.kept:,}", str(len(data.dropped))]
    assert table["bbbp"] == ["bbbp", "classification", "ROC-AUC", *counts, data.sha256[:12], "bundled"]
    [_, *protocols] = rows(shown, "#scroll-protocols")
    jobs_of = Counter(protocol_of(one.job) for one in bench.store.load())
    featurizer = str(record.job["featurizer"])
    assert protocols == [[str(protocol), featurizer, str(jobs)] for protocol, jobs in sorted(jobs_of.items())]
    assert jobs_of.keys() == {3, 4}  # that of ROFT-MOL's definition, and that of all others
    [_, [version, commit, python, packages, device, threads, *_, jobs]] = rows(shown, "#scroll-envs")
    assert (version, python, device, threads, jobs) == (env["roftbench"], env["python"], "cpu", "1", "30")
    assert commit == (env["commit"] or "–")[:12]  # none outside a checkout
    assert f"torch {env['torch']}" in packages
    assert shown.text("#facts .note:last-child").startswith("The 30 jobs took ")
    settings = {(kind, name): text for kind, name, text in rows(shown, "#scroll-settings")[1:]}
    assert "epochs = 3, batch_size = 32, lr = 0.001" in settings["Training", "smoke"]
    assert "seed = 42" in settings["Split", "scaffold"]
    assert "count = 100" in settings["Training labels", "n100"]


def test_parts_are_listed_with_fingerprints(shown: Browser, bench: Lab) -> None:
    shown.click("#parts summary")
    written = rows(shown, "#scroll-parts")[1:]
    prints = {record.data.parts_sha256[:12] for record in bench.store.load()}
    assert {line[-1] for line in written} == prints
    assert len(written) == 5  # both data sets at 50 and 100 labels, and the random split of one
