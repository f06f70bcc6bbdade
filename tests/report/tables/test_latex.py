"""Tables for LaTeX."""

from boards import computed, ended, example, forests, runs, searched

from roftbench.report.tables.footnotes import NOT_REPORTABLE, OUTSIDE, USES_VALIDATION
from roftbench.report.tables.latex import escape
from roftbench.report.tables.render import render_latex


def test_latex_has_rules_marks_and_no_bare_special_sign() -> None:
    records = [*example(), *runs("my_{50%}&co", "esol", [0.5, 0.5])]
    text = render_latex(computed(records))
    lines = [line for line in text.splitlines() if line and not line.startswith("%")]
    assert text.count("\\toprule") == text.count("\\midrule") == text.count("\\bottomrule") == 3
    assert r"\caption{gin\_masking $\cdot$ scaffold split $\cdot$ full labels $\cdot$ paper training" in text
    assert r"Method & esol & lipo & Avg. rank \\" in lines
    assert r"BSS & \textbf{0.900 $\pm$ 0.000 (2)} & 1/2 & -- \\" in lines
    assert r"my\_\{50\%\}\&co & \textbf{0.500 $\pm$ 0.000 (2)} & -- & -- \\" in lines
    assert r"ROFT-MOL $^\ddagger$ & \textbf{0.800 $\pm$ 0.000 (2)} & -- \\" in lines
    assert all(line.isascii() for line in lines)
    assert "% roftbench run -m model=gin_masking method=bss dataset=lipo" in text
    assert "% esol esol-sha 101 100 8" in text


def test_what_the_marks_mean_is_typeset_below_the_rows() -> None:
    failed = ended(runs("l2_sp", "bace", [0.0, 0.0]), error="50% `lost` ≥ <3>")
    tuned = searched("lp_ft", "esol", {0.1: (1.0, 2.0), 0.2: (2.0, 1.0)})
    records = [*example(), *tuned, *forests("bace", [0.5, 0.5]), *forests("esol", [0.5, 0.5])]
    text = render_latex(computed(records, "select=test", failures=failed))
    first, second = text.split("\\end{tabular}\n\\par\\smallskip\n\\parbox{\\linewidth}{\\footnotesize\n")[1:]
    for table, marks in ((first, ("‡", "†")), (second, ("†", "§"))):
        typeset = table.partition("}\n\\end{table}\n")[0]
        assert typeset.count("\\par\n") == len(typeset.splitlines())
        for mark, meaning in {"‡": USES_VALIDATION, "†": OUTSIDE, "§": NOT_REPORTABLE}.items():
            assert (f"\n{escape(meaning)}\\par\n" in typeset) == (mark in marks), mark
    assert "\nLabel budget (labels for weights / selection / interpolation coefficients): Full FT, " in first
    assert "Failed: L$^2$-SP on bace (seed 0, 1): 50\\% lost $\\geq$ \\textless{}3\\textgreater{}." in first
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert not any(sign in line for line in comments for sign in ("**", "<u>", "`", "†", "‡", "§", "Label budget"))
