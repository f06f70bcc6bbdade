"""Selection on test scores beside the honest one."""

from boards import board_of, computed, runs, searched

from roftbench.report.tables import footnotes
from roftbench.report.tables.render import (
    render_markdown,
    to_frame,
)


def test_selection_on_test_scores_stands_beside_the_honest_one() -> None:
    records = searched("bss", "esol", {1.0: (1.0, 5.0), 0.1: (2.0, 4.0)}) + runs("lp", "esol", [4.5, 4.5])
    honest = render_markdown(computed(records))
    assert "§" not in honest
    text = render_markdown(computed(records, "select=test"))
    assert "| BSS | 5.000 ± 0.000 (2) | 2.00 |\n| BSS § | 4.000 ± 0.000 (2) |  |\n" in text
    assert "- BSS §, selected by test scores: esol: weight=0.1.\n" in text
    assert f"- {footnotes.NOT_REPORTABLE}\n" in text
    assert "## Selection on test scores (NOT REPORTABLE)\n" in text
    assert "\n| BSS | 1 | 1 | +20.00 | -- |\n" in text
    frame = to_frame(board_of(records, "select=test"))
    assert frame[["method", "selected_by", "mean"]].to_numpy().tolist() == [
        ["lp", "val", 4.5],
        ["bss", "val", 5.0],
        ["bss", "test", 4.0],
    ]
    nothing = render_markdown(computed(runs("lp", "esol", [4.5]), "select=test"))
    assert "No cell had a choice of hyperparameters." in nothing
