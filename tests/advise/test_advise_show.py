"""How an advice stands on the terminal and in its files."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from roftbench.advise import recommendation as parts
from roftbench.advise.candidates import Candidate
from roftbench.advise.ending import Ending
from roftbench.advise.evidence import Evidence
from roftbench.advise.explain import reasons
from roftbench.advise.learning_curve import fitted
from roftbench.advise.next_labels import Ranked
from roftbench.advise.null import Null
from roftbench.advise.page import write
from roftbench.advise.show import show
from roftbench.advise.significance import difference
from roftbench.data.quality.verdict import Finding
from roftbench.formatting import printable_name
from roftbench.report.figures.panels import JobPoints, Panel

HOSTILE = "a\x1b[31m[red]\u202e"
NOTHING = Ending()
SIZES = {0.25: [5] * 3, 0.5: [10] * 3, 1.0: [20] * 3}
STOPPED = Ending("1 of 2 candidates were judged on all 3 folds", "no network was trained on all 3 folds", "about 1 h")
WINNER, OTHER, NULL = (0.7, 0.6, 0.8), (0.9, 0.9, 0.9), (1.0, 0.9, 1.1)


def advice(
    scale: float = 1.0, *, ending: Ending = NOTHING, name: str = "own", null: tuple[float, ...] = NULL
) -> parts.Advice:
    """Return an advice of two candidates judged on three folds, their scores multiplied by `scale`."""
    scores: list[dict[int, float | None]] = [
        {fold: scale * value for fold, value in enumerate(values)} for values in (WINNER, OTHER, null)
    ]
    best, other = (Candidate(name, method, scores=one) for method, one in zip(("lp", "full_ft"), scores, strict=False))
    mean = Null("training mean", "", baseline=True, scores=scores[2])
    behind = {one.name: difference(best.scores, one.scores, 1.0, 2) for one in (other, mean)}
    return parts.Advice(
        dataset=name,
        metric="rmse",
        labels=40,
        tested=10,
        count=3,
        by="random",
        budget="3jobs",
        ranked=[best, other],
        deciding=frozenset({0, 1, 2}),
        behind={key: one for key, one in behind.items() if one is not None},
        null=mean,
        test={best.name: parts.Tested([scale * 0.71], []), mean.name: parts.Tested([scale * 0.95], [])},
        curve=fitted(best.name, "lp", "rmse", SIZES, {share: [scale / share] * 3 for share in SIZES}, 20),
        ending=ending,
        commands=["roftbench run"],
        production=["roftbench run -m split=cv5x5 run.keep=esol-all"],
        saved=parts.Saved([], scale * 0.71),
        pretrained=frozenset(),
        warnings=[f"a column {name}"],
        quality=[Finding("ok", "molecules", f"a table {name}")],
        evidence=Evidence(name, "regression", "", {"y": [panel(name, scale)]}),
        next=Ranked(["rank", "why", "uncertainty", "similarity", "id"], [["1", "why", "0.5", "0.1", name]], "1 of 1"),
    )


def panel(name: str, scale: float) -> Panel:
    numbers = np.arange(3)
    values = scale * np.array([1.0, 2.0, 3.0])
    return Panel(printable_name(name), "lp", (JobPoints(numbers, values, values[::-1], values / (4 * scale)),))


def printed(given: parts.Advice) -> str:
    out = io.StringIO()
    show(given, Console(file=out, width=150, force_terminal=True, color_system="truecolor"))
    return out.getvalue()


def markdown(given: parts.Advice, folder: Path) -> str:
    html, text, *_ = write(given, folder)
    assert html.suffix == ".html"
    return text.read_text(encoding="utf-8")


def test_scores_of_small_labels_do_not_read_as_zero(tmp_path: Path) -> None:
    """Of labels in mol/L: 1e-7 printed with three decimals would be 0.000."""
    for text in (printed(advice(1e-7)), markdown(advice(1e-7), tmp_path)):
        for value in ("7.000e-08", "6.000e-08 to 8.000e-08", "-2.000e-08", "7.100e-08"):
            assert value in text, value
        assert "0.000" not in text
    assert "0.700" in printed(advice())
    assert "-0.200 [" in printed(advice())


def test_names_can_neither_steer_the_terminal_nor_be_taken_for_markup(tmp_path: Path) -> None:
    hostile = advice(name=HOSTILE)
    text = printed(hostile)
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert text.count(r"a\x1b[31m[red]\u202e") >= 4  # title, two candidates, a warning
    written = markdown(hostile, tmp_path)
    assert not {"\x1b", "\u202e"} & set(written)
    assert r"a\x1b[31m[red]\u202e" in MarkdownIt("commonmark").render(written)
    found = json.loads((tmp_path / "advice.json").read_text(encoding="utf-8"))
    assert found["dataset"] == HOSTILE
    markdown(advice(name="<script>x</script>"), tmp_path)
    assert "<script" not in (tmp_path / "advice.html").read_text(encoding="utf-8")


def test_a_line_feed_in_a_name_begins_no_line_of_its_own(tmp_path: Path) -> None:
    assert "\n# not ours" not in markdown(advice(name="a\n# not ours"), tmp_path)


@pytest.mark.parametrize("ending", [NOTHING, STOPPED])
def test_what_is_open_stands_above_the_table_and_is_said_once(ending: Ending) -> None:
    text = printed(advice(ending=ending))
    assert text.count("Not decided within this budget") == bool(ending.stopped)
    assert text.startswith("Not decided within this budget (3jobs): no network was trained") == bool(ending.stopped)
    assert text.index("candidate") < text.index("The best so far" if ending.stopped else "Use own · lp")


@pytest.mark.parametrize(
    ("null", "said", "settled"),
    [
        ((9.0, 9.1, 9.0), None, True),  # far behind: nothing is to be said
        ((0.8, 0.5, 0.9), "0.033 better over 3 folds", False),
        ((0.6, 0.7, 0.6), "0.067 worse over 3 folds", False),
        ((0.1, 0.01, 0.2), "0.597 worse over 3 folds", True),
    ],
)
def test_what_a_guess_without_the_molecule_leaves_open_is_said(
    null: tuple[float, ...], said: str | None, settled: bool
) -> None:
    """An interval that holds 0 proves neither that something was learned nor that nothing was."""
    lines = [line for line in reasons(advice(null=null)) if "training mean, which ignores the molecule" in line]
    assert len(lines) == (said is not None)
    if said is not None:
        assert said in lines[0]
        assert ("do not show whether anything was learned" in lines[0]) == (not settled)
        assert ("nothing useful was learned" in lines[0]) == settled


def test_a_test_score_that_is_undefined_is_said() -> None:
    assert "rmse is undefined on the test part" in printed(replace(advice(), saved=parts.Saved()))
