"""A folder is replaced as a whole; the user's files in it are there at every moment, or brought back."""

import os
from pathlib import Path

import pytest

from roftbench.store import folders
from roftbench.store.folders import new_folder, replace_folder, restore_folders
from roftbench.store.leftovers import temporary_name

DEAD = 2**22 + 1
OURS = ["model", "weights"]


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with two files of ours, and the user's: a file, a folder, and a link that leads nowhere."""
    folder = write(tmp_path / "model", model="1", weights="1", notes="mine")
    write(folder / "plots", a="1", b="2")
    (folder / "link").symlink_to("nowhere")
    return folder


@pytest.mark.parametrize("exchanges", [True, False])
def test_what_is_the_users_stays_and_nothing_else_does(
    model: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    new = write(temporary_name(model), model="2", weights="2")
    replace_folder(new, model, OURS)
    assert contents(model) == {"model": "2", "weights": "2", "notes": "mine", "plots/a": "1", "plots/b": "2"}
    assert (model / "link").is_symlink()
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def test_a_folder_that_is_not_there_yet_gets_its_name(tmp_path: Path) -> None:
    replace_folder(write(temporary_name(tmp_path / "model"), model="1"), tmp_path / "model", OURS)
    assert contents(tmp_path / "model") == {"model": "1"}


def test_a_folder_that_cannot_be_replaced_is_as_it_was(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, new = contents(model), write(temporary_name(model), model="2")
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    (new.with_suffix(".old") / "in" / "the way").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        replace_folder(new, model, OURS)
    assert contents(model) == before
    assert not new.exists()


def killed_at(model: Path, step: int, *, exchanges: bool) -> None:
    """Replace a folder in a process that is killed at its step-th renaming, linking or removal."""
    child = os.fork()
    if not child:
        steps = iter(range(1000))

        def counted(function):  # type: ignore[no-untyped-def]
            def call(*given, **named):  # type: ignore[no-untyped-def]
                if next(steps) == step:
                    os.kill(os.getpid(), 9)
                return function(*given, **named)

            return call

        exchange = folders._exchange if exchanges else (lambda one, other: False)
        folders._exchange = counted(exchange)
        for name in ("link", "rename", "replace", "unlink", "rmdir", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        replace_folder(write(temporary_name(model), model="2", weights="2"), model, OURS)
        os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_kill_at_any_step_loses_neither_the_model_nor_the_users_files(
    model: Path, tmp_path: Path, exchanges: bool
) -> None:
    users = {name: text for name, text in contents(model).items() if name not in ("model", "weights")}
    for step in range(25):
        killed_at(model, step, exchanges=exchanges)
        if exchanges:  # at every moment
            assert users.items() <= contents(model).items()
            assert contents(model)["model"] == contents(model)["weights"]
        restore_folders(tmp_path)
        found = contents(model)
        assert users.items() <= found.items(), step
        assert found["model"] == found["weights"]
        assert (model / "link").is_symlink()
        assert [path.name for path in tmp_path.iterdir()] == ["model"], step
    assert found["model"] == "2"


def test_files_of_the_user_that_a_killed_process_had_moved_away_come_back(model: Path, tmp_path: Path) -> None:
    """As versions before left them: between two renames, and after both."""
    away = tmp_path / f".model.{DEAD}.0123abcd.old"
    before = contents(model)
    model.rename(away)
    write(tmp_path / f".model.{DEAD}.0123abcd.tmp", model="2")
    restore_folders(tmp_path)
    assert contents(model) == before
    write(away, model="1", other="mine")
    restore_folders(tmp_path)
    assert contents(model) == {**before, "other": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def fill(folder: Path, *, fails: bool) -> None:
    with new_folder(folder, OURS) as new:
        (new / "model").write_text("2")
        if fails:
            raise ValueError("half")


def test_new_folder_replaces_an_earlier_one_and_is_removed_after_an_error(model: Path) -> None:
    before = contents(model)
    with pytest.raises(ValueError, match="half"):
        fill(model, fails=True)
    assert contents(model) == before
    fill(model, fails=False)
    assert contents(model) == {"model": "2", "notes": "mine", "plots/a": "1", "plots/b": "2"}
    assert [path.name for path in model.parent.iterdir()] == ["model"]
