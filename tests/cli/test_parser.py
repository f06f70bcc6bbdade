"""What the command line takes."""

import argparse

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
