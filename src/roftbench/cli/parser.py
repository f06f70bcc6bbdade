"""What the command line takes, and what its help says. Imports nothing heavy: `roftbench --help` answers at once."""

import argparse
from pathlib import Path

from roftbench.__about__ import __version__

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
LIST_HELP = """\
  roftbench list models                            one line per model
  roftbench list models gin_masking minimol        their size, pretraining, license, and where the weights are
  roftbench list runs method=roftmol dataset=esol --last 20

Filters of runs: model= method= dataset= split= label_ratio= train= seed= (several values with commas between).
Runs on the folds of roftbench advise are left out, unless split= names one of them.
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
  roftbench tables --from results/gin_masking/scores.csv
"""
FILTERS = ("model", "method", "dataset", "split", "label_ratio", "train", "seed")  # of `list runs`
RUN_OPTIONS = {  # whose words are parsed by sweep/arguments.py
    "run": ("--multirun", "--config-dir", "--cfg", "--package", "--resolve", "--info"),
    "plan": ("--config-dir", "--json"),
}
SHELLS = ("bash", "zsh", "fish")
KINDS = {"models": "model", "methods": "method", "datasets": "dataset", "splits": "split"}


def parser() -> argparse.ArgumentParser:
    """Return what reads every command but `run` and `plan`, whose words are Hydra's."""
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
    commands.add_parser("run", help="run a job, or a sweep of jobs (roftbench run --help)")
    commands.add_parser("plan", help="say what a sweep would do, and for how long (roftbench plan --help)")

    listing = commands.add_parser("list", help="show models, methods, data sets, splits, or the runs so far")
    listing.add_argument("kind", choices=[*KINDS, "runs"])
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.add_argument("--last", type=int, metavar="N", help="of the runs, only the N newest")
    listing.formatter_class, listing.epilog = argparse.RawDescriptionHelpFormatter, LIST_HELP

    fetch = commands.add_parser("fetch", help="bring data sets and checkpoints to this machine, for offline use")

    data = commands.add_parser("data", help="report on the quality of a data set: NAME, or the path of your own table")
    data.add_argument("dataset", help="a name of `roftbench list datasets`, or a file")
    data.add_argument("--json", action="store_true", help="print JSON instead of tables")
    data.add_argument("--out", type=Path, help="write the JSON to this file as well")

    tables = commands.add_parser("tables", help="turn the records into leaderboards (roftbench tables --help)")
    tables.add_argument("--json", action="store_true", help="print JSON instead of tables")
    tables.add_argument(
        "--by", choices=("method", "model"), default="method", help="what the rows are (default: method)"
    )
    _takes_scores(tables, "--out DIR")
    figures = tables.add_mutually_exclusive_group()
    figures.add_argument(
        "--figures", action="store_true", default=None, help="draw the figures however many (default: if at most 30)"
    )
    figures.add_argument(
        "--no-figures", dest="figures", action="store_false", default=None, help="leave the figures out"
    )
    tables.add_argument("--out", type=Path, help="folder to write to (default: <results>/tables, or beside the CSV)")
    tables.formatter_class, tables.epilog = argparse.RawDescriptionHelpFormatter, TABLES_HELP

    report = commands.add_parser("report", help="write all results as one HTML page that needs no network")
    _takes_scores(report, "--out FILE")
    report.add_argument("--out", type=Path, help="HTML file (default: <results>/report.html, or beside the CSV)")

    advise = commands.add_parser("advise", help="find out which model and method suit a data set of few labels")
    advise.add_argument("--json", action="store_true", help="print JSON instead of a table")

    predict = commands.add_parser("predict", help="predict a table of SMILES with kept models (run.keep=true)")
    predict.usage = f"{predict.prog} model_dir=DIR[,DIR] input=FILE output=FILE.csv[.gz] [smiles_column=…] [prefix=…]"
    predict.usage += " [device=…] [threads=N] [plugins=FILE.py] [quote_formulas=true]"

    embed = commands.add_parser("embed", help="write the representations of a pretrained or a kept model")
    embed.usage = f"{embed.prog} model=NAME|model_dir=DIR input=FILE output=FILE.npz|.parquet [smiles_column=…]"
    embed.usage += " [device=…] [threads=N] [model.…=…] [paths.…=…]"

    doctor = commands.add_parser("doctor", help="check this machine: versions, devices, launchers, folders, speed")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.usage = f"{doctor.prog} [--json] [paths.…=…]"

    cache = commands.add_parser("cache", help="show or clear what is kept for speed; results are never touched")
    cache.add_argument("action", choices=("info", "clean"))
    cache.add_argument("--dry-run", action="store_true", help="say what clean would remove, and remove nothing")
    cache.add_argument("--json", action="store_true", help="print JSON")
    cache.usage = f"{cache.prog} [options] {{info,clean}} [paths.…=…]"

    splits = commands.add_parser("splits", help="write the data rows (from 0) of train, val and test")
    splits.add_argument("--out", type=Path, help="JSON file (default: standard output)")
    for command in (listing, fetch, data, advise, embed, cache, splits):
        command.add_argument("--config-dir", type=Path, help="a folder with config groups of your own")
    listing.usage = f"{listing.prog} [options] {{models,methods,datasets,splits,runs}} [NAME …] [key=value …]"
    fetch.usage = f"{fetch.prog} [options] [dataset=all|NAME,NAME] [model=all|NAME,NAME] [paths.cache=DIR]"
    data.usage = f"{data.prog} [options] NAME|FILE [key=value …]"
    advise.usage = f"{advise.prog} [options] dataset=… [advise.budget=30m] [advise.models=A,B] [key=value …]"
    for command in (tables, report, splits):
        command.usage = f"{command.prog} [options] [key=value …]"
    return whole


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
        help=f"a scores.csv instead of the records; several are joined (--from A --from B {out})",
    )
