"""The benchmark script runs and prints its tables; how fast is never checked."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT


def speed(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "speed.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


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


def test_featurise_prints_a_row_for_each_step() -> None:
    result = speed("featurise", "--quick")
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
    names = ["tables and comparison", "the same from scores.csv", "with figures"]
    times = [re.search(rf"^{name} +\d+\.\d s, +\d+\.\d s of CPU$", result.stdout, re.MULTILINE) for name in names]
    assert all(times), result.stdout
    assert re.search(r"^peak memory of the largest [\d,]+ MB$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("arguments", [(), ("flight",)])
def test_without_a_known_benchmark_the_choices_are_named(arguments: tuple[str, ...]) -> None:
    result = speed(*arguments)
    assert result.returncode == 2
    assert "metrics" in result.stderr
