"""Compare variants of one method, such as ROFT-MOL's two treatments of running statistics, by the tables' own test.

    python -m scripts.compare_variants --from results/roftmol_buffers/scores.csv --method roftmol --param buffers

`roftbench tables` chooses among a method's hyperparameters by validation score; here each choice is a row. Prints, for
the scores of the validation and of the test part, how much better the first variant is than each other one, over data
sets: the mean of a data set's columns (splits, label counts) is one observation.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from roftbench.report.aggregate import cells, long_table
from roftbench.report.scores import read_scores
from roftbench.report.statistics.paired import MEAN_OF_OTHERS, compare

PARTS = ("val", "test")
SHOWN = ["method", "n", "blocks", "wins", "ties", "losses", "improvement", "low", "high", "p", "p_holm", "verdict"]


def variants(long: pd.DataFrame, method: str, param: str, part: str) -> pd.DataFrame:
    """Return `long_table`'s rows with one method per value of a hyperparameter, and the scores of a part as `test`.

    Scores are by each data set's own metric. A protocol in a method's name, as in "roftmol (protocol=3)", stays there.
    """
    ours = long["method"].str.split(" ").str[0] == method
    values = long["params"].map(lambda text: json.loads(text).get(param))
    names = long["method"].where(~ours, long["method"] + f" {param}=" + values.astype(str))
    return long.assign(method=names, test=long["val" if part == "val" else "test_own"], metric=long["own"])


def differences(long: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return `compare` of a variant with every other method over data sets, without the mean of the others."""
    found = compare(cells(long), reference, "dataset")
    return found[found["method"] != MEAN_OF_OTHERS]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="files", type=Path, action="append", required=True, help="a scores.csv")
    parser.add_argument("--method", required=True, help="the method that has variants")
    parser.add_argument("--param", required=True, help="the hyperparameter that tells them apart")
    parser.add_argument("--pool", action="store_true", help="seeds of splits and label subsets make replicates")
    args = parser.parse_args(arguments)
    long = long_table(read_scores(*args.files)[0], pool=args.pool)
    for part in PARTS:
        shown = variants(long, args.method, args.param, part)
        for reference in sorted(name for name in shown["method"].unique() if f" {args.param}=" in name):
            print(f"\n{reference}, {part} scores: improvement in % over")
            print(differences(shown, reference)[SHOWN].to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
