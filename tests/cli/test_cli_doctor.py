import json
from pathlib import Path

import torch
from command import Command

from roftbench import __version__


def test_doctor_tells_what_is_here(cli: Command) -> None:
    facts = json.loads(cli("doctor", "--json", "paths.offline=true").out)
    assert facts["roftbench"] == __version__
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["offline"] is True
    assert facts["training_step_ms"]["cpu"] > 0
    assert facts["launchers"]["basic"] is True
    assert facts["folders"]["results"]["problem"] is None
    assert cli("doctor").code == 0
    assert cli.files() == []


def test_a_folder_that_cannot_be_written_is_told_by_the_exit_code(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    ended = cli("doctor", f"paths.results={tmp_path / 'file'}")
    assert ended.code == 1


def test_control_characters_in_paths_are_written_out(cli: Command, tmp_path: Path) -> None:
    folder = f"{tmp_path}/a\x1b[2J\nb"
    for arguments in (["doctor", f"paths.mirror={folder}", f"paths.results={folder}"], ["cache", "info"]):
        ended = cli(*arguments, f"paths.cache={folder}")
        assert ended.code == 0, ended
        assert "\x1b" not in ended.out
        assert r"a\x1b[2J\nb" in ended.out
