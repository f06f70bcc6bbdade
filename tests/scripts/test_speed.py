"""The benchmark script runs and prints its tables; how fast is never checked."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lab import METHODS, ROOT


def speed(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "scripts.speed", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_metrics_prints_a_row_for_each_test_part() -> None:
    result = speed("metrics", "--quick")
    assert result.returncode == 0, result.stderr
    header, *rows, note = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]
    assert header[:3] == ["part", "molecules", "tasks"]
    assert [row[:3] for row in rows] == [["ToxCast", "42", "617"], ["MUV", "465", "17"]]
    for row in rows:
        assert len(row) == len(header)
        assert all(re.fullmatch(r"\d+\.\d ms", cell) for cell in row[3:6])
        assert all(re.fullmatch(r"\d+\.\d\d%", cell) for cell in row[6:])
    assert note == ["forward: the network over as many molecules, timed on one batch of 42 from Lipo"]


def test_featurize_prints_a_row_for_each_step() -> None:
    result = speed("featurize", "--quick")
    assert result.returncode == 0, result.stderr
    header, *rows, note = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]
    assert header == ["6,000 rows", "time", "rows/s", "peak so far"]
    assert len(rows) == 4
    for row in rows:
        assert all(
            re.fullmatch(pattern, cell)
            for pattern, cell in zip((r"\d+\.\d s", r"[\d,]+", r"[\d,]+ MB"), row[1:], strict=True)
        )
    assert note[0].startswith("peak: proportional set size")


def test_tables_prints_a_time_for_each_way() -> None:
    result = speed("tables", "--quick")
    assert result.returncode == 0, result.stderr
    names = ["list runs", "plan of a job", "tables and comparison", "the same from scores.csv", "with figures"]
    times = [re.search(rf"^{name} +\d+\.\d s, +\d+\.\d s of CPU$", result.stdout, re.MULTILINE) for name in names]
    assert all(times), result.stdout
    assert re.search(r"^peak memory of the largest [\d,]+ MB$", result.stdout, re.MULTILINE)


def test_step_prints_and_writes_the_table_with_the_machine(tmp_path: Path) -> None:
    json_file, page = tmp_path / "speed.json", tmp_path / "speed.md"
    result = speed("step", "--quick", "--json", str(json_file), "--markdown", str(page))
    assert result.returncode == 0, result.stderr
    table = json.loads(json_file.read_text())
    assert {"processor", "cores", "load (1, 5, 15 minutes)", "torch"} <= table["machine"].keys()
    names = ["training step, 32", "the same with train.precision=bf16", "full_ft epoch", "evaluation of all parts"]
    assert len(table["rows"]) == len(names)
    for row, name in zip(table["rows"], names, strict=True):
        assert row["name"].startswith(name)
        assert all(row[side] > 0 for side in ("ours", "reference", "floor"))
        assert row["name"] in result.stdout
        assert f"| {row['name']} |" in page.read_text()


def test_gpu_prints_a_row_for_each_method_and_one_for_all(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    result = speed("gpu", "--quick", "--device", "cpu", "--json", str(file))  # any device does
    assert result.returncode == 0, result.stderr
    table = json.loads(file.read_text())
    *methods, whole = table["rows"]
    assert {row["name"].split()[2].rstrip(",") for row in methods} == set(METHODS)
    assert whole["name"].endswith("the nine jobs together, 2 at a time")
    for side in ("ours", "reference"):
        assert whole[side] == pytest.approx(sum(row[side] for row in methods))
    assert "Seconds a seed: those of a process" in result.stdout


def test_jobs_prints_a_row_for_each_method_and_one_for_all(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    result = speed("jobs", "--quick", "--json", str(file))
    assert result.returncode == 0, result.stderr
    table = json.loads(file.read_text())
    *methods, whole = table["rows"]
    assert {row["name"].split()[2] for row in methods} == set(METHODS)
    for side in ("ours", "reference"):
        assert whole[side] == pytest.approx(sum(row[side] for row in methods))
    assert table["notes"][0].startswith(
        "Jobs: 1 epochs of each phase (1 with 50 labels; 1 and 1 of roftmol's coefficients) are run on both sides"
    )


def test_start_times_the_commands() -> None:
    result = speed("start", "--quick")
    assert result.returncode == 0, result.stderr
    for name in ("import torch", "roftbench --help", "roftbench list models", "roftbench run"):
        assert re.search(rf"^`{name}.*  [\d.]+ m?s", result.stdout, re.MULTILINE), result.stdout


def test_an_unknown_benchmark_is_refused_and_the_choices_are_named() -> None:
    result = speed("flight")
    assert result.returncode == 2
    assert "metrics" in result.stderr
