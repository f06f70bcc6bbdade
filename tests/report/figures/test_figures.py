"""Colors that everybody can tell apart, and files that are the same whenever they are drawn."""

import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from drawn import svg
from lab import ROOT
from matplotlib import colors
from matplotlib.figure import Figure

from roftbench.report.figures.style import appearance, style, write_figure
from roftbench.report.format import baselines, methods

# Severe deficiencies, for linear RGB: Machado, Oliveira & Fernandes 2009, table 1.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ @ np.ones(3)


def linear(color: str) -> np.ndarray:
    rgb = np.array(colors.to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    f = np.cbrt(TO_XYZ @ np.clip(rgb, 1e-3, 1) / WHITE)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


NINE = methods()[:9]  # of the paper


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_methods_can_be_told_apart(sight: str) -> None:
    seen = {method: lab(SIGHT[sight] @ linear(appearance(method).color)) for method in NINE}
    closest = min(itertools.combinations(NINE, 2), key=lambda pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]))
    assert np.linalg.norm(seen[closest[0]] - seen[closest[1]]) >= 18, closest


def test_colors_stand_out_from_white_and_markers_differ() -> None:
    luminance = {method: float(TO_XYZ[1] @ linear(appearance(method).color)) for method in NINE}
    assert min(1.05 / (value + 0.05) for value in luminance.values()) > 2.2
    assert len({appearance(method).marker for method in NINE}) == len(NINE)


def test_methods_of_the_user_and_baselines_look_different_from_the_papers() -> None:
    own = appearance("my_own")
    assert own == appearance("my_own")
    assert (own.linestyle, own.color in {appearance(method).color for method in NINE}) == ("--", False)
    assert len({appearance(method) for method in methods()}) == len(methods())
    assert {appearance(method).linestyle for method in methods() if method not in NINE} == {"--"}
    known = [appearance(name) for name in baselines()]
    assert len(set(known)) == len(known)
    assert {(one.linestyle == "-", one.marker) for one in known} == {(False, "")}


def simple(title: str = "a & b") -> Figure:
    with style():
        figure = Figure(label=title)
        axes = figure.add_subplot()
        axes.errorbar([1, 2], [1.0, 3.0], yerr=0.1, color=appearance("lp").color, marker="o")
        axes.set_title("$5 ± $6 ↓")
        axes.fill_between([1, 2], [1, 1], [2, 2], clip_on=True, hatch="/")
    return figure


def test_files_are_whole_and_undated(tmp_path: Path) -> None:
    paths = write_figure(simple(), tmp_path / "new" / "figure.v1")
    assert [path.name for path in paths] == ["figure.v1.svg", "figure.v1.pdf"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["figure.v1.pdf", "figure.v1.svg"]
    root = ElementTree.fromstring(paths[0].read_text(encoding="utf-8"))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "a & b"
    assert "$5 ± $6 ↓" in "".join(root.itertext())  # text is text, and a dollar no formula
    assert "date" not in paths[0].read_text(encoding="utf-8")
    assert b"CreationDate" not in paths[1].read_bytes()


def test_the_users_own_settings_neither_matter_nor_change(tmp_path: Path) -> None:
    expected = [path.read_bytes() for path in write_figure(simple(), tmp_path / "a")]
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "svg.hashsalt": None, "xtick.direction": "in"}):
        before = dict(mpl.rcParams)
        assert [path.read_bytes() for path in write_figure(simple(), tmp_path / "b")] == expected
        assert dict(mpl.rcParams) == before


DRAW = """
import sys
import roftbench.report.analysis
assert "matplotlib" not in sys.modules
sys.path[:0] = sys.argv[1:]
from test_figures import simple
from drawn import svg
sys.stdout.write(svg(simple()))
assert "matplotlib.pyplot" not in sys.modules
"""


def test_another_process_draws_the_same_and_matplotlib_waits_until_it_is_needed() -> None:
    env = {**os.environ, "PYTHONHASHSEED": "5", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", DRAW, str(Path(__file__).parent), str(ROOT / "tests" / "helpers")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    with warnings.catch_warnings():
        assert done.stdout == svg(simple())
