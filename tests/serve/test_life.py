"""The server's life: it ends with all of its processes, tells of a busy port, and survives what it stops."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from command import Command, Terminal, at_work, awaited
from lab import Lab
from served import Served, serving

from roftbench.predict.saved_model import CARD
from roftbench.serve.desk import Desk
from roftbench.store.names import Names


def test_an_interrupt_ends_all_processes_with_exit_code_0(terminal: Terminal) -> None:
    with serving(terminal, "solubility", "device=cpu") as one:
        assert one.post({"smiles": "CCO"}).status_code == 200
        os.killpg(one.process.pid, signal.SIGINT)  # as a terminal does
        out, err = one.process.communicate(timeout=60)
        assert (one.process.returncode, err) == (0, "")
        assert out.endswith("stopped\n")
        awaited(lambda: not at_work(one.process.pid))


def test_files_of_requests_are_removed(served: Served, terminal: Terminal) -> None:
    assert served.post({"smiles": "CCO"}).status_code == 200
    assert [path for path in Path(terminal.env["TMPDIR"]).rglob("*") if path.is_file()] == []


def test_a_request_that_takes_too_long_is_stopped_and_a_killed_server_leaves_no_process(terminal: Terminal) -> None:
    with serving(terminal, "barrier", "seconds=0.001") as one:
        for _ in range(2):  # the second by a new process
            answer = one.post({"smiles": "CCO"})
            assert answer.status_code == 503
            assert answer.json() == {"error": "stopped after 0.001 s: give fewer or smaller molecules"}
        page = one.get("/")
        assert page.status_code == 200
        assert "Probabilities are those of" in page.text
        one.process.kill()
        awaited(lambda: not at_work(one.process.pid))


def test_what_cannot_be_served_is_told_before_any_page(cli: Command, kept: Lab, served: Served) -> None:
    results = f"paths.results={kept.results}"
    port = served.address.rpartition(":")[2]
    cli("serve", "solubility", f"port={port}", results).refused("cannot be used: Address already in use", "port=0")
    cli("serve").refused("no model is given")
    cli("serve", "solubilty", results).refused("Did you mean 'solubility'")
    cli("serve", "model_dir=nowhere", "port=0").refused("nowhere", "run.keep=true")


@pytest.mark.parametrize("content", [None, b"\xff\xfe no text"])
def test_a_card_that_was_removed_or_damaged_is_written_again(kept: Lab, tmp_path: Path, content: bytes | None) -> None:
    folder = tmp_path / "model"
    shutil.copytree(Names(kept.store).folders("solubility")[0], folder)
    card = (folder / CARD).read_text(encoding="utf-8")
    (folder / CARD).unlink()
    if content is not None:
        (folder / CARD).write_bytes(content)
    assert Desk([folder], "cpu", None, (), 1, tmp_path).about().cards == [card]


def test_a_missing_package_is_named_with_its_extra(cli: Command, kept: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roftbench.cli.serve.find_spec", lambda name: None)
    cli("serve", "solubility", f"paths.results={kept.results}").refused("pip install 'roftbench[serve]'")


@pytest.mark.parametrize("word", ["port=80000", "port=x", "molecules=0", "seconds=0", "threads=0", "device=gpu", "a=1"])
def test_settings_are_checked(cli: Command, word: str) -> None:
    cli("serve", "solubility", word).refused(word.partition("=")[0])
