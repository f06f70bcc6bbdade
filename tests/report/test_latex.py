"""Tables for LaTeX."""

from boards import computed, example, runs

from roftbench.report.tables import (
    render_latex,
)


def test_latex_has_rules_marks_and_no_bare_special_sign() -> None:
    records = [*example(), *runs("my_{50%}&co", "esol", [0.5, 0.5])]
    text = render_latex(computed(records))
    lines = [line for line in text.splitlines() if line and not line.startswith("%")]
    assert text.count("\\toprule") == text.count("\\midrule") == text.count("\\bottomrule") == 3
    assert r"\caption{gin\_masking $\cdot$ scaffold split $\cdot$ full labels $\cdot$ paper training" in text
    assert r"Method & esol & lipo & Avg. rank \\" in lines
    assert r"BSS & \underline{0.900 $\pm$ 0.000 (2)} & 1/2 & -- \\" in lines
    assert r"my\_\{50\%\}\&co & \textbf{0.500 $\pm$ 0.000 (2)} & -- & -- \\" in lines
    assert r"ROFT-MOL $^\ddagger$ & \underline{0.800 $\pm$ 0.000 (2)} & -- \\" in lines
    assert all(line.isascii() for line in lines)
    assert "% roftbench run -m model=gin_masking method=bss dataset=lipo" in text
    assert "% esol esol-sha 101 100 8" in text
