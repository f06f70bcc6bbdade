"""Names of saved models: which texts are names, when one may be given, and what remains after a kill."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import ROOT
from refusals import raises_usage

from roftbench.store.names import LONGEST, Kept, Names, check_name
from roftbench.store.results import Store

ONE, TWO, THREE = "1" * 16, "2" * 16, "3" * 16


@pytest.fixture
def names(tmp_path: Path) -> Names:
    """The names of a results folder with three folders that look like saved models."""
    store = Store(tmp_path)
    for key in (ONE, TWO, THREE):
        store.model_path(key).mkdir(parents=True)
        (store.model_path(key) / "model.json").write_text("{}")
    return Names(store)


@pytest.mark.parametrize("name", ["solubility", "a", "CDK2_v2.1", "x" * LONGEST])
def test_plain_words_are_names(name: str) -> None:
    check_name("run.keep", name)


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/b", "a\\b", ".x", "x.", "-x", "2d", "a b", "a\n", "a=b", "a,b", "löslich", "x" * (LONGEST + 1),
     "true", "ALL", "none", "abcdef0123456789", 7, None],
)  # fmt: skip
def test_paths_values_and_keys_are_no_names(name: object, names: Names) -> None:
    with raises_usage(key="run.keep", got=name):
        check_name("run.keep", name)
    with raises_usage(key="run.keep"):
        names.put("run.keep", Kept(str(name), (ONE,)), overwrite=False)
    assert not names.folder.exists() or names.all() == []


def test_a_name_leads_to_the_folders_of_its_models(names: Names) -> None:
    names.put("run.keep", Kept("both", (ONE, TWO)), overwrite=False)
    assert names.folders("both") == [names.store.model_path(ONE), names.store.model_path(TWO)]
    assert names.all() == ["both"]
    assert "both" in names
    assert "../kept/both" not in names


def test_a_name_is_taken_from_other_models_only_if_asked(names: Names) -> None:
    names.put("run.keep", Kept("x", (ONE,)), overwrite=False)
    names.put("run.keep", Kept("x", (ONE,)), overwrite=False)  # the same command again
    with raises_usage("run.overwrite=true", key="run.keep", got="x"):
        names.put("run.keep", Kept("x", (TWO,)), overwrite=False)
    assert names.get("x").keys == (ONE,)
    names.put("run.keep", Kept("x", (TWO,)), overwrite=True)
    assert names.get("x").keys == (TWO,)


def test_an_advice_gives_its_name_to_its_next_winner_and_takes_no_other(names: Names) -> None:
    names.put("advise.keep", Kept("x", (ONE,), "advice"), overwrite=False)
    names.put("advise.keep", Kept("x", (TWO,), "advice"), overwrite=False)
    assert names.get("x").keys == (TWO,)
    for other in (Kept("x", (ONE,), "another"), Kept("x", (ONE,))):
        with raises_usage(got="x"):
            names.put("advise.keep", other, overwrite=False)


def test_a_name_whose_model_was_removed_stands_for_nothing_and_is_free(names: Names) -> None:
    names.put("run.keep", Kept("x", (ONE,)), overwrite=False)
    (names.store.model_path(ONE) / "model.json").unlink()
    with raises_usage("no longer there", key="model", got="x"):
        names.folders("x")
    names.put("run.keep", Kept("x", (TWO,)), overwrite=False)
    assert names.folders("x") == [names.store.model_path(TWO)]


def test_a_model_that_is_not_saved_gets_no_name(names: Names) -> None:
    with pytest.raises(ValueError, match="not saved"):
        names.put("run.keep", Kept("x", (ONE, "f" * 16)), overwrite=False)
    assert names.all() == []


@pytest.mark.parametrize(
    "content", ["", "[]", '{"models": []}', '{"models": ["../../x"], "by": ""}', '{"models": ["' + ONE + '"], "by": 1}']
)
def test_a_damaged_or_forged_file_is_told_and_leads_nowhere(names: Names, content: str) -> None:
    names.folder.mkdir()
    names.path("x").write_text(content)
    with raises_usage("is damaged", key="model", got="x"):
        names.folders("x")


def test_an_unknown_name_gets_suggestions(names: Names) -> None:
    names.put("run.keep", Kept("solubility", (ONE,)), overwrite=False)
    with raises_usage("Did you mean 'solubility'", key="model", got="solubilty", allowed=("solubility",)):
        names.folders("solubilty")


SWAP = """
import sys
from pathlib import Path
from roftbench.store.names import Kept, Names
from roftbench.store.results import Store
names = Names(Store(Path(sys.argv[1])))
print("begun", flush=True)
while True:
    for keys in (sys.argv[2:3], sys.argv[3:5]):
        names.put("run.keep", Kept("x", tuple(keys)), overwrite=True)
"""


def test_a_killed_process_leaves_the_name_of_one_of_two_whole_models(names: Names) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", SWAP, str(names.store.root), ONE, TWO, THREE]
    for delay in (0.0, 0.004, 0.03):
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            while "x" not in names:
                time.sleep(0.001)
            time.sleep(delay)
            child.kill()
        assert names.get("x").keys in ((ONE,), (TWO, THREE))
        assert json.loads(names.path("x").read_text())["by"] == ""
    names.store.tidy()
    assert sorted(path.name for path in names.folder.iterdir() if path.name != ".locks") == ["x.json"]
