"""Parsers and help texts of the command line. Imports nothing heavy, so that `roftbench --help` is fast."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from roftbench.__about__ import __version__
from roftbench.cli.keys import ADVISE, EMBED, PREDICT, SERVE

RUN_HELP = """\
usage: roftbench run [key=value …] [-m] [--config-dir DIR] [--cfg job]

Run one fine-tuning job, or with -m a sweep: every combination of comma-separated values.
Finished jobs are skipped, so that the same command continues an interrupted sweep.

  roftbench run                                       ROFT-MOL on ESOL, all labels, scaffold split
  roftbench run method=lp_ft dataset=bbbp seed=1
  roftbench run method=l2_sp method.search=true       choose hyperparameters from a grid by validation score
  roftbench run dataset=csv dataset.path=my.csv       your own table of SMILES and labels
  roftbench run split=random_scaffold split.seed=1    another split, and another few-shot subset
  roftbench run -m split=cv5x5 run.keep=NAME          cross-validate, then fit a model to all labels and name it
  roftbench run -m method=full_ft,roftmol seed=0,1,2  a sweep of six jobs
  roftbench run -m experiment=smoke                   all nine methods on two data sets, in minutes

options:
  -m, --multirun      run a sweep
  --config-dir DIR    a folder with your own config groups (method/mine.yaml, …)
  --cfg job           print the composed config with every key that can be set, and stop
  --package KEY       print only this part of it, such as train
  --resolve           print it with references resolved

environment variables:
  ROFTBENCH_RESULTS, ROFTBENCH_CACHE, ROFTBENCH_MIRROR    folders of results, cache and published files
  ROFTBENCH_OFFLINE=1                                     no downloads
  ROFTBENCH_CONFIG_DIR=DIR                                --config-dir, where it is not given
  ROFTBENCH_PLUGINS=FILE.py,MODULE                        plugins, where they are not given
  ROFTBENCH_DEBUG=1                                       the traceback of an error

config groups and their options (key=value):
"""
PLAN_HELP = """\
usage: roftbench plan [key=value …] [--json] [--config-dir DIR]

Print what `roftbench run -m` would do with the same arguments, and run nothing: the number of jobs, how many are done
or failed, the fits that the others need when shared fits are made once, and the estimated time. The estimate uses
existing records; for a model without records, one epoch is measured.

  roftbench plan experiment=few_shot
  roftbench plan method=full_ft,roftmol label_ratio=n50,n100 seed=0,1,2 hydra/launcher=joblib
"""
LIST_HELP = """\
  roftbench list models                            one line per model
  roftbench list models gin_masking minimol        their size, pretraining, license, and where the weights are
  roftbench list runs method=roftmol dataset=esol --last 20
  roftbench list kept                              saved models that have a name (run.keep=NAME)

Filters of runs: model= method= dataset= split= label_ratio= train= seed= (several values separated by commas);
the first four also filter kept models.
Runs on the folds of roftbench advise are left out, unless split= names one of them.
"""
TABLES_HELP = """\
key=value:
  model= method= dataset= split= label_ratio= train= seed=    only these records (several separated by commas)
  metric=NAME               scores by another metric than each data set's own; metric=all: a table per metric
  select=test               beside selection on validation scores, the result of selection on test scores
  group=split,label_ratio   one table per combination of these (default: model,split,label_ratio)
  reference=METHOD          the method that is compared with the others (default: roftmol)
  delta=rmse:0.1            smallest difference of interest, by metric (or one number for one metric)
  pool=split_seed           count seeds of the split and of the few-shot subset as replicates, like the seed
  paths.results=DIR         folder of the records

  roftbench tables dataset=esol,lipo label_ratio=n50
  roftbench tables --from results/gin_masking/scores.csv
  roftbench tables --layout paper --percent
"""
REPORT_HELP = """\
key=value:
  reference=METHOD    the method that is compared with the others (default: roftmol)
  delta=rmse:0.1      smallest difference of interest, by metric (or one number for one metric)
  paths.results=DIR   folder of the records
"""
DATA_HELP = """\
key=value are keys of a job, such as dataset.smiles_column=NAME 'dataset.targets=[A,B]' dataset.duplicates=merge

  roftbench data my.csv
  roftbench data bbbp --out report.html
"""
SPLITS_HELP = """\
key=value are those of roftbench run

  roftbench splits dataset=esol split=random_scaffold split.seed=1 --out parts.json
  roftbench run dataset=esol split=file split.path=parts.json
"""
FETCH_HELP = """\
  roftbench fetch dataset=all
  roftbench fetch model=minimol,gcn_supervised
"""
ADVISE_HELP = """
All other keys are those of roftbench run.

  roftbench advise dataset=csv dataset.path=my.csv advise.budget=30m
  roftbench advise dataset=csv dataset.path=my.csv advise.pool=new.csv   also which molecules to measure next
"""
PREDICT_HELP = """  paths.results    folder of the results, which holds the named models

  roftbench predict model=solubility input=new.csv output=predictions.csv
"""
EMBED_HELP = """  model.…          keys of a pretrained model
  paths.…          folders

  roftbench embed model=gin_masking input=new.csv output=z.npz
"""
SERVE_HELP = """  paths.results    folder of the results, which holds the named models

  roftbench serve solubility
"""
FILTERS = ("model", "method", "dataset", "split", "label_ratio", "train", "seed")  # of `list runs`
RESULTS = {"runs": FILTERS, "kept": FILTERS[:4]}  # what `list` reads from the results folder, with its filters
RUN_OPTIONS = {  # whose words are parsed by sweep/arguments.py
    "run": ("--multirun", "--config-dir", "--cfg", "--package", "--resolve", "--info"),
    "plan": ("--config-dir", "--json"),
}
SHELLS = ("bash", "zsh", "fish")
KINDS = {"models": "model", "methods": "method", "datasets": "dataset", "splits": "split"}


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands except `run` and `plan`, whose arguments follow Hydra's syntax."""
    whole = argparse.ArgumentParser(
        prog="roftbench",
        description="Benchmark robust fine-tuning of pretrained molecular graph models.",
        epilog="Start with: roftbench run method=roftmol dataset=esol",
    )
    whole.add_argument("--version", action="version", version=f"roftbench {__version__}")
    install = "install completion of commands, keys and values for a shell, and stop"
    whole.add_argument("--install-completion", choices=SHELLS, help=install)
    whole.add_argument("--show-completion", choices=SHELLS, help="print that script instead, and stop")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run a job or a sweep of jobs (roftbench run --help)")
    commands.add_parser("plan", help="count the jobs of a sweep and estimate its time (roftbench plan --help)")

    listing = commands.add_parser("list", help="list models, methods, data sets, splits, runs, or kept models")
    listing.add_argument("kind", choices=[*KINDS, *RESULTS])
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.add_argument("--last", type=int, metavar="N", help="list only the N newest runs")
    listing.epilog = LIST_HELP

    fetch = commands.add_parser("fetch", help="download data sets and checkpoints, for offline use")

    data = commands.add_parser("data", help="report on the quality of a data set or of your own table")
    data.add_argument("dataset", help="a name of `roftbench list datasets`, or a file")
    data.add_argument("--json", action="store_true", help="print JSON instead of verdict and tables")
    data.add_argument("--full", action="store_true", help="print all tables after the verdict")
    data.add_argument("--out", type=Path, help="write the whole report to this file: .html, .md or JSON")
    data.add_argument("--pyg", type=Path, help="write the graphs for PyTorch Geometric to this file (.pt), no report")

    tables = commands.add_parser("tables", help="make leaderboards from the records (roftbench tables --help)")
    tables.add_argument("--json", action="store_true", help="print JSON instead of tables")
    tables.add_argument(
        "--by", choices=("method", "model"), default="method", help="what the rows are (default: method)"
    )
    tables.add_argument(
        "--layout",
        choices=("leaderboard", "paper"),
        default="leaderboard",
        help="paper: LaTeX tables that fit a page, paper.tex (default: leaderboard)",
    )
    tables.add_argument("--decimals", type=int, metavar="N", help="decimals of scores, with --layout paper")
    tables.add_argument("--percent", action="store_true", help="scores in [0, 1] times 100, with --layout paper")
    _takes_scores(tables, "--out DIR")
    choice = argparse.BooleanOptionalAction
    tables.add_argument("--figures", action=choice, help="draw all figures (default: only if there are at most 30)")
    tables.add_argument(
        "--predictions", action=choice, help="write predictions.parquet (default: only up to 250,000 predictions)"
    )
    tables.add_argument("--out", type=Path, help="folder to write to (default: <results>/tables, or beside the CSV)")
    tables.epilog = TABLES_HELP

    report = commands.add_parser("report", help="write all results as one HTML page that works offline")
    _takes_scores(report, "--out FILE")
    report.add_argument("--out", type=Path, help="HTML file (default: <results>/report.html, or beside the CSV)")
    report.epilog = REPORT_HELP

    advise = commands.add_parser("advise", help="choose a model and a method for a data set with few labels")
    advise.add_argument("--json", action="store_true", help="print JSON instead of a table")

    predict = commands.add_parser("predict", help="predict a table of SMILES with saved models (run.keep=NAME)")
    predict.usage = f"{predict.prog} [--full] model=NAME input=FILE output=FILE.csv[.gz] [key=value …]"
    predict.epilog = _described(PREDICT) + PREDICT_HELP
    predict.add_argument("--full", action="store_true", help="write numbers in full, not with the digits that matter")

    embed = commands.add_parser("embed", help="write the representations of a pretrained or a saved model")
    embed.usage = f"{embed.prog} [options] model=NAME input=FILE output=FILE.npz|.parquet [key=value …]"
    embed.epilog = _described({key: PREDICT[key] for key in EMBED}) + EMBED_HELP

    export = commands.add_parser("export", help="write a saved model as an ONNX file or as a folder for a model hub")
    export.add_argument("model", help="name or folder of a saved model, or several separated by commas")
    export.add_argument("--onnx", type=Path, metavar="FILE", help="write the network to this file (.onnx)")
    export.add_argument("--hub", type=Path, metavar="FOLDER", help="write a folder that a model hub takes as it is")
    export.add_argument("--license", metavar="NAME", help="license of the model on the hub (default: other)")
    export.add_argument(
        "--training-data", action="store_true", help="write SMILES and identifiers of the training molecules, too"
    )
    export.usage = f"{export.prog} MODEL [--onnx FILE] [--hub FOLDER] [--license NAME] [--training-data]"
    export.usage += " [plugins=FILE.py] [paths.results=DIR]"

    serve = commands.add_parser("serve", help="open a page for a saved model in the browser of this machine")
    serve.usage = f"{serve.prog} NAME|model_dir=DIR[,DIR] [key=value …]"
    serve.epilog = _described(SERVE) + SERVE_HELP

    doctor = commands.add_parser("doctor", help="check this machine: versions, devices, launchers, folders, speed")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.usage = f"{doctor.prog} [--json] [paths.…=…]"

    cache = commands.add_parser("cache", help="show or clear the cache; results are never touched")
    cache.add_argument("action", choices=("info", "clean"))
    cache.add_argument("--dry-run", action="store_true", help="count what clean would remove, and remove nothing")
    cache.add_argument("--json", action="store_true", help="print JSON")
    cache.usage = f"{cache.prog} [options] {{info,clean}} [paths.…=…]"

    splits = commands.add_parser("splits", help="write the data rows (from 0) of train, val and test of a job")
    splits.add_argument("--out", type=Path, help="JSON file (default: standard output)")
    for command in (listing, fetch, data, advise, embed, cache, splits, tables, report):
        command.add_argument(
            "--config-dir", type=Path, help="a folder with your own config groups (default: ROFTBENCH_CONFIG_DIR)"
        )
    listing.usage = f"{listing.prog} [options] {{models,methods,datasets,splits,runs,kept}} [NAME …] [key=value …]"
    fetch.usage = f"{fetch.prog} [options] [dataset=all|NAME,NAME] [model=all|NAME,NAME] [paths.cache=DIR]"
    data.usage = f"{data.prog} [options] NAME|FILE [key=value …]"
    advise.usage = f"{advise.prog} [options] dataset=… [advise.budget=30m] [key=value …]"
    advise.epilog = _described(ADVISE, "advise.") + ADVISE_HELP
    data.epilog, splits.epilog, fetch.epilog = DATA_HELP, SPLITS_HELP, FETCH_HELP
    for command in (tables, report, splits):
        command.usage = f"{command.prog} [options] [key=value …]"
    for command in commands.choices.values():
        command.formatter_class = argparse.RawDescriptionHelpFormatter
    return whole


def _described(keys: Mapping[str, str], prefix: str = "") -> str:
    """Return the part of a help text that lists keys with their meanings."""
    width = len(prefix) + 17
    lines = [f"  {prefix + key:<{width}}{meaning.replace('`', '')}" for key, meaning in keys.items()]
    return "\n".join(["key=value:", *lines, ""])


def option_strings(command: str) -> list[str]:
    """Return the options of a command, of `roftbench` itself for "", or the names of all commands for "COMMANDS"."""
    whole = parser()
    commands = next(action.choices for action in whole._actions if action.dest == "command")
    assert isinstance(commands, dict)
    if command == "COMMANDS":
        return list(commands)
    if command in RUN_OPTIONS:
        return [*RUN_OPTIONS[command], "--help"]
    actions = commands.get(command, whole)._actions
    return [text for action in actions for text in action.option_strings if text.startswith("--")]


def _takes_scores(command: argparse.ArgumentParser, out: str) -> None:
    command.add_argument(
        "--from",
        dest="scores",
        type=Path,
        action="append",
        default=[],
        metavar="CSV",
        help=f"read a scores.csv instead of the records; several are joined (--from A --from B {out})",
    )
