"""What the config folders offer, a user's own options among them."""

from pathlib import Path

from command import Command
from refusals import raises_usage

from roftbench.config.registry import options


def write(folder: Path, **files: str) -> None:
    (folder / "model").mkdir()
    for name, text in files.items():
        (folder / "model" / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_an_option_may_build_on_others_of_its_group(tmp_path: Path) -> None:
    write(
        tmp_path,
        mine="defaults: [gin_masking]\nname: mine\ndim: 7\n",
        under="defaults: [_self_, mine]\nname: under\nlayers: 2\n",
        round="defaults: [round, under]\nname: round\n",
        other="defaults: [{/method: lp}]\nname: other\n",
        deep="a: {b: 1, c: 2}\nname: deep\n",
        deeper="defaults: [/model/deep]\na: {c: 3}\n",
    )
    found, base = options("model", tmp_path), options("model")["gin_masking"]
    assert found["mine"] == {**base, "name": "mine", "dim": 7}
    assert found["under"] == {**base, "name": "mine", "dim": 7, "layers": 2}
    assert found["round"] == {**found["under"], "name": "round"}
    assert found["other"] == {"name": "other"}
    assert found["deeper"] == {"name": "deep", "a": {"b": 1, "c": 3}}


def test_a_file_that_holds_no_keys_is_named(tmp_path: Path) -> None:
    write(tmp_path, mine="[1, 2]")
    file = str(tmp_path / "model" / "mine.yaml")
    with raises_usage(key=file):
        options("model", tmp_path)
    (tmp_path / "model" / "mine.yaml").write_text("a: [", encoding="utf-8")
    with raises_usage("YAML", key=file):
        options("model", tmp_path)


def test_what_runs_is_listed_and_nothing_else_is_disturbed(cli: Command, tmp_path: Path) -> None:
    write(tmp_path, mine="defaults: [tiny_gin]\nname: mine\nsummary: smaller\ndim: 8\n")
    folder = f"--config-dir={tmp_path}"
    assert cli.run(folder, "model=mine", "method=lp").code == 0
    assert cli.lab.store.load()[0].job["model"]["params"]["dim"] == 8
    listed = cli("list", "models", folder)
    assert listed.code == 0, listed
    assert "mine " in listed.out
    assert cli("fetch", "dataset=esol", folder).code == 0
