"""Write docs/reference.md, the reference of commands and config keys, from the code and conf/.

python scripts/make_reference.py
"""

import argparse
import io
import os
from contextlib import redirect_stdout, suppress
from dataclasses import fields
from pathlib import Path

import yaml

from roftbench.cli.main import main as roftbench
from roftbench.config.registry import GROUPS, options
from roftbench.data.config import DatasetSpec
from roftbench.models.config import ModelCard
from roftbench.report.format import markdown_table
from roftbench.store.files import write_text

OUT = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
COMMANDS = (
    "run", "plan", "advise", "tables", "report", "predict", "embed", "list", "data",
    "fetch", "splits", "doctor", "cache",
)  # fmt: skip
# What a model's or a data set's card tells, `roftbench list models` and `roftbench list datasets` show.
CARDS = {each.name for card in (ModelCard, DatasetSpec) for each in fields(card)}
LEFT_OUT = {"name", "summary", "_target_", "defaults"} | (
    CARDS - {"checkpoint", "smiles_column", "targets", "task", "metric"}
)
INTRO = """\
# Reference

Made from the code by `scripts/make_reference.py`. `roftbench run --cfg job` prints a job's config with all its values.
"""


def reference() -> str:
    """Return the page: the help of every command, then every option of every config group with its keys."""
    os.environ["COLUMNS"] = "110"  # argparse wraps at the terminal's width
    parts = [INTRO, "## Commands"]
    parts += [f"### roftbench {name}\n\n```text\n{_help(name).rstrip()}\n```" for name in COMMANDS]
    parts.append("## Config groups\n\nA key is set as `GROUP.KEY=VALUE`, an option is chosen as `GROUP=NAME`.")
    parts += [_group(group) for group in GROUPS]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _help(name: str) -> str:
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):  # argparse ends the process after its help
        roftbench([name, "--help"])
    return text.getvalue()


def _group(group: str) -> str:
    found = options(group)
    rows = [[f"`{name}`", str(spec.get("summary") or ""), _keys(spec)] for name, spec in found.items()]
    return f"### {group}\n\n" + markdown_table(["option", "what it is", "keys and their defaults"], rows).replace(
        "---:", "---"
    )


def _keys(spec: dict[str, object]) -> str:
    shown = {key: value for key, value in spec.items() if key not in LEFT_OUT}
    return ", ".join(f"`{key}={_value(value)}`" for key, value in shown.items())


def _value(value: object) -> str:
    if isinstance(value, dict | list):
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
        return text if len(text) <= 60 else "…"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    write_text(out, reference())
    print(f"{out} written")


if __name__ == "__main__":
    main()
