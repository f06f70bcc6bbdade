"""One job's config from overrides: the shipped configs and one's own, and what is said of a word that is wrong."""

from pathlib import Path

from command import Command
from lab import ROOT

from roftbench.compose import composed


def test_ones_own_configs_are_found_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    text = (ROOT / "conf" / "train" / "smoke.yaml").read_text().replace("epochs: 3", "epochs: 7")
    (tmp_path / "train" / "week.yaml").write_text(text)
    config = composed(["train=week"], tmp_path)
    assert (config.train.epochs, config.method.name, config.split.name) == (7, "roftmol", "auto")


def test_a_key_of_another_method_is_unknown_and_gets_a_close_one(cli: Command) -> None:
    cli.run("method=lp", "method.alpha=0.5").refused("unknown key 'method.alpha'")
    cli.run("method=wise_ft", "method.alhpa=0.5").refused("Did you mean 'method.alpha'?")
    cli.run("method=wise_ft", "method.grid={buffers:[interpolate]}").refused(
        "method.grid has no 'buffers', only alpha", "+method.grid.buffers=[…]"
    )
    cli.run("method=wise_ft", "method.grid={alpha:encoder_blocks}").refused("method.grid.alpha")
