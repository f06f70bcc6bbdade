"""References of a config that resolve to more values than any config has."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command
from lab import ROOT
from omegaconf import OmegaConf
from refusals import raises_usage

from roftbench.config.references import check_references

LP = (ROOT / "conf" / "method" / "lp.yaml").read_text(encoding="utf-8")
DOUBLINGS: dict[str, Callable[[str], str]] = {
    "text": lambda before: f"${{method.{before}}}${{method.{before}}}",
    "list": lambda before: f"['${{method.{before}}}', '${{method.{before}}}']",
    "mapping": lambda before: f"{{a: '${{method.{before}}}', b: '${{method.{before}}}'}}",
    "relative": lambda before: f"${{.{before}}}${{.{before}}}",
    "brackets": lambda before: f"${{method[{before}]}}${{method[{before}]}}",
    "select": lambda before: f"${{oc.select:method.{before}}}${{oc.select:method.{before},1}}",
    "values": lambda before: f"{{a: '${{oc.dict.values:method.{before}}}', b: '${{oc.dict.values:method.{before}}}'}}",
}


@pytest.mark.parametrize("doubled", DOUBLINGS.values(), ids=DOUBLINGS)
def test_what_doubles_is_refused(doubled: Callable[[str], str]) -> None:
    text = "a0: {x: 1}\n" + "".join(f"a{n}: {doubled(f'a{n - 1}')}\n" for n in range(1, 40))
    with raises_usage("100,000") as caught:
        check_references(OmegaConf.create({"method": OmegaConf.create(text)}))
    assert str(caught.value.key).startswith("method.a")


@pytest.mark.parametrize("command", [["run"], ["plan"], ["run", "-m"], ["run", "--cfg", "job", "--resolve"]])
def test_each_command_refuses_a_bomb_at_once(cli: Command, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "conf" / "method").mkdir(parents=True)
    text = LP + "z0: xx\n" + "".join(f"z{n}: ${{method.z{n - 1}}}${{method.z{n - 1}}}\n" for n in range(1, 40))
    (tmp_path / "conf" / "method" / "bomb.yaml").write_text(text, encoding="utf-8")
    cli(*command, f"--config-dir={tmp_path / 'conf'}", "method=bomb").refused("resolve to more than 100,000 values")


def test_a_reference_within_a_reference_is_refused() -> None:
    with raises_usage(key="c"):
        check_references(OmegaConf.create({"a": "b", "c": "${${a}}"}))


def test_few_references_and_circles_pass() -> None:
    check_references(OmegaConf.create({"a": [1, 2], "b": "${a}", "c": {"d": "${..b} ${oc.env:HOME,x}", "e": "${c.e}"}}))
