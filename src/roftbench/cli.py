"""`roftbench`: run jobs, look at what there is, make tables. Heavy imports wait until they are needed."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from roftbench import __version__
from roftbench.catalog import GROUPS, options
from roftbench.errors import UsageError

RUN_HELP = """\
usage: roftbench run [key=value …] [-m] [--config-dir DIR] [--cfg job]

Runs one fine-tuning job, or with -m every combination of comma-separated values.

  roftbench run                                       ROFT-MOL on ESOL, all labels, scaffold split
  roftbench run method=lp_ft dataset=bbbp seed=1
  roftbench run method=l2_sp method.search=true       search the method's grid, on validation scores
  roftbench run dataset=csv dataset.path=my.csv       a table of your own
  roftbench run split=random_scaffold split.seed=1    another split, and another few-shot subset
  roftbench run -m method=full_ft,roftmol seed=0,1,2  a sweep
  roftbench run -m experiment=smoke                   all nine methods on two data sets, in minutes

  -m, --multirun      a sweep
  --config-dir DIR    a folder with config groups of your own (method/mine.yaml, …)
  --cfg job           print the composed config and stop; shows every key that can be set

ROFTBENCH_RESULTS, ROFTBENCH_CACHE and ROFTBENCH_MIRROR (published files that you have) set the default folders;
ROFTBENCH_OFFLINE=1 forbids downloads; ROFTBENCH_DEBUG=1 shows the traceback of an error.

Options of the config groups:
"""
PLAN_HELP = """\
usage: roftbench plan [key=value …] [--json] [--config-dir DIR]

Takes what `roftbench run -m` takes, runs nothing, and says how many jobs there are, how many are done or failed before,
how many fits the others need when none is done twice, and how long that takes, from the records at hand; of a model
that no record tells of, one epoch is measured.

  roftbench plan experiment=few_shot
  roftbench plan method=full_ft,roftmol label_ratio=n50,n100 seed=0,1,2 hydra/launcher=joblib
"""
TABLES_HELP = """\
key=value:
  model= method= dataset= split= label_ratio= train= seed=    only these records (several with commas between)
  metric=NAME               scores by another metric than each data set's own
  select=test               beside the honest selection what selection on test scores would have given
  group=split,label_ratio   what a table is for (default: model,split,label_ratio); the others become part of its rows
  pool=split_seed           seeds of split and few-shot subset are replicates like the seed
  paths.results=DIR         where the records are

  roftbench tables dataset=esol,lipo label_ratio=n50
  roftbench tables --from results/paper/scores.csv
"""
KINDS = {"models": "model", "methods": "method", "datasets": "dataset", "splits": "split"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a job failed, 2 usage error, 130 interrupted."""
    handler = logging.StreamHandler()
    handler.addFilter(_Once())
    logging.basicConfig(format="roftbench: %(message)s", level=logging.WARNING, handlers=[handler])
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for name in ("RESULTS", "CACHE", "MIRROR", "OFFLINE"):  # an empty variable is an unset one
        if os.environ.get(f"ROFTBENCH_{name}") == "":
            del os.environ[f"ROFTBENCH_{name}"]
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


class _Once(logging.Filter):
    """Lets a message through once: who plans a job and who runs it may find the same file damaged."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message is new."""
        text = record.getMessage()
        new = text not in self._said
        self._said.add(text)
        return new


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        return _run(arguments[1:])
    if arguments[:1] == ["plan"]:
        return _plan(arguments[1:])
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


def _plan(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(PLAN_HELP)
        return 0
    from roftbench import planning

    as_json = "--json" in arguments
    return planning.run([argument for argument in arguments if argument != "--json"], as_json=as_json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roftbench",
        description="Benchmark robust fine-tuning of pretrained molecular graph models.",
        epilog="Start with: roftbench run method=roftmol dataset=esol",
    )
    parser.add_argument("--version", action="version", version=f"roftbench {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run a job, or a sweep of jobs (roftbench run --help)")

    commands.add_parser("plan", help="say what a sweep would do, and for how long (roftbench plan --help)")

    listing = commands.add_parser("list", help="show models, methods, data sets, splits, or the runs so far")
    listing.add_argument("kind", choices=[*KINDS, "runs"])
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(function=_list)

    fetch = commands.add_parser("fetch", help="bring data sets and checkpoints to this machine, for offline use")
    fetch.set_defaults(function=_fetch)

    data = commands.add_parser("data", help="report on the quality of a data set: NAME, or the path of your own table")
    data.add_argument("dataset", help="a name of `roftbench list datasets`, or a file")
    data.add_argument("--json", action="store_true", help="print JSON instead of tables")
    data.add_argument("--out", type=Path, help="write the JSON to this file as well")
    data.set_defaults(function=_data)

    tables = commands.add_parser("tables", help="turn the records into leaderboards (roftbench tables --help)")
    tables.add_argument("--json", action="store_true", help="print JSON instead of tables")
    tables.add_argument(
        "--by", choices=("method", "model"), default="method", help="what the rows are (default: method)"
    )
    tables.add_argument("--from", dest="scores", type=Path, metavar="CSV", help="a scores.csv instead of the records")
    tables.add_argument("--no-figures", action="store_true", help="leave the figures out")
    tables.add_argument("--out", type=Path, help="folder to write to (default: <results>/tables, or beside the CSV)")
    tables.set_defaults(function=_tables)
    tables.formatter_class, tables.epilog = argparse.RawDescriptionHelpFormatter, TABLES_HELP

    report = commands.add_parser("report", help="write all results as one HTML page that needs no network")
    report.add_argument("--out", type=Path, help="HTML file (default: <results>/report.html)")
    report.set_defaults(function=_report)

    advise = commands.add_parser("advise", help="find out which model and method suit a data set of few labels")
    advise.add_argument("--json", action="store_true", help="print JSON instead of a table")
    advise.set_defaults(function=_advise)

    predict = commands.add_parser("predict", help="predict a table of SMILES with kept models (run.keep=true)")
    predict.set_defaults(function=_predict)
    predict.usage = f"{predict.prog} model_dir=DIR[,DIR] input=FILE output=FILE.csv[.gz] [smiles_column=…] [prefix=…]"
    predict.usage += " [device=…] [threads=N] [plugins=FILE.py]"

    embed = commands.add_parser("embed", help="write the representations of a pretrained or a kept model")
    embed.set_defaults(function=_embed)
    embed.usage = f"{embed.prog} model=NAME|model_dir=DIR input=FILE output=FILE.npz|.parquet [smiles_column=…]"
    embed.usage += " [device=…] [threads=N] [model.…=…] [paths.…=…]"

    doctor = commands.add_parser("doctor", help="check this machine: versions, devices, launchers, folders, speed")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(function=_doctor)
    doctor.usage = f"{doctor.prog} [--json] [paths.…=…]"

    cache = commands.add_parser("cache", help="show or clear what is kept for speed; results are never touched")
    cache.add_argument("action", choices=("info", "clean"))
    cache.add_argument("--dry-run", action="store_true", help="say what clean would remove, and remove nothing")
    cache.add_argument("--json", action="store_true", help="print JSON")
    cache.set_defaults(function=_cache)
    cache.usage = f"{cache.prog} [--json] [--dry-run] {{info,clean}} [paths.…=…]"

    splits = commands.add_parser("splits", help="write the data rows (from 0) of train, val and test")
    splits.add_argument("--out", type=Path, help="JSON file (default: standard output)")
    splits.set_defaults(function=_splits)
    for command in (listing, fetch, data, advise, embed, splits):
        command.add_argument("--config-dir", type=Path, help="a folder with config groups of your own")
    listing.usage = f"{listing.prog} [options] {{models,methods,datasets,splits,runs}} [key=value …]"
    fetch.usage = f"{fetch.prog} [options] [dataset=all|NAME,NAME] [model=all|NAME,NAME] [paths.cache=DIR]"
    data.usage = f"{data.prog} [options] NAME|FILE [key=value …]"
    advise.usage = f"{advise.prog} [options] dataset=… [advise.budget=30m] [advise.models=A,B] [key=value …]"
    for command in (tables, report, splits):
        command.usage = f"{command.prog} [options] [key=value …]"
    return parser


def _results(overrides: Sequence[str]) -> Path:
    """Return the results folder of the overrides."""
    from roftbench.paths import absolute, paths_of

    return absolute(paths_of(overrides).results)


def _list(arguments: argparse.Namespace) -> int:
    from roftbench import listing

    if arguments.kind == "runs":
        return listing.show_runs(_results(arguments.overrides), as_json=arguments.json)
    show = {"datasets": listing.show_datasets, "models": listing.show_models}.get(arguments.kind)
    if show is not None:
        return show(arguments.overrides, arguments.config_dir, as_json=arguments.json)
    if arguments.overrides:
        raise UsageError(f"'{arguments.overrides[0]}': list {arguments.kind} takes no key=value")
    return listing.show_options(KINDS[arguments.kind], arguments.config_dir, as_json=arguments.json)


def _fetch(arguments: argparse.Namespace) -> int:
    from roftbench import fetch

    return fetch.run(arguments.overrides, arguments.config_dir)


def _data(arguments: argparse.Namespace) -> int:
    from roftbench.report import quality

    given = arguments.dataset, arguments.overrides, arguments.config_dir, arguments.out
    return quality.run(*given, as_json=arguments.json)


def _tables(arguments: argparse.Namespace) -> int:
    from roftbench.report.show import Output, show_tables

    output = Output(arguments.out, arguments.by, as_json=arguments.json, figures=not arguments.no_figures)
    return show_tables(arguments.overrides, arguments.scores, output)


def _report(arguments: argparse.Namespace) -> int:
    from roftbench.report import html

    results = _results(arguments.overrides)
    out = arguments.out or results / "report.html"
    data = html.write_report(results, out)
    print(html.words(data, out))
    return 0


def _advise(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from roftbench.advise import run

    return run.run(arguments.overrides, arguments.config_dir, as_json=arguments.json)


def _predict(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from roftbench.predict import command

    return command.predict(arguments.overrides)


def _embed(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from roftbench.predict import command

    return command.embed(arguments.overrides, arguments.config_dir)


def _doctor(arguments: argparse.Namespace) -> int:
    from roftbench import doctor
    from roftbench.paths import paths_of

    return doctor.run(paths_of(arguments.overrides), as_json=arguments.json)


def _cache(arguments: argparse.Namespace) -> int:
    from roftbench import cached
    from roftbench.paths import paths_of

    given = paths_of(arguments.overrides), arguments.action
    return cached.run(*given, dry_run=arguments.dry_run, as_json=arguments.json)


def _splits(arguments: argparse.Namespace) -> int:
    from roftbench import hydra_app
    from roftbench.files import write_output

    text = json.dumps(hydra_app.load_split(arguments.overrides, arguments.config_dir))
    if arguments.out is None:
        print(text)
    else:
        write_output(arguments.out, text + "\n")
    return 0
