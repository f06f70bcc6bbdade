"""Write docs/reference.md, the reference of commands and config keys, from the code, conf/ and reference.yaml.

python -m scripts.make_reference
"""

import argparse
import io
import os
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from roftbench.advise.settings import AdviseSettings
from roftbench.cli import keys
from roftbench.cli.main import main as roftbench
from roftbench.cli.predict import Settings as PredictSettings
from roftbench.cli.serve import Settings as ServeSettings
from roftbench.config.registry import GROUPS, options
from roftbench.data.config import DatasetSpec
from roftbench.methods.config import DISPLAY
from roftbench.models.config import ModelCard
from roftbench.report.format import markdown_table
from roftbench.store.files import write_text

OUT = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
MEANINGS = Path(__file__).with_name("reference.yaml")
WIDTH = 88  # columns of a code block on the site
COMMANDS = (
    "run", "plan", "advise", "tables", "report", "predict", "embed", "export", "serve", "list", "data",
    "fetch", "splits", "doctor", "cache",
)  # fmt: skip
# Facts about a published model or data set, which `roftbench list models` and `roftbench list datasets` show.
SETTABLE = {
    "name", "checkpoint", "sha256", "pretraining", "path", "task", "targets", "metric", "units", "noise",
    "smiles_column", "classes", "split_column", "duplicates", "na_values", "censored", "strip_salts",
}  # fmt: skip
LEFT_OUT = {*DISPLAY, "quick", "summary", "_target_", "defaults", "hydra"} | (
    {each.name for card in (ModelCard, DatasetSpec) for each in fields(card)} - SETTABLE
)
INTRO = """\
# Reference

`roftbench run --cfg job` prints a job's config with all its values.
This page is generated from the code by `scripts/make_reference.py`.
"""
GROUPS_INTRO = """\
## Config groups

An option is chosen as `GROUP=NAME`, a key is set as `GROUP.KEY=VALUE`.
A default that only some options have is followed by their names."""


class Reference:
    """The page, made of help texts, the options in conf/ and their meanings."""

    def __init__(self) -> None:
        self.meanings = yaml.safe_load(MEANINGS.read_text(encoding="utf-8"))

    def page(self) -> str:
        """Return the page.

        Raises:
            SystemExit: an option or a key has no meaning in reference.yaml or `cli.keys`, or a meaning has no key.
        """
        os.environ["COLUMNS"] = str(WIDTH)  # argparse wraps at the terminal's width
        parts = [INTRO, "## Commands"]
        parts += [f"### roftbench {name}\n\n```text\n{_help(name)}\n```" for name in COMMANDS]
        parts += ["## Environment variables", self._variables(), GROUPS_INTRO]
        parts += ["### Top level", self._keys("top level", {"": options_of_root()})]
        for group in (*GROUPS, "hydra/launcher", "hydra/sweeper"):
            parts += [f"### {group}", *self._group(group)]
        parts += ["## Keys of advise", "A key is set as `advise.KEY=VALUE`.", self._fields(AdviseSettings, keys.ADVISE)]
        parts += ["## Keys of predict and embed", self._fields(PredictSettings, keys.PREDICT)]
        parts += ["## Keys of serve", self._fields(ServeSettings, keys.SERVE)]
        return "\n\n".join(part.strip() for part in parts) + "\n"

    def _variables(self) -> str:
        rows = [[f"`{name}`", meaning] for name, meaning in self.meanings["variables"].items()]
        return _table(["variable", "meaning"], rows)

    def _group(self, group: str) -> list[str]:
        found = options(group)
        described = self.meanings["options"].get(group, {})
        _compare(f"options of {group}", [name for name, spec in found.items() if not spec.get("summary")], described)
        rows = [[f"`{name}`", str(spec.get("summary") or described[name])] for name, spec in found.items()]
        if group == "experiment":
            for row, spec in zip(rows, found.values(), strict=True):
                row.append(", ".join(f"`{key}`" for key in spec["hydra"]["sweeper"]["params"]))
            return [_table(["option", "what it is", "swept"], rows)]
        return [_table(["option", "what it is"], rows), self._keys(group, found)]

    def _keys(self, group: str, found: Mapping[str, Mapping[str, Any]]) -> str:
        """Return a table of the group's keys, each with its defaults and its meaning."""
        values: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for option, spec in found.items():
            for key, value in spec.items():
                if key not in LEFT_OUT and (key, value) != ("name", option):
                    values[key][_value(value)].append(option)
        rows = {key: _defaults(by_value, len(found)) for key, by_value in values.items()}
        if "name" in self.meanings["keys"][group]:
            rows = {"name": "the option", **rows}
        return self._rows(group, rows, self.meanings["keys"][group])

    def _fields(self, settings: type, described: Mapping[str, str]) -> str:
        """Return a table of the fields of a dataclass, each with its default and its meaning."""
        defaults = {}
        for each in fields(settings):
            factory = each.default_factory
            text = _value(each.default) if factory is MISSING else ",".join(factory())
            defaults[each.name] = f"`{text}`" if text else "–"
        return self._rows(settings.__name__, defaults, described)

    def _rows(self, group: str, defaults: Mapping[str, str], described: Mapping[str, str]) -> str:
        _compare(f"keys of {group}", defaults, described)
        return _table(
            ["key", "default", "meaning"], [[f"`{key}`", text, described[key]] for key, text in defaults.items()]
        )


def options_of_root() -> dict[str, Any]:
    """Return the keys of conf/config.yaml that belong to no group."""
    spec = options("")["config"]
    return {key: value for key, value in spec.items() if key not in GROUPS}


def _help(name: str) -> str:
    """Return a command's help in lines of at most WIDTH columns, without the keys that the page lists below."""
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):  # argparse ends the process after its help
        roftbench([name, "--help"])
    shown = text.getvalue()
    if name in ("advise", "predict", "embed", "serve"):
        shown = shown.partition("\nkey=value:")[0]
    return "\n".join(line for paragraph in shown.rstrip().split("\n\n") for line in [*_folded(paragraph), ""]).rstrip()


def _folded(paragraph: str) -> list[str]:
    """Fold long lines; prose is filled anew, a command is continued, another line goes on below its second column."""
    lines = paragraph.splitlines()
    if all(len(line) <= WIDTH for line in lines):
        return lines
    if not paragraph.startswith(("usage:", " ")) and not any(line.startswith(" ") for line in lines):
        return textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False)
    folded = []
    for line in lines:
        second = re.match(r" *\S.*?  +(?=\S)", line)
        if second is None and line.lstrip().startswith("roftbench "):
            wrapped = textwrap.wrap(line, WIDTH - 2, subsequent_indent="    ", break_on_hyphens=False)
            folded += [f"{part} \\" for part in wrapped[:-1]] + wrapped[-1:]
        else:
            indent = " " * (second.end() if second else 0)
            folded += textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return folded


def _defaults(by_value: Mapping[str, list[str]], num_options: int) -> str:
    """Return the values with the options that have them; the options are left out where all have the same."""
    if [len(names) for names in by_value.values()] == [num_options]:
        return f"`{next(iter(by_value))}`"
    ordered = sorted(by_value.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"`{value}` {_names(names)}" for value, names in ordered)


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])}, … ({len(names)})"


def _value(value: object) -> str:
    if isinstance(value, dict | list):
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    else:
        text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else "…"


def _table(header: list[str], rows: list[list[str]]) -> str:
    return markdown_table(header, rows).replace("---:", "---")


def _compare(what: str, wanted: Iterable[str], described: Iterable[str]) -> None:
    """Stop where `wanted` and `described` differ."""
    if missing := [name for name in wanted if name not in described]:
        raise SystemExit(f"these {what} have no meaning: {', '.join(missing)}")
    if superfluous := [name for name in described if name not in wanted]:
        raise SystemExit(f"these {what} do not exist: {', '.join(superfluous)}")


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    write_text(out, Reference().page())
    print(f"{out} written")


if __name__ == "__main__":
    main()
