import json
from pathlib import Path

from command import Command
from lab import DEFAULTS

from roftbench.files import locked


def test_clean_removes_what_is_kept_for_speed_and_no_results(cli: Command, tmp_path: Path) -> None:
    own = f"paths.cache={tmp_path / 'own'}"
    cli("run", *DEFAULTS, "method=lp", "run.keep=true", own)
    (tmp_path / "own" / "downloads").mkdir()
    (tmp_path / "own" / "downloads" / "file.csv").write_text("published", encoding="utf-8")
    (tmp_path / "own" / "notes.txt").write_text("mine", encoding="utf-8")
    results = cli.files()
    info = json.loads(cli("cache", "info", "--json", own).out)
    counts = {kind["name"]: kind["files"] for kind in info["kinds"]}
    assert counts["data"] > 0
    assert counts["downloads"] == 1
    assert f"would remove {sum(counts.values())} files" in cli("cache", "clean", "--dry-run", own).out
    assert (tmp_path / "own" / "downloads" / "file.csv").exists()
    with locked(tmp_path / "own" / "downloads" / "file.csv"):
        assert f"removed {counts['data']} of" in cli("cache", "clean", own).out
    assert (tmp_path / "own" / "downloads" / "file.csv").exists()
    assert cli("cache", "clean", own).code == 0
    left = [path for path in (tmp_path / "own").rglob("*") if path.is_file() and ".locks" not in path.parts]
    assert left == [tmp_path / "own" / "notes.txt"]
    assert cli.files() == results


def test_a_cache_that_is_not_there_is_empty(cli: Command, tmp_path: Path) -> None:
    ended = cli("cache", "clean", f"paths.cache={tmp_path / 'none'}")
    assert ended.code == 0
    assert "removed 0 of 0" in ended.out
    assert not (tmp_path / "none").exists()
