"""`roftbench.finetune` gives the numbers of the command line, and leaves nothing behind."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from lab import write_csv
from rdkit import Chem
from refusals import raises_usage

import roftbench
from roftbench.errors import JobError
from roftbench.predict.ensemble import Ensemble

from .conftest import SMALL

Molecules = tuple[list[str], list[float]]
WORDS = ("model=tiny_gin", "method=lp_ft", "train=smoke", "split=random", "run.device=cpu", "run.keep=true")
NEW = ["CCO", "c1ccccc1O", "not a molecule", "CC(=O)Oc1ccccc1C(=O)O"]


def by_command_line(cli: Command, table: Path, *words: str) -> pd.DataFrame:
    """Fine-tune on a table by `roftbench run`, and predict new molecules with the models that it has saved."""
    for seed in (0, 1):
        ended = cli("run", "dataset=csv", f"dataset.path={table}", *WORDS, *words, f"seed={seed}")
        assert ended.code == 0, ended
    return roftbench.load(*sorted((cli.lab.results / "models").iterdir())).predict(NEW)


def test_predictions_are_those_of_the_command_line(cli: Command, tmp_path: Path, molecules: Molecules) -> None:
    smiles, y = molecules
    table = write_csv(tmp_path / "mine.csv", {"smiles": smiles, "solubility": y})
    expected = by_command_line(cli, table)
    found = roftbench.finetune(smiles, pd.Series(y, name="solubility"), n_seeds=2, **SMALL).predict(NEW)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_several_tasks_with_missing_classes_are_those_of_the_command_line(
    cli: Command, tmp_path: Path, molecules: Molecules
) -> None:
    smiles, y = molecules
    classes = np.where(np.array(y) > np.median(y), "soluble", "not")
    tasks = {"a": [None if i % 3 == 0 else one for i, one in enumerate(classes)], "b": list(classes[::-1])}
    table = write_csv(tmp_path / "mine.csv", {"smiles": smiles, **tasks})
    expected = by_command_line(cli, table, "dataset.targets=[a,b]", "dataset.classes=[not,soluble]")
    named = {"classes": ["not", "soluble"]}
    found = roftbench.finetune(smiles, pd.DataFrame(tasks), n_seeds=2, dataset=named, **SMALL).predict(NEW)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_table_is_written_as_the_command_line_reads_it(cli: Command, temporary: Path, molecules: Molecules) -> None:
    smiles, y = molecules
    model = roftbench.finetune(smiles, y, results="kept", **SMALL)
    [table] = Path("kept/inputs").iterdir()
    ended = cli("run", "dataset=csv", f"dataset.path={table}", "dataset.name=table", *WORDS, "paths.results=kept")
    assert ended.code == 0, ended
    assert f"already done (key {model.saved[0].facts['key']})" in ended.out


def test_nothing_is_left(temporary: Path, fine_tuned: Ensemble) -> None:
    assert fine_tuned.predict(["CCO"])["y_predicted"].notna().all()
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in Path().iterdir()) == ["temporary"]


def test_nothing_is_left_of_a_failed_fit(temporary: Path, molecules: Molecules) -> None:
    with pytest.raises(JobError, match="diverged"):
        roftbench.finetune(*molecules, "train.lr=1e30", **{**SMALL, "method": "full_ft"})
    assert list(temporary.iterdir()) == []


def test_results_are_kept_and_used_again(temporary: Path, molecules: Molecules) -> None:
    first = roftbench.finetune(*molecules, results="kept", **SMALL)
    record = next(Path("kept/runs").glob("*.json"))
    before = record.stat().st_mtime_ns
    again = roftbench.finetune(*molecules, results="kept", **SMALL)
    assert record.stat().st_mtime_ns == before
    assert again.saved[0].sha256 == first.saved[0].sha256
    assert Path(tempfile.gettempdir()) == temporary
    assert list(temporary.iterdir()) == []


def test_quiet_unless_asked(temporary: Path, molecules: Molecules, capsys: pytest.CaptureFixture[str]) -> None:
    roftbench.finetune(*molecules, **SMALL)
    assert capsys.readouterr() == ("", "")
    roftbench.finetune(*molecules, verbose=True, **SMALL)
    assert "best epoch" in capsys.readouterr().out


def test_rdkit_molecules_and_tables_are_the_same_as_smiles(temporary: Path, molecules: Molecules) -> None:
    smiles = [Chem.CanonSmiles(one) for one in molecules[0]]
    given = [smiles, [Chem.MolFromSmiles(one) for one in smiles], pd.DataFrame({"SMILES": smiles})]
    found = [roftbench.finetune(one, molecules[1], **SMALL).predict(NEW) for one in given]
    for one in found[1:]:
        pd.testing.assert_frame_equal(one, found[0], check_exact=True)


def test_unreadable_molecules_are_named(temporary: Path, molecules: Molecules) -> None:
    smiles, y = molecules
    with pytest.warns(UserWarning, match=r"2 of \d+ molecules are not used: row 0 \('what'\): RDKit"):
        roftbench.finetune(["what", *smiles, "C1C"], [0.0, *y, 1.0], **SMALL)


@pytest.mark.parametrize(
    ("smiles", "y", "key"),
    [
        ([], [], "smiles"),
        (["CCO", "CC"], [1.0], "y"),
        ("CCO", [1.0], "smiles"),
        ([1.0, 2.0], [1.0, 2.0], "smiles"),
        (Chem.MolFromSmiles("CCO"), [1.0], "smiles"),
        (["CCO", "CC"], [1.0, float("inf")], "y"),
    ],
)
def test_wrong_input_is_refused_by_name(temporary: Path, smiles: object, y: object, key: str) -> None:
    with raises_usage(key=key):
        roftbench.finetune(smiles, y, **SMALL)
    assert list(temporary.iterdir()) == []


def test_error_names_the_arguments_and_no_temporary_file(temporary: Path) -> None:
    with raises_usage(match="the table of smiles and y: the labels of y are a and b") as caught:
        roftbench.finetune(["CC", "CCC"], ["a", "b"])
    assert str(temporary) not in str(caught.value)


def test_unknown_option_is_refused(temporary: Path) -> None:
    with raises_usage(match="Did you mean 'train.epochs'"):
        roftbench.finetune(["CCO", "CC"], [1.0, 2.0], train={"epoch": 3})
    for word, key in (
        ("method=knn", "method"),
        ("run.device=cpu", "run.device"),
        ("+dataset.task=regression", "dataset.task"),
    ):
        with raises_usage("as an argument", key=key, got=word):
            roftbench.finetune(["CCO", "CC"], [1.0, 2.0], word)
    with raises_usage("finetune sets dataset.path", key="dataset.path"):
        roftbench.finetune(["CCO", "CC"], [1.0, 2.0], "dataset.path=other.csv")
    with raises_usage("finetune sets run.keep", key="run.keep"):
        roftbench.finetune(["CCO", "CC"], [1.0, 2.0], run={"keep": "all"})
    with raises_usage(key="n_seeds", got=0):
        roftbench.finetune(["CCO", "CC"], [1.0, 2.0], n_seeds=0)
