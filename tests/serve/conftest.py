"""A saved model and its page, each once a session."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Terminal, at_work, awaited
from lab import FOREST, Lab, molecules, write_csv
from served import Served, serving

from roftbench.store.names import Kept, Names

COUNT = 120
MOST = 40


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Lab:
    """A results folder with the named models "solubility" of molecules with identifiers, and "barrier" of classes."""
    folder = tmp_path_factory.mktemp("kept")
    lab = Lab(folder / "results", cache)
    smiles, y = molecules("esol", lab.job()[0], COUNT)
    ids = [f"CMP-{number:03}" for number in range(COUNT)]
    path = write_csv(folder / "my.csv", {"compound_id": ids, "smiles": smiles, "solubility": y})
    given = ("dataset=csv", f"dataset.path={path}", "dataset.targets=[solubility]", "label_ratio=full")
    jobs = {"solubility": given, "barrier": ("dataset=bbbp",)}
    for name, words in jobs.items():
        record = lab.done(*FOREST, *words, "split=random", "run.keep=true")
        Names(lab.store).put("run.keep", Kept(name, (record.key,)), overwrite=False)
    return lab


@pytest.fixture(scope="session")
def terminal(kept: Lab, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A terminal that finds these models, and has a folder of temporary files of its own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "tmp").mkdir()
    return Terminal.of(kept, folder, TMPDIR=str(folder / "tmp"))


@pytest.fixture(scope="session")
def served(terminal: Terminal) -> Iterator[Served]:
    """The page of the model "solubility", which takes `MOST` molecules."""
    with serving(terminal, "solubility", f"molecules={MOST}", "threads=1", "device=cpu") as found:
        yield found
        found.process.terminate()
        assert found.process.wait(60) == 128 + signal.SIGTERM
        awaited(lambda: not at_work(found.process.pid))
