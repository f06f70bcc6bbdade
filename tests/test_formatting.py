"""Scores of any scale, and texts of strangers."""

import math
import re
from pathlib import Path

import pytest
from command import Command

from roftbench.formatting import (
    from_spreadsheet_text,
    printable,
    printable_name,
    printable_values,
    score_text,
    spreadsheet_text,
)
from roftbench.store.results import Store


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.23456, 3, "1.235"),
        (1.23456, 4, "1.2346"),
        (-0.5, 3, "-0.500"),
        (0.001, 3, "0.001"),
        (0.0009999, 3, "9.999e-04"),
        (7.0641e-07, 4, "7.064e-07"),
        (-2.5e-08, 3, "-2.500e-08"),
        (99999.5, 3, "99999.500"),
        (100000.0, 3, "1.000e+05"),
        (1.23456e39, 4, "1.235e+39"),
        (5e-324, 3, "4.941e-324"),
        (0.0, 3, "0.000"),
        (-0.0, 4, "0.0000"),
        (None, 3, "undefined"),
        (math.nan, 3, "undefined"),
        (math.inf, 3, "inf"),
    ],
)
def test_a_score_reads_as_what_it_is(value: float | None, digits: int, text: str) -> None:
    assert score_text(value, digits) == text


def test_only_zero_reads_as_zero() -> None:
    for exponent in range(-300, 300, 7):
        for value in (1.5 * 10.0**exponent, -9.9995 * 10.0**exponent):
            assert float(score_text(value)) == pytest.approx(value, rel=5e-4 if not 1e-3 <= abs(value) < 1e5 else 0.5)


def table_of_own(folder: Path, name: str, scale: float) -> Path:
    """40 molecules with labels around 5, times `scale`."""
    path = folder / name
    rows = [f"{'C' * (1 + i % 10)}{'ONFS'[i // 10]},{(4 + i * 7 % 11 / 5) * scale}" for i in range(40)]
    path.write_text("\n".join(["smiles,IC50", *rows]) + "\n", encoding="utf-8")
    return path


def test_run_list_and_tables_show_scores_of_any_scale(cli: Command, tmp_path: Path) -> None:
    table = table_of_own(tmp_path, "molar.csv", 1e-7)
    own = ["model=tiny_gin", "train=smoke", "dataset=csv", f"dataset.path={table}", "split=random"]
    ran = cli("run", "-m", *own, "method=full_ft", "train.standardize_targets=true", "seed=0,1")
    assert ran.code == 0, ran
    printed = [line for line in ran.out.splitlines() if line.startswith("  rmse: val")]
    listed = {line.split()[1]: line.split()[-2:] for line in cli("list", "runs").out.splitlines()[1:]}
    for record, line in zip(Store(cli.lab.results).load(), sorted(printed), strict=True):
        scores = [pytest.approx(getattr(record.scores, part)["rmse"], rel=1e-3) for part in ("val", "test")]
        assert all(1e-9 < score.expected < 1e-5 for score in scores)
        assert [float(text) for text in listed[record.key]] == scores
        assert len(re.findall(r"\d\.\d{3}e-0\d", line)) == 2
    cell = r"\d\.\d{3}e-0\d ± \d\.\d{3}e-\d\d \(2\)"
    assert re.search(cell, cli("tables").out)
    assert re.search(cell, (cli.lab.results / "tables" / "leaderboard.md").read_text("utf-8"))


def test_a_file_name_with_escapes_steers_no_terminal(cli: Command, tmp_path: Path) -> None:
    """What names the file names the data set: in run's lines and log, list, tables, data, plan and messages."""
    table = table_of_own(tmp_path, "odd\x1b[2J\x9b\u202e.csv", 1.0)
    own = ["model=tiny_gin", "train=smoke", "dataset=csv", f"dataset.path='{table}'", "split=random", "method=lp"]
    ran = cli("run", *own)
    assert ran.code == 0, ran
    calls = [["list", "runs"], ["tables"], ["tables", "--json"], ["tables", "--by", "model"], ["report"]]
    calls += [["data", str(table)], ["plan", *own], ["tables", "dataset=od"], ["run", *own, "label_ratio.count=99999"]]
    for ended in [ran, *(cli(*call) for call in calls)]:
        assert not re.search("[\x1b\x9b\u202e]", ended.out + ended.err), ended
    assert r"odd\x1b[2J\x9b\u202e" in ran.out
    logs = list(cli.lab.results.glob("**/*.log"))
    assert logs
    assert not any(re.search("[\x1b\x9b\u202e]", path.read_text("utf-8")) for path in logs)


def test_what_steers_a_terminal_is_written_out() -> None:
    assert printable("a\x1b]0;title\x07b\x9b2J\x7f\r") == r"a\x1b]0;title\x07b\x9b2J\x7f\x0d"
    assert printable("\u202etxt.exe\u2066\u061c\u200f\u2028") == r"\u202etxt.exe\u2066\u061c\u200f\u2028"
    assert printable("bad\udcff") == r"bad\udcff"
    assert printable("Löslichkeit (µM) ↓ 溶解度\n\tok") == "Löslichkeit (µM) ↓ 溶解度\n\tok"
    assert printable_name("two\nlines\tof\x1b") == r"two\nlines\tof\x1b"
    assert printable_values({"\x1b": ["\x1b", 1.5, None, {"a": ("\x9b",)}]}) == {
        r"\x1b": [r"\x1b", 1.5, None, {"a": [r"\x9b"]}]
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@sum", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_compute_is_quoted(text: str) -> None:
    assert spreadsheet_text(text) == f"'{text}"
    assert from_spreadsheet_text(f"'{text}") == text
    assert from_spreadsheet_text(spreadsheet_text(f"'{text}")) == f"'{text}"


@pytest.mark.parametrize("text", ["esol", "a=b", "", "'esol'", '{"weight":1.0}'])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert spreadsheet_text(text) == text == from_spreadsheet_text(text)
