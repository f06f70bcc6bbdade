import json
from pathlib import Path

from command import Command
from lab import DEFAULTS

from roftbench.store.files import locked


def test_clean_removes_what_is_kept_for_speed_and_no_results(cli: Command, tmp_path: Path) -> None:
    own = f"paths.cache={tmp_path / 'own'}"
    cli("run", *DEFAULTS, "method=lp", "run.keep=true", own)
    downloads = tmp_path / "own" / "downloads"
    left_behind = f".tox21.csv.gz.{2**22}.0123abcd.tmp"  # by a download that was killed
    ours, foreign = ["HIV.csv", left_behind], ["thesis/chapter.tex", "file.csv", ".notes.tmp"]
    for name in [*ours, *foreign]:
        (downloads / name).parent.mkdir(parents=True, exist_ok=True)
        (downloads / name).write_text("content", encoding="utf-8")
    mine = [tmp_path / "own" / "notes.txt", tmp_path / "own" / "data" / "weights.safetensors"]
    for path in mine:
        path.write_text("mine", encoding="utf-8")
    results = cli.files()
    info = json.loads(cli("cache", "info", "--json", own).out)
    counts = {kind["name"]: kind["files"] for kind in info["kinds"]}
    assert counts["data"] > 0
    assert counts["downloads"] == 2
    assert f"would remove {sum(counts.values())} files" in cli("cache", "clean", "--dry-run", own).out
    assert (downloads / "HIV.csv").exists()
    with locked(downloads / "HIV.csv"), locked(downloads / "tox21.csv.gz"):  # somebody is writing them
        assert f"removed {counts['data']} of" in cli("cache", "clean", own).out
    assert all((downloads / name).exists() for name in ours)
    assert cli("cache", "clean", own).code == 0
    left = [path for path in (tmp_path / "own").rglob("*") if path.is_file() and ".locks" not in path.parts]
    assert sorted(left) == sorted([*mine, *(downloads / name for name in foreign)])
    assert cli.files() == results


def test_a_cache_that_is_not_there_is_empty(cli: Command, tmp_path: Path) -> None:
    ended = cli("cache", "clean", f"paths.cache={tmp_path / 'none'}")
    assert ended.code == 0
    assert "removed 0 of 0" in ended.out
    assert not (tmp_path / "none").exists()


def test_a_file_that_only_a_config_of_the_user_names_needs_that_config(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    card = "_target_: roftbench.models.gin.GIN\ncheckpoint: published\nfile: mine.pth\nsources: [cache]\n"
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(f"name: mine\nsha256: {'0' * 64}\n{card}", encoding="utf-8")
    file = tmp_path / "own" / "downloads" / "mine.pth"
    file.parent.mkdir(parents=True)
    file.write_text("weights", encoding="utf-8")
    own = f"paths.cache={tmp_path / 'own'}"
    assert "removed 0 of 0 files" in cli("cache", "clean", own).out
    assert "removed 1 of 1 files" in cli("cache", "clean", "--config-dir", str(tmp_path / "conf"), own).out
    assert not file.exists()
