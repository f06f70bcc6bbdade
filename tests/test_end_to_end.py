"""Whole sweeps and interrupted jobs, as a user meets them."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from command import Command, Terminal
from lab import NINE, Lab, merged, numbers

# LP-FT with stages long enough to be met in the second one: 100 epochs of two batches.
LONG = ("method=lp_ft", "train.epochs=100")
SMOKE = ("experiment=smoke", "model=tiny_gin", "label_ratio=n50", "run.device=cpu", "run.threads=1")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, Any]:
    """The numbers of the long job when nothing happens to it."""
    return numbers(Lab(tmp_path_factory.mktemp("undisturbed"), cache).done(*LONG))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_job_that_is_stopped_leaves_nothing_half_written_and_goes_on(
    lab: Lab, cli: Command, tmp_path: Path, undisturbed: dict[str, Any], number: int, code: int
) -> None:
    ended = Terminal.of(lab, tmp_path).stopped(number, "run", *merged(LONG), after=" for 100 epochs ", count=2)
    assert ended.code == code, ended
    if number == signal.SIGINT:
        assert ended.err.strip() == "roftbench: interrupted; finished stages are kept, the same command continues"
    assert "Traceback" not in ended.err
    left = [name for name in cli.files() if not name.startswith("logs/")]
    marks = [] if number == signal.SIGINT else ["running"]  # of a process that could not take its mark away
    assert [name.split("/")[0] for name in left] == [*marks, "stages"]  # linear probing's, whole
    assert left[-1].endswith(".safetensors")

    again = cli.run(*LONG)
    assert again.code == 0, again
    assert "seconds  lp (reused) " in again.out
    [record] = lab.store.load()
    assert numbers(record) == undisturbed
    assert not [path for path in lab.results.rglob("*") if ".tmp" in path.name]


@pytest.mark.slow
@pytest.mark.whole
def test_the_smoke_sweep_killed_and_resumed_gives_eighteen_records_and_two_tables_of_nine(
    lab: Lab, cli: Command, tmp_path: Path
) -> None:
    """All nine methods on a regression and a classification data set, in one multirun."""
    killed = Terminal.of(lab, tmp_path).stopped(signal.SIGKILL, "run", "-m", *SMOKE, after=": val ", count=4)
    assert killed.code == -signal.SIGKILL, killed
    done = {record.key: record for record in lab.store.load()}
    assert 4 <= len(done) < 18

    sweep = cli("run", "-m", *SMOKE)
    assert sweep.code == 0, sweep
    assert sweep.out.startswith(f"18 jobs: {len(done)} done, 0 failed before, {18 - len(done)} to run\n")
    assert f"\n18 jobs: 18 done ({len(done)} of them before), 0 skipped, 0 failed\nnext: roftbench tables" in sweep.out
    assert sweep.out.count("\njob ") == 18 - len(done)
    records = lab.store.load()
    cells = [(record.job["method"]["name"], record.job["dataset"]["name"]) for record in records]
    assert sorted(cells) == sorted((method, dataset) for method in NINE for dataset in ("esol", "bbbp"))
    assert {record.key: record for record in records if record.key in done} == done
    assert lab.store.load_failures() == []

    tables = cli("tables")
    assert tables.code == 0
    for metric in ("RMSE ↓", "ROC-AUC ↑"):
        table = tables.out.partition(f"smoke training · {metric}")[2].partition("└")[0]
        assert table.count(" (1) │") == 9, table
    rows = json.loads(cli("tables", "--json").out)
    assert sorted((row["method"], row["dataset"]) for row in rows) == sorted(cells)
    assert all(row["n"] == row["n_expected"] == 1 for row in rows)
