"""One job's config from overrides: the shipped configs and one's own, and what is said of a word that is wrong."""

from pathlib import Path

import pytest
from command import Command
from lab import ROOT

from roftbench.config.compose import clear_errors, composed
from roftbench.errors import UsageError


def test_ones_own_configs_are_found_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    text = (ROOT / "conf" / "train" / "smoke.yaml").read_text().replace("epochs: 3", "epochs: 7")
    (tmp_path / "train" / "week.yaml").write_text(text)
    config = composed(["train=week"], tmp_path)
    assert (config.train.epochs, config.method.name, config.split.name) == (7, "roftmol", "auto")


@pytest.mark.parametrize("kwargs", ["model.kwargs.hidden_channels=8", "model.kwargs={hidden_channels:8}"])
def test_arguments_of_another_programs_class_need_no_plus(kwargs: str) -> None:
    config = composed(["model=pyg", kwargs, "model.blocks={late:[convs.1]}"], None)
    assert (config.model.kwargs, config.model.blocks) == ({"hidden_channels": 8}, {"late": ["convs.1"]})


def test_a_key_of_another_method_names_those_methods_and_an_unknown_one_gets_a_close_one(cli: Command) -> None:
    cli.run("method=lp", "method.alpha=0.5").refused("the chosen method has no 'method.alpha'", "roftmol, wise_ft have")
    cli.run("method=wise_ft", "method.alhpa=0.5").refused("Did you mean 'method.alpha'?")
    cli.run("method=wise_ft", "method.grid={buffers:[interpolate]}").refused(
        "method.grid has no 'buffers', only alpha", "+method.grid.buffers=[…]"
    )
    cli.run("method=wise_ft", "method.grid={alpha:encoder_blocks}").refused("method.grid.alpha")


def test_a_key_that_an_own_config_does_not_list_is_to_be_added_there(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("name: mine\n_target_: mine.Mine\nweight: 1\n", encoding="utf-8")
    given = "--config-dir", str(tmp_path), "method=mine"
    cli.run(*given, "method.lr_decay=0.5").refused("mine.yaml does not list 'lr_decay'", "+method.lr_decay=…")
    cli.run(*given, "method.wieght=0.5").refused("Did you mean 'method.weight'?")


def test_one_option_of_a_group_is_one_option(cli: Command) -> None:
    cli.run("method=[lp,wise_ft]").refused("method is one option", "roftbench run -m method=lp,wise_ft")
    cli.run("-m", "dataset=[esol, freesolv]").refused("roftbench run -m dataset=esol,freesolv")
    cli.run("method=lp,lp_ft").refused("'method=lp,lp_ft' has several values: add -m for a sweep")
    assert "[a,b]" not in cli.run("method=lp,lp_ft").err
    cli.run("label_ratio=50").refused("label_ratio.count=50")
    cli.run("-m", "label_ratio=50,100").refused("unknown label_ratio '50,100'", "label_ratio.count=50,100")
    cli("plan", "label_ratio=50,100").refused("label_ratio.count=50,100")
    cli.run("-m", "label_ratio=0.1,0.2").refused("label_ratio.fraction=0.1,0.2")
    cli.run("-m", "label_ratio=n50,100").refused("unknown label_ratio '100'")
    cli.run("-m", "dataset=esol,null").refused("unknown dataset 'null'. Allowed: bace")
    cli.run("-m", "dataset=esol,true").refused("unknown dataset 'true'. Allowed: bace")
    cli.run("label_ratio=-5").refused("unknown label_ratio '-5'. Allowed: full")
    cli.run("-m", "method=l2_sp,l2sp", "method.weight=.1").refused("unknown method 'l2sp'. Did you mean 'l2_sp'?")
    cli.run("-m", "method=roftmol,lp", "method.epochs=5").refused(
        "method=lp has no 'method.epochs': run it in a sweep of its own"
    )
    cli.run("dataset=3").refused("unknown dataset '3'. Allowed: bace")
    cli.run("dataset=ESOL").refused("Did you mean 'esol'?")
    assert cli.files() == []


def test_a_name_with_blanks_in_a_list_is_shown_as_it_works(cli: Command, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("smiles,LogD (pH 7.4)\n" + "".join(f"{'C' * n}O,{n}\n" for n in range(1, 40)), encoding="utf-8")
    given = "dataset=csv", f"dataset.path={path}", "label_ratio=full", "method=lp", "split=random"
    right = "dataset.targets=['LogD (pH 7.4)']"
    for wrong in ("[LogD (pH 7.4)]", "'LogD (pH 7.4)'", "'[LogD (pH 7.4)]'"):
        cli.run(*given, f"dataset.targets={wrong}").refused(f'"{right}"')
    assert cli.run(*given, right).code == 0


def test_what_must_be_given_is_told_with_where_it_lies(cli: Command) -> None:
    cli.run("model=graphgps").refused("model.checkpoint=FILE", "published at https://")
    cli.run("model=gin").refused("model.checkpoint must be given: model.checkpoint=FILE on the command line")
    cli.run("-m", "experiment=smoke", "--cfg", "job").refused("--cfg shows one job", "Leave out -m")


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.learning_rate=0.1", ["'train.lr'"]),
        ("lr=0.1", ["'train.lr'"]),
        ("train.n_epochs=3", ["'train.epochs'"]),
        ("train.batchsize=3", ["'train.batch_size'"]),
        ("dataset.path=my.csv", ["dataset=csv dataset.path=my.csv"]),
        ("dataset.classes=[a,b]", ["dataset=csv dataset.classes=[a,b]"]),
        ("~dataset", ["~dataset", "Leave it out"]),
        ("~paths", ["~paths", "Leave it out"]),
        ("~dataset.path", ["~dataset.path", "leave it out"]),
    ],
)
def test_remedies(override: str, parts: list[str]) -> None:
    with pytest.raises(UsageError) as error, clear_errors([override], None):
        composed([override], None)
    assert all(part in str(error.value) for part in parts)
    assert "train.name" not in str(error.value)
