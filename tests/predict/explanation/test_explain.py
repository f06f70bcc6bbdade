"""`roftbench.explain` and `predict explain=true`: on a rule that is known, weight lies where the rule puts it."""

import csv
import itertools
import random
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command import Command
from lab import FOREST, Lab, write_csv
from refusals import raises_usage

import roftbench
from roftbench.models.encoder import Encoder
from roftbench.models.gin import GIN
from roftbench.predict.ensemble import Ensemble
from roftbench.predict.explanation.explain import Explanation

RULE = "nitrogens"


def chains(count: int) -> list[str]:
    """Return chains of eight atoms of carbon, nitrogen and oxygen, each a molecule of its own."""
    every = ["".join(letters) for letters in itertools.product("CNO", repeat=8)]
    return random.Random(0).sample(sorted({min(text, text[::-1]) for text in every}), count)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chains with the number of their nitrogens, and whether they have four or more."""
    smiles = chains(240)
    numbers = [text.count("N") for text in smiles]
    columns = {"smiles": smiles, RULE: numbers, "many": [int(number > 2) for number in numbers]}
    return write_csv(tmp_path_factory.mktemp("rule") / "rule.csv", columns)


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def fitted(lab: Lab, table: Path, *overrides: str, target: str = RULE) -> Path:
    """Return the folder of a model that is fitted to the rule."""
    words = ["dataset=csv", f"dataset.path={table}", f"dataset.targets=[{target}]", "split=random", "label_ratio=full"]
    return lab.store.model_path(lab.done(*words, *overrides, "run.keep=true").key)


NETWORK = ("method=full_ft", "train.epochs=30", "train.lr=0.01", "model.dropout=0")
KINDS: dict[str, tuple[str, ...]] = {
    "network": NETWORK,
    "ridge on counts": ("model=ecfp", "model.counts=true", "method=ridge", "method.penalty=1"),
    "ridge on bits": ("model=ecfp", "method=ridge", "method.penalty=1"),
    "forest": ("model=ecfp", "model.counts=true", "method=random_forest", "method.n_estimators=50"),
    "gp": ("model=ecfp", "model.counts=true", "method=gp"),
    "ridge on embeddings": ("model=gin_descriptors", "method=ridge", "method.penalty=1"),
}


def check(found: list[Explanation], nitrogen: float) -> None:
    """Check that contributions add up, and that nitrogens have so much more than others as the rule, about 1."""
    by_element: dict[str, list[float]] = {"N": [], "other": []}
    for one in found:
        assert abs(one.gap) <= 0.011 * np.abs(one.contributions).sum() + 1e-6
        for element, value in zip(one.elements, one.contributions.tolist(), strict=True):
            by_element["N" if element == "N" else "other"].append(value)
    means = {element: float(np.mean(values)) for element, values in by_element.items()}
    assert means["N"] - means["other"] > nitrogen, means


@pytest.mark.parametrize("kind", KINDS)
def test_weight_lies_on_the_nitrogens_that_the_model_counts(module_lab: Lab, table: Path, kind: str) -> None:
    model = roftbench.load(fitted(module_lab, table, *KINDS[kind]), device="cpu")
    smiles = chains(250)[240:]
    found = roftbench.explain(model, [*smiles, "junk"])
    assert [one.row for one in found] == list(range(10))
    assert {(one.task, one.quantity) for one in found} == {(RULE, "prediction")}
    predicted = model.predict(smiles)[f"{RULE}_predicted"]
    assert [one.value for one in found] == pytest.approx(predicted.tolist(), abs=1e-4)
    check(found, {"network": 0.7, "ridge on bits": 0.15, "ridge on embeddings": 0.2}.get(kind, 0.4))


def test_classes_are_explained_by_their_log_odds_or_probability(module_lab: Lab, table: Path) -> None:
    kinds = {"log-odds": NETWORK, "probability": FOREST, "unclipped probability": ("model=ecfp", "method=pls")}
    for quantity, words in kinds.items():
        folder = fitted(module_lab, table, *words, "dataset.task=classification", target="many")
        [one] = roftbench.explain(roftbench.load(folder, device="cpu"), ["NCNCNCNC"])
        assert one.quantity == quantity
        check([one], 0)


def test_several_models_are_explained_by_their_mean(module_lab: Lab, table: Path) -> None:
    folders = [fitted(module_lab, table, *NETWORK, f"seed={seed}") for seed in (0, 1)]
    each = [roftbench.explain(roftbench.load(folder, device="cpu"), ["NCCO"])[0] for folder in folders]
    [together] = roftbench.explain(roftbench.load(*folders, device="cpu"), ["NCCO"])
    np.testing.assert_allclose(together.contributions, np.mean([one.contributions for one in each], axis=0), rtol=1e-6)
    assert together.value == pytest.approx(np.mean([one.value for one in each]))
    forest = fitted(module_lab, table, *FOREST, "dataset.task=classification", target="many")
    network = fitted(module_lab, table, *NETWORK, "dataset.task=classification", target="many")
    with raises_usage("different quantities", key="explain"):
        roftbench.explain(roftbench.load(forest, network, device="cpu"), ["NCCO"])


@pytest.fixture(scope="module")
def model(module_lab: Lab, table: Path) -> Ensemble:
    return roftbench.load(fitted(module_lab, table, *KINDS["ridge on counts"]), device="cpu")


def test_a_drawing_is_one_svg_that_says_what_it_is(model: Ensemble) -> None:
    [one] = roftbench.explain(model, ["NCCO a name"])
    assert one.smiles == "NCCO"
    tree = ElementTree.fromstring(one.svg())
    space = {"svg": "http://www.w3.org/2000/svg"}
    title, said = tree.find("svg:title", space), tree.find("svg:desc", space)
    assert title is not None
    assert said is not None
    assert title.text.startswith(f"Contributions of atoms to {RULE}: prediction ")
    assert said.text.startswith("NCCO. Largest contributions by element and index: N0 +")
    assert "describe the model, not the molecule" in said.text
    words = [text.text or "" for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert any(word.startswith("lowers −") for word in words)
    assert any(word.endswith(" raises") for word in words)


def test_hostile_names_and_large_molecules_are_drawn_as_text() -> None:
    small = Explanation(0, "C", "<script>&\x00", "prediction", np.array([0.0]), 0.0, 0.0)
    assert "&lt;script&gt;&amp;�" in small.svg()
    ElementTree.fromstring(small.svg())
    large = Explanation(0, "C" * 400, "y" * 500, "prediction", np.ones(400), 0.0, 400.0)
    assert "400 atoms: too many to be drawn" in large.svg()
    ElementTree.fromstring(large.svg())


def test_tasks_that_do_not_exist_are_refused(model: Ensemble) -> None:
    with raises_usage(key="explain_tasks", got="nitrogen", allowed=(RULE,)):
        roftbench.explain(model, ["C"], tasks=["nitrogen"])
    assert roftbench.explain(model, [], tasks=[RULE]) == []


def test_the_command_writes_a_table_of_atoms_and_a_drawing_per_molecule(
    cli: Command, module_lab: Lab, table: Path
) -> None:
    folder = fitted(module_lab, table, *KINDS["ridge on counts"])
    Path("in.csv").write_text("smiles\nNCCO\njunk\nCCO\nN\n")
    given = ("predict", f"model_dir={folder}", "input=in.csv", "output=new/out.csv", "device=cpu")
    ended = cli(*given, "explain=true", "--full")
    assert ended.code == 0, ended
    assert "3 molecules explained" in ended.out
    assert f"atoms    {Path('new/out.atoms')}" in ended.out
    assert sorted(path.name for path in Path("new").iterdir()) == ["out.atoms", "out.csv"]
    names = sorted(path.name for path in Path("new/out.atoms").iterdir())
    assert names == ["atoms.csv", "row0.svg", "row2.svg", "row3.svg"]
    rows = rows_of("new/out.atoms/atoms.csv")
    assert [(row["row"], row["atom"], row["element"]) for row in rows] == [
        *((str(0), str(atom), element) for atom, element in enumerate("NCCO")),
        *((str(2), str(atom), element) for atom, element in enumerate("CCO")),
        ("3", "0", "N"),
    ]
    total = sum(float(row["contribution"]) for row in rows[:4])
    assert float(rows[0]["baseline"]) + total == pytest.approx(float(rows[0]["value"]), abs=1e-4)
    predicted = rows_of("new/out.csv")[0][f"{RULE}_predicted"]
    assert float(rows[0]["value"]) == pytest.approx(float(predicted), rel=1e-5)
    Path("new/out.atoms/mine.txt").write_text("mine")
    assert cli(*given, "explain=1").code == 0
    assert sorted(path.name for path in Path("new/out.atoms").iterdir()) == ["atoms.csv", "mine.txt", "row0.svg"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("explain=maybe",), ("explain=maybe", "true, false nor a number")),
        (("explain=0",), ("explain=0",)),
        (("explain=true", "explain_tasks=y"), ("explain_tasks", RULE)),
    ],
)
def test_what_cannot_be_explained_is_refused_before_anything_is_written(
    cli: Command, module_lab: Lab, table: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    folder = fitted(module_lab, table, *KINDS["ridge on counts"])
    Path("in.csv").write_text("smiles\nNCCO\n")
    given = ("predict", f"model_dir={folder}", "input=in.csv", "output=out.csv", "device=cpu")
    cli(*given, *words).refused(*parts)
    assert sorted(path.name for path in Path().iterdir()) == ["in.csv"]


def test_long_tables_need_a_number_and_foreign_folders_stay(cli: Command, module_lab: Lab, table: Path) -> None:
    folder = fitted(module_lab, table, *KINDS["ridge on counts"])
    Path("in.csv").write_text("smiles\n" + "NCCO\n" * 1001)
    given = ("predict", f"model_dir={folder}", "input=in.csv", "output=out.csv", "device=cpu")
    cli(*given, "explain=true").refused("at most 1,000 rows", "1,001", "explain=1000")
    Path("out.atoms").mkdir()
    Path("out.atoms/mine.txt").write_text("mine")
    cli(*given, "explain=2").refused("out.atoms holds other files")
    assert not Path("out.csv").exists()
    assert [path.name for path in Path("out.atoms").iterdir()] == ["mine.txt"]
    cli("embed", f"model_dir={folder}", "input=in.csv", "output=z.npz", "explain=2").refused(
        "explain=2 belongs to predict"
    )


def test_estimators_without_a_gradient_are_named(module_lab: Lab, table: Path) -> None:
    forest = fitted(module_lab, table, "method=random_forest", "method.n_estimators=5")
    with raises_usage("RandomForest on embeddings has no gradient.*Ridge and PLS", key="explain"):
        roftbench.explain(roftbench.load(forest, device="cpu"), ["C"])


def test_encoders_that_name_no_atoms_are_named(module_lab: Lab, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GIN, "atom_inputs", Encoder.atom_inputs)
    with raises_usage("GIN names no modules of atoms", key="explain"):
        roftbench.explain(roftbench.load(fitted(module_lab, table, *NETWORK), device="cpu"), ["C"])
