"""Make `advise`'s prior from committed scores: the average rank of each method, by pretraining, task and label count.

python -m scripts.make_prior results/gin_masking/scores.csv results/fine_tuning_nine/scores.csv
"""

import argparse
from pathlib import Path

import pandas as pd

import roftbench
from roftbench.config.registry import options
from roftbench.report.aggregate import cells, complete_losses, long_table
from roftbench.report.scores import read_scores
from roftbench.store.files import write_text

OUT = Path(roftbench.__file__).parent / "assets" / "prior.csv"
KIND = ["pretraining", "task", "labels"]


def prior(paths: list[Path]) -> pd.DataFrame:
    """Return pretraining, task, labels, method, average_rank and tables (how many rankings are behind it).

    A ranking is one model, data set, split and label ratio in which all methods have all seeds. Rankings of fewer
    methods than the longest one are left out: their ranks are smaller.
    """
    table = cells(long_table(read_scores(*paths)[0]))
    table = table[~table["baseline"]].assign(loss=complete_losses(table))
    table["pretraining"] = table["model"].map({name: spec["pretraining"] for name, spec in options("model").items()})
    block = ["setting", "dataset"]
    whole = table.groupby(block)["loss"].transform(lambda losses: losses.notna().all())
    numbers = table.groupby(block)["loss"].transform("size")
    table = table[whole.astype(bool) & (numbers == numbers.max())]
    table["rank"] = table.groupby(block)["loss"].rank()
    table["labels"] = table["label_ratio"].str.extract(r"^n(\d+)(?:-strict)?$", expand=False).astype(float)
    grouped = table.dropna(subset="labels").astype({"labels": int}).groupby([*KIND, "method"])["rank"]
    return pd.DataFrame({"average_rank": grouped.mean().round(3), "tables": grouped.size()}).reset_index()


def main() -> None:
    """Write the file that the package carries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, nargs="+", help="scores.csv of `roftbench tables`")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    found = prior(arguments.scores)
    write_text(arguments.out, found.to_csv(index=False, lineterminator="\n"))
    print(f"{len(found)} rows written to {arguments.out}")


if __name__ == "__main__":
    main()
