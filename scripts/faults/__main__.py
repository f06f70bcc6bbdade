"""What faults do to `roftbench`: a kill or an error at every file operation of its commands, and kills of a sweep.

python -m scripts.faults                     every operation of every command: killed, with a full disk, with EIO
python -m scripts.faults job --count 20      20 operations of each fault, drawn by --seed
python -m scripts.faults sweep --count 200   200 kills of a sweep of six jobs, at random times

Each trial begins with a copy of the same folder, meets its fault, and is checked: records, saved models and outputs are
whole or absent, the user's own file beside a saved model is there, and an error is one message. The same command is
then run again and must come to the results of an undisturbed run, with no temporary file left. The table counts the
outcomes; what failed is named at once, and the exit code is 1. It needs a system that can fork.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from scripts.faults.inject import FAULTS
from scripts.faults.sweep import kill_sweeps
from scripts.faults.trials import COMMANDS, Ground, Trial

LINES = 25  # trials between lines of progress in a log


def main() -> int:
    """Run the campaign and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"{', '.join(COMMANDS)}, sweep; default: all")
    parser.add_argument("--faults", default=",".join(FAULTS), help="which, with commas between (default: all)")
    parser.add_argument("--count", type=int, help="operations a command and fault, or kills (default: all, and 200)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    parser.add_argument(
        "--first", type=int, default=1, help="operation to begin with, after an interruption (default: 1)"
    )
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.commands} - {*COMMANDS, "sweep"}):
        parser.error(f"unknown command {unknown[0]}: choose from {', '.join(COMMANDS)}, sweep")
    faults = arguments.faults.split(",")
    if unknown := sorted({*faults} - {*FAULTS}):
        parser.error(f"unknown fault {unknown[0]}: choose from {', '.join(FAULTS)}")
    bad = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        ground = Ground(Path(folder))
        for name in arguments.commands or [*COMMANDS, "sweep"]:
            if name == "sweep":
                bad += kill_sweeps(ground, arguments.count or 200, arguments.seed)
            else:
                bad += try_command(ground, name, faults, arguments.count, arguments.seed, arguments.first)
    print(f"{bad} wrong: named above" if bad else "nothing was lost")
    return int(bad > 0)


def try_command(ground: Ground, name: str, faults: list[str], count: int | None, seed: int, first: int = 1) -> int:
    """Try a command with each fault and print a line for each; returns how many trials went wrong, each named."""
    trial = Trial(ground, name)
    wrong_ones = 0
    for fault in faults:
        outcomes: Counter[str] = Counter()
        drawn = [at for at in _drawn(trial.operations, count, random.Random(f"{seed} {name} {fault}")) if at >= first]
        # A bar on a terminal alone: in a file, the forks' own messages would follow it on its line.
        for done, at in enumerate(tqdm(drawn, desc=f"{name}, {fault}", leave=False, disable=None)):
            if done and done % LINES == 0 and not sys.stderr.isatty():
                print(f"{name}, {fault}: {done} of {len(drawn)}, next is operation {at}", file=sys.stderr, flush=True)
            outcome, wrong = trial.at(fault, at)
            outcomes[outcome] += 1
            for one in wrong:
                tqdm.write(f"{name}, {fault} at operation {at} ({trial.log[at - 1]}): {one}")
            outcomes["wrong"] += bool(wrong)
            wrong_ones += bool(wrong)
        told = ", ".join(f"{number} {words}" for words, number in outcomes.items() if number)
        print(f"{name:<9}{fault:<8}{trial.operations:>4} operations  {told}", flush=True)
    return wrong_ones


def _drawn(operations: int, count: int | None, rng: random.Random) -> Sequence[int]:
    numbers = range(1, operations + 1)
    return numbers if count is None or count >= operations else sorted(rng.sample(numbers, count))


if __name__ == "__main__":
    sys.exit(main())
