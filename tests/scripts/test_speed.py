"""The benchmark script runs and prints its tables; how fast is never checked."""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from command import Ended
from lab import NINE

Speed = Callable[..., Ended]


@pytest.fixture
def speed(capsys: pytest.CaptureFixture[str]) -> Iterator[Speed]:
    """Call the benchmark in this process: importing torch and PyG again for each part takes longer than the parts."""
    with warnings.catch_warnings(action="ignore"):  # torch_geometric scripts a class with what torch deprecates
        from scripts.speed.__main__ import main

    def run(*arguments: str) -> Ended:
        try:
            main(arguments)
        except SystemExit as error:
            return Ended(error.code, *capsys.readouterr())
        return Ended(0, *capsys.readouterr())

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


def test_metrics_prints_a_row_for_each_test_part(speed: Speed) -> None:
    result = speed("metrics", "--quick")
    assert result.code == 0, result.err
    header, *rows, note = [re.split(r"\s{2,}", line.strip()) for line in result.out.splitlines()]
    assert header[:3] == ["part", "molecules", "tasks"]
    assert [row[:3] for row in rows] == [["ToxCast", "42", "617"], ["MUV", "465", "17"]]
    for row in rows:
        assert len(row) == len(header)
        assert all(re.fullmatch(r"\d+\.\d ms", cell) for cell in row[3:6])
        assert all(re.fullmatch(r"\d+\.\d\d%", cell) for cell in row[6:])
    assert note == ["forward: the network over as many molecules, timed on one batch of 42 from Lipo"]


@pytest.mark.whole
def test_featurize_prints_a_row_for_each_step(speed: Speed) -> None:
    result = speed("featurize", "--quick")
    assert result.code == 0, result.err
    header, *rows, note = [re.split(r"\s{2,}", line.strip()) for line in result.out.splitlines()]
    assert header == ["6,000 rows", "time", "rows/s", "peak so far"]
    assert len(rows) == 4
    for row in rows:
        assert all(
            re.fullmatch(pattern, cell)
            for pattern, cell in zip((r"\d+\.\d s", r"[\d,]+", r"[\d,]+ MB"), row[1:], strict=True)
        )
    assert note[0].startswith("peak: proportional set size")


@pytest.mark.whole
def test_tables_prints_a_time_for_each_way(speed: Speed) -> None:
    result = speed("tables", "--quick")
    assert result.code == 0, result.err
    names = ["list runs", "plan of a job", "tables and comparison", "the same from scores.csv", "with figures"]
    times = [re.search(rf"^{name} +\d+\.\d s, +\d+\.\d s of CPU$", result.out, re.MULTILINE) for name in names]
    assert all(times), result.out
    assert re.search(r"^peak memory of the largest [\d,]+ MB$", result.out, re.MULTILINE)


def test_step_prints_and_writes_the_table_with_the_machine(speed: Speed, tmp_path: Path) -> None:
    json_file, page = tmp_path / "speed.json", tmp_path / "speed.md"
    result = speed("step", "--quick", "--json", str(json_file), "--markdown", str(page))
    assert result.code == 0, result.err
    table = json.loads(json_file.read_text())
    assert {"processor", "cores", "load (1, 5, 15 minutes)", "torch"} <= table["machine"].keys()
    names = ["training step, 32", "the same with train.precision=bf16", "full_ft epoch", "evaluation of all parts"]
    assert len(table["rows"]) == len(names)
    for row, name in zip(table["rows"], names, strict=True):
        assert row["name"].startswith(name)
        assert all(row[side] > 0 for side in ("ours", "reference", "floor"))
        assert row["name"] in result.out
        assert f"| {row['name']} |" in page.read_text()


@pytest.mark.whole
def test_networks_prints_a_row_for_each_reference_and_floor(speed: Speed) -> None:
    result = speed("networks", "--quick")
    assert result.code == 0, result.err
    rows = [line for line in result.out.splitlines() if "training step, " in line or line.startswith("the same")]
    assert len(rows) == 3
    assert "reference: plain PyG loop" in rows[0]
    assert all("ms" in row for row in rows)


@pytest.mark.whole
def test_gpu_prints_a_row_for_each_method_and_one_for_all(speed: Speed, tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    result = speed("gpu", "--quick", "--device", "cpu", "--json", str(file))  # any device does
    assert result.code == 0, result.err
    table = json.loads(file.read_text())
    *methods, whole = table["rows"]
    assert {row["name"].split()[2].rstrip(",") for row in methods} == set(NINE)
    assert whole["name"].endswith("the nine jobs together, 2 at a time")
    for side in ("ours", "reference"):
        assert whole[side] == pytest.approx(sum(row[side] for row in methods))
    assert "Seconds a seed: those of a process" in result.out


@pytest.mark.whole
def test_jobs_prints_a_row_for_each_method_and_one_for_all(speed: Speed, tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    result = speed("jobs", "--quick", "--json", str(file))
    assert result.code == 0, result.err
    table = json.loads(file.read_text())
    *methods, whole = table["rows"]
    assert {row["name"].split()[2] for row in methods} == set(NINE)
    for side in ("ours", "reference"):
        assert whole[side] == pytest.approx(sum(row[side] for row in methods))
    assert table["notes"][0].startswith(
        "Jobs: 1 epochs of each phase (1 with 50 labels; 1 and 1 of roftmol's coefficients) are run on both sides"
    )


@pytest.mark.whole
def test_methods_prints_ratios_of_cpu_seconds_to_full_fine_tuning(speed: Speed, tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    result = speed("methods", "--quick", "--json", str(file))
    assert result.code == 0, result.err
    table = json.loads(file.read_text())
    names = [row["name"].partition(": ")[2] for row in table["rows"]]
    steps = ("spd", "ema", "ftp", "mixout", "gtot", "adapter", "lora", "bitfit", "gpf", "gpf_plus")
    after = ("wise_ft", "lines", "tpgm", "roftmol")
    assert names == [*(f"a step of {one}" for one in steps), *(f"{one} after full_ft" for one in after)]
    assert all(row["ours"] > 0 and row["floor"] > 0 for row in table["rows"])
    assert table["notes"][1].startswith("Methods: CPU seconds")


@pytest.mark.whole
def test_start_times_the_commands(speed: Speed) -> None:
    result = speed("start", "--quick")
    assert result.code == 0, result.err
    for name in ("import torch", "roftbench --help", "roftbench list models", "roftbench run"):
        assert re.search(rf"^`{name}.*  [\d.]+ m?s", result.out, re.MULTILINE), result.out


def test_an_unknown_benchmark_is_refused_and_the_choices_are_named(speed: Speed) -> None:
    result = speed("flight")
    assert result.code == 2
    assert "metrics" in result.err


@pytest.mark.whole
def test_predict_prints_molecules_per_second_and_per_cpu_second(speed: Speed) -> None:
    result = speed("predict", "--quick")
    assert result.code == 0, result.err
    for what in (r"second of \d+ cores", "CPU second"):
        assert re.search(rf"^`roftbench predict`, GIN, 50 molecules of HIV: per {what} +[\d,]+/s", result.out, re.M)
