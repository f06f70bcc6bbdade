"""`roftbench`: run jobs, look at what there is, make tables. Heavy imports wait until they are needed."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roftbench import __version__
from roftbench.catalog import GROUPS, options
from roftbench.errors import UsageError, suggest

RUN_HELP = """\
usage: roftbench run [key=value …] [-m] [--config-dir DIR] [--cfg job]

Runs one fine-tuning job, or with -m every combination of comma-separated values.

  roftbench run                                       ROFT-MOL on ESOL, all labels, scaffold split
  roftbench run method=lp_ft dataset=bbbp seed=1
  roftbench run method=l2_sp method.search=true       search the method's grid, on validation scores
  roftbench run dataset=csv dataset.path=my.csv       a table of your own
  roftbench run -m method=full_ft,roftmol seed=0,1,2  a sweep
  roftbench run -m experiment=smoke                   all nine methods on two data sets, in minutes

  -m, --multirun      a sweep
  --config-dir DIR    a folder with config groups of your own (method/mine.yaml, …)
  --cfg job           print the composed config and stop; shows every key that can be set

ROFTBENCH_RESULTS and ROFTBENCH_CACHE set the default folders; ROFTBENCH_DEBUG=1 shows the traceback of an error.

Options of the config groups:
"""
KINDS = {"models": "model", "methods": "method", "datasets": "dataset", "splits": "split"}
DEFAULT_RESULTS = "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a job failed, 2 usage error, 130 interrupted."""
    logging.basicConfig(format="roftbench: %(message)s", level=logging.WARNING)
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        print("\nroftbench: interrupted; finished stages are kept, the same command goes on", file=sys.stderr)
        return 130
    except UsageError as error:
        if os.environ.get("ROFTBENCH_DEBUG"):
            raise
        print(f"roftbench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has left (`roftbench list runs | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        return _run(arguments[1:])
    namespace, overrides = _parser().parse_known_args(arguments)
    if unknown := [text for text in overrides if text.startswith("-") or "=" not in text]:
        raise UsageError(f"unknown argument '{unknown[0]}'; see roftbench {namespace.command} --help")
    namespace.overrides = overrides
    return int(namespace.function(namespace))


def _run(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(RUN_HELP + "\n".join(f"  {group:<13}{', '.join(options(group))}" for group in GROUPS))
        return 0
    # Threads that spin while they wait make a job ten times slower when another one wants the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from roftbench import hydra_app

    return hydra_app.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roftbench",
        description="Benchmark robust fine-tuning of pretrained molecular graph models.",
        epilog="Start with: roftbench run method=roftmol dataset=esol",
    )
    parser.add_argument("--version", action="version", version=f"roftbench {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run a job, or a sweep of jobs (roftbench run --help)")

    listing = commands.add_parser("list", help="show models, methods, data sets, splits, or the runs so far")
    listing.add_argument("kind", choices=[*KINDS, "runs"])
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.add_argument("--config-dir", type=Path, help="a folder with config groups of your own")
    listing.set_defaults(function=_list)

    tables = commands.add_parser("tables", help="turn the records into leaderboards, Markdown and CSV")
    tables.add_argument("--json", action="store_true", help="print JSON instead of a table")
    tables.add_argument("--out", type=Path, help="folder for leaderboard.md and .csv (default: <results>/tables)")
    tables.set_defaults(function=_tables)

    splits = commands.add_parser("splits", help="write the indices of train, val and test, over the kept rows")
    splits.add_argument("--out", type=Path, help="JSON file (default: standard output)")
    splits.add_argument("--config-dir", type=Path, help="a folder with config groups of your own")
    splits.set_defaults(function=_splits)
    for command in (listing, tables, splits):
        command.usage = f"{command.prog} [options] [key=value …]" + " {models,methods,datasets,splits,runs}" * (
            command is listing
        )
    return parser


def _results(overrides: Sequence[str]) -> Path:
    """Return the results folder of the overrides; nothing else may be overridden here."""
    folder = os.environ.get("ROFTBENCH_RESULTS", DEFAULT_RESULTS)
    for text in overrides:
        key, _, value = text.partition("=")
        if key != "paths.results":
            raise UsageError(f"unknown key '{key}'.{suggest(key, ['paths.results'])}")
        folder = value
    return Path(folder).expanduser()


def _list(arguments: argparse.Namespace) -> int:
    if arguments.kind == "runs":
        return _list_runs(arguments)
    if arguments.overrides:
        raise UsageError(f"'{arguments.overrides[0]}': list {arguments.kind} takes no key=value")
    found = options(KINDS[arguments.kind], arguments.config_dir)
    if arguments.json:
        print(json.dumps(list(found.values()), indent=1))
        return 0
    hidden = {"name", "summary", "_target_", "asset", "sha256", "path"}
    for name, content in found.items():
        print(f"{name:<14}{content.get('summary', '')}")
        details = [
            f"{key}={_short(value)}" for key, value in content.items() if key not in hidden and value not in (None, {})
        ]
        print(f"{'':<14}{'  '.join(details)}")
    return 0


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def _list_runs(arguments: argparse.Namespace) -> int:
    from roftbench.report.runs import run_rows
    from roftbench.store import Store

    store = Store(_results(arguments.overrides))
    rows = run_rows(store.load(), store.load_failures())
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    if not rows:
        print(f"no runs under {store.root}; start with: roftbench run method=roftmol dataset=esol")
        return 0
    columns = list(rows[0])
    texts = [columns, *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in texts) for i in range(len(columns))]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _tables(arguments: argparse.Namespace) -> int:
    from roftbench.report import show

    return show.show_tables(_results(arguments.overrides), arguments.out, as_json=arguments.json)


def _splits(arguments: argparse.Namespace) -> int:
    from roftbench import hydra_app
    from roftbench.files import write_text

    text = json.dumps(hydra_app.load_split(arguments.overrides, arguments.config_dir).to_dict())
    if arguments.out is None:
        print(text)
    else:
        write_text(arguments.out, text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
