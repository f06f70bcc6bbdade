"""Time roftbench on this machine, beside a textbook reference and the floor of its matrix products.

python -m scripts.speed [--json FILE] [--markdown results/speed.md] [--quick]     the whole table
python -m scripts.speed step
python -m scripts.speed networks
python -m scripts.speed jobs --labels 50
python -m scripts.speed gpu --device cuda:0
python -m scripts.speed predict --markdown results/speed_predict.md
python -m scripts.speed tables --records 40000
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from scripts.speed.data import featurize, metrics
from scripts.speed.gpu import gpu_note, throughput
from scripts.speed.jobs import jobs, note, workers
from scripts.speed.methods import NOTE, methods
from scripts.speed.networks import networks
from scripts.speed.predict import predict
from scripts.speed.setting import LABELS
from scripts.speed.shell import scale, start
from scripts.speed.step import step
from scripts.speed.tables import tables
from scripts.speed.timing import HEADER, Row, as_markdown, as_plain, machine, print_table

# Parts of the whole table, in its order; each can be asked for alone.
PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "step": step,
    "networks": networks,
    "methods": methods,
    "jobs": jobs,
    "workers": workers,
    "start": start,
    "scale": scale,
    "gpu": throughput,
    "predict": predict,
}
ALONE = ("gpu", "predict")  # no parts of the whole table: only where they are asked for
# Benchmarks that print tables of their own.
OTHERS: dict[str, Callable[[argparse.Namespace], None]] = {
    "metrics": metrics,
    "featurize": featurize,
    "tables": tables,
}


def table(arguments: argparse.Namespace) -> None:
    """Time the part that was asked for, or all; print the table and write it where it was asked for."""
    facts = machine()
    for name, value in facts.items():
        print(f"{name}: {value}", flush=True)
    rows = []
    for name, part in PARTS.items():
        if arguments.command == name or (arguments.command is None and name not in ALONE):
            rows += part(arguments)
    facts["load afterward"] = machine()["load (1, 5, 15 minutes)"]
    notes = {"gpu": [gpu_note(1 if arguments.quick else arguments.epochs)], "predict": []}.get(
        arguments.command, [note(arguments)]
    )
    notes += [NOTE] * (arguments.command in (None, "methods"))
    print_table(HEADER, [row.cells() for row in rows])
    print(f"load afterward: {facts['load afterward']}", *notes, sep="\n")
    if arguments.json is not None:
        text = json.dumps(as_plain(rows, facts, notes), indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    if arguments.markdown is not None:
        arguments.markdown.write_text(as_markdown(rows, facts, notes), encoding="utf-8")


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the words of a command line, by default this process's."""
    quick = argparse.ArgumentParser(add_help=False)
    quick.add_argument(
        "--quick",
        action="store_true",
        default=argparse.SUPPRESS,
        help="small shapes, few repeats: only to see that it works",
    )
    quick.add_argument("--threads", type=int, default=argparse.SUPPRESS, help="threads of torch (default: 1)")
    timed = argparse.ArgumentParser(add_help=False, parents=[quick])
    for name in ("--json", "--markdown"):
        timed.add_argument(name, type=Path, default=argparse.SUPPRESS, help="a file to write the table to")
    timed.add_argument("--dataset", default=argparse.SUPPRESS, help="only this data set")
    timed.add_argument("--labels", choices=LABELS, default=argparse.SUPPRESS, help="only so many labels")
    timed.add_argument("--epochs", type=int, default=argparse.SUPPRESS, help="epochs that are timed (default: 2)")
    parser = argparse.ArgumentParser(description="Time roftbench.", parents=[timed])
    commands = parser.add_subparsers(dest="command")
    for name, function in {**PARTS, **OTHERS}.items():
        parent = timed if name in PARTS else quick
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__, parents=[parent])
        if function is tables:
            command.add_argument("--records", type=int, default=40_000, help="how many (default: 40,000)")
        if function is throughput:
            command.add_argument("--device", default="cuda:0", help="where the jobs run (default: cuda:0)")
            command.add_argument("--processes", default="1,4,8,16", help="how many at a time, one after another")
        if function is featurize:
            command.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default: a million)")
    unset = {"json": None, "markdown": None, "dataset": None, "labels": None, "epochs": 2}
    return parser.parse_args(words, namespace=argparse.Namespace(quick=False, threads=1, **unset))


def main(words: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    arguments = parsed(words)
    torch.set_num_threads(arguments.threads)
    OTHERS.get(arguments.command, table)(arguments)


if __name__ == "__main__":
    main()
