"""Command lines of `roftbench run` and `roftbench plan`: overrides in Hydra's syntax and a few options."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from roftbench.config.registry import default_folder, existing
from roftbench.errors import UsageError

CONFIG_PARTS = ("job", "hydra", "all")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


@dataclass(frozen=True)
class Arguments:
    """A parsed command line.

    cfg, package, resolve: the composed config is to be shown, or one package of it, with references resolved.
    info: what Hydra is to show about itself.
    """

    overrides: tuple[str, ...] = ()
    multirun: bool = False
    config_dir: Path | None = None
    cfg: str | None = None
    package: str | None = None
    resolve: bool = False
    info: str | None = None
    json: bool = False

    @classmethod
    def parse(cls, words: Sequence[str], *, plan: bool = False) -> "Arguments":
        """Return the arguments of `roftbench run`, or of `roftbench plan`.

        Raises:
            UsageError: an option is unknown, lacks its value or has an impossible one, or options exclude each other.
        """
        parser = _parser(plan=plan)
        known, unknown = parser.parse_known_intermixed_args(words)
        if unknown:
            name = unknown[0].partition("=")[0]
            options = [text for action in parser._actions for text in action.option_strings]
            raise UsageError(f"unknown option '{name}'", key=name, got=name, allowed=options)
        found = cls(**{**vars(known), "overrides": tuple(known.overrides)})
        if (folder := found.config_dir or default_folder()) is not None:
            found = replace(found, config_dir=existing(folder))
        if found.multirun and (found.cfg or found.info):
            option = "--cfg" if found.cfg else "--info"
            hint = "Leave out -m; `roftbench plan` describes the jobs of a sweep."
            raise UsageError(f"{option} shows one job", key=option, hint=hint)
        if found.resolve and not found.cfg:
            raise UsageError("--resolve belongs to --cfg: roftbench run --cfg job --resolve", key="--resolve")
        return found

    @property
    def command(self) -> list[str]:
        """The command to which the overrides of one job of the sweep are appended to run it alone."""
        folder = [] if self.config_dir is None else [f"--config-dir={self.config_dir}"]
        return ["roftbench", "run", *folder]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser(*, plan: bool) -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--config-dir", "-cd", type=Path)
    if plan:
        parser.add_argument("--json", action="store_true")
        return parser
    parser.add_argument("--cfg", "-c", choices=CONFIG_PARTS)
    parser.add_argument("--package", "-p")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--info", "-i", choices=INFO)
    return parser
