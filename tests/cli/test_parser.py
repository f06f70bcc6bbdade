"""What the command line takes."""

import argparse
from dataclasses import fields

import pytest

from roftbench.advise.settings import AdviseSettings
from roftbench.cli import predict, serve
from roftbench.cli.completion import candidates
from roftbench.cli.keys import ADVISE, PREDICT, SERVE
from roftbench.cli.main import COMMANDS
from roftbench.cli.parser import parser


def test_every_command_that_is_offered_does_something() -> None:
    [commands] = [one for one in parser()._actions if isinstance(one, argparse._SubParsersAction)]
    assert {*commands.choices} - {"run", "plan"} == COMMANDS.keys()  # those two read Hydra's words
    assert all(command.description or action.help for action, command in zip(
        commands._choices_actions, commands.choices.values(), strict=True))  # fmt: skip


def test_figures_are_left_to_their_number_unless_asked_for_or_against() -> None:
    found = {
        words: parser().parse_args(["tables", *words]).figures for words in ((), ("--figures",), ("--no-figures",))
    }
    assert found == {(): None, ("--figures",): True, ("--no-figures",): False}


@pytest.mark.parametrize(
    ("command", "settings", "keys", "prefix"),
    [
        ("advise", AdviseSettings, ADVISE, "advise."),
        ("predict", predict.Settings, PREDICT, ""),
        ("serve", serve.Settings, SERVE, ""),
    ],
)
def test_help_and_completion_have_every_key(
    command: str, settings: type, keys: dict[str, str], prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{prefix}{each.name}" for each in fields(settings)]
    assert [f"{prefix}{key}" for key in keys] == names
    with pytest.raises(SystemExit):
        parser().parse_args([command, "--help"])
    shown = capsys.readouterr().out
    assert [name for name in names if f"\n  {name} " not in shown] == []
    assert {f"{name}=" for name in names} <= set(candidates([command, prefix]))
