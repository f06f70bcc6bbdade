"""Recompute the tables of docs/findings.md, the paper's claims one by one, from the committed scores in results/.

python -m scripts.findings           print them
python -m scripts.findings --write   write them into the page, between its markers

The unit is the data set (`scripts.gains`).
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from roftbench.report.format import markdown_table
from roftbench.store.files import write_text
from scripts.gains import HEADER, ROOT, gains, row, scores

PAGE = ROOT / "docs" / "findings.md"

PHYSICAL = ("esol", "freesolv", "lipo")
WEIGHT, PARTIAL = ["wise_ft", "l2_sp"], ["lp", "surgical_ft", "lp_ft"]
REPRESENTATION = ["feature_map", "bss"]
OTHERS = ["full_ft", *WEIGHT, *PARTIAL, *REPRESENTATION]
SUPERVISED, SELF_SUPERVISED = "gin_descriptors", "gin_masking"
LARGER = ("gin_ssl", "gin_sup")  # the self-supervised and the supervised one of `fine_tuning`
WITH_TRAINING_SCORES = ["l2_sp", "bss", "lp_ft", "surgical_ft", "feature_map"]  # in `fine_tuning_nine`
TRAINED = ["full_ft", "lp", "wise_ft", "roftmol"]  # the methods there
STRICT = "50 labels in all, five scaffold folds"


def over(
    first: str, others: Sequence[str], encoder: str | None = None, folder: str = "fine_tuning"
) -> "pd.Series[float]":
    """Return the gains of a method over the mean of others, by default averaged over both encoders of `fine_tuning`."""
    table = scores(folder)
    table = table[table["model"].isin(LARGER if encoder is None else [encoder])]
    return gains(table, "method", [first], others)


def nine_methods() -> pd.DataFrame:
    """Return the cells of the nine methods on `gin_ssl` over folds."""
    table = scores("fine_tuning_nine")
    return table[~table["baseline"]]


FOLDS = {"cv_frozen": "scaffold folds", "cv_frozen_random": "random folds", "cv_frozen_butina": "cluster folds"}


def by_encoder(folder: str, count: str, only: Sequence[str]) -> "pd.Series[float]":
    """Return the gains of the supervised over the self-supervised bundled encoder, frozen, on some data sets."""
    table = scores(folder)
    chosen = (table["label_ratio"] == count) & table["method"].isin(["ridge", "gp"]) & table["dataset"].isin(only)
    return gains(table[chosen], "model", [SUPERVISED], [SELF_SUPERVISED])


def frozen(folder: str, count: str, found: "pd.Series[float]") -> list[str]:
    """Return the row of such gains."""
    return row("supervised over self-supervised", f"ridge and GP, {count}, {FOLDS[folder]}", found)


def claim_a() -> Iterator[list[str]]:
    """Supervised pretraining with few labels."""
    for folder in FOLDS:
        every = list(scores(folder)["dataset"].unique())
        yield from (frozen(folder, count, by_encoder(folder, count, every)) for count in ("n50", "n100"))
    table = scores("fine_tuning")
    for method in TRAINED:
        found = gains(table[table["method"] == method], "model", ["gin_sup"], ["gin_ssl"])
        yield row("`gin_sup` over `gin_ssl`", f"{method}, {STRICT}", found)
    table = scores("transfer_full_ft")
    found = gains(table[table["label_ratio"] == "n50"], "model", [SUPERVISED], [SELF_SUPERVISED])
    yield row("supervised over self-supervised", "full FT, n50, scaffold split", found)
    table = scores("transfer_lp_converged")
    for network in ("gcn", "graphsage"):
        pair = [f"{network}_supervised"], [f"{network}_contextpred"]
        found = gains(table[table["label_ratio"] == "n50"], "model", *pair)
        yield row(f"`{network}_supervised` over `{network}_contextpred`", "LP (converged), n50, scaffold split", found)


def claim_b() -> Iterator[list[str]]:
    """Supervised pretraining with more labels, near its task and far from it."""
    table = scores("cv_frozen")
    large = sorted(table[table["label_ratio"] == "n500"]["dataset"].unique())
    few, many = (by_encoder("cv_frozen", count, large) for count in ("n50", "n500"))
    yield frozen("cv_frozen", "n50", few)
    yield frozen("cv_frozen", "n500", many)
    yield row("gain with 500 less gain with 50 labels", "the same", many - few)
    near = many.index.isin(PHYSICAL)
    yield row("near its task (ESOL, Lipo)", "n500", many[near])
    yield row("far from it (classes, activities)", "n500", many[~near])


def claim_c() -> Iterator[list[str]]:
    """Weight-based methods on a self-supervised encoder."""
    table = scores("gin_masking")
    where = "`gin_masking`, n50 and n100, both splits"
    yield row("WiSE-FT and L²-SP over full FT", where, gains(table, "method", WEIGHT, ["full_ft"]))
    yield row("the same over partial", where, gains(table, "method", WEIGHT, PARTIAL))
    yield row("the same over representation-based", where, gains(table, "method", WEIGHT, REPRESENTATION))
    tuned = pd.concat([scores("wise_ft_grid"), table[table["method"] != "wise_ft"]])
    yield row(
        "the same over full FT, share of WiSE-FT by validation", where, gains(tuned, "method", WEIGHT, ["full_ft"])
    )
    of = {encoder: over("wise_ft", ["full_ft"], encoder) for encoder in LARGER}
    for encoder, found in of.items():
        yield row("WiSE-FT over full FT", f"`{encoder}`, {STRICT}", found)
    yield row("gain on the self-supervised less gain on the supervised", "the same", of["gin_ssl"] - of["gin_sup"])
    table, where = nine_methods(), f"`gin_ssl`, {STRICT}"
    yield row("L²-SP over full FT", where, gains(table, "method", ["l2_sp"], ["full_ft"]))
    yield row("WiSE-FT and L²-SP over full FT", where, gains(table, "method", WEIGHT, ["full_ft"]))
    yield row("the same over partial", where, gains(table, "method", WEIGHT, PARTIAL))
    yield row("the same over representation-based", where, gains(table, "method", WEIGHT, REPRESENTATION))


def claim_d() -> Iterator[list[str]]:
    """Partial fine-tuning under shift."""
    table = scores("gin_masking")
    by_split = {
        split: gains(table[table["split"] == split], "method", PARTIAL, ["full_ft"]) for split in ("scaffold", "random")
    }
    for split, found in by_split.items():
        yield row("partial over full FT", f"{split} split, n50 and n100", found)
    yield row("gain at new scaffolds less gain at random", "the same", by_split["scaffold"] - by_split["random"])
    yield row("LP over full FT", f"both encoders, {STRICT}", over("lp", ["full_ft"]))
    table, where = nine_methods(), f"`gin_ssl`, {STRICT}"
    yield row("partial over full FT", where, gains(table, "method", PARTIAL, ["full_ft"]))
    for method in PARTIAL[1:]:
        yield row(f"`{method}` over full FT", where, gains(table, "method", [method], ["full_ft"]))
    size = scores("gin_masking_size")
    yield row("partial over full FT", "largest molecules as test, n50", gains(size, "method", PARTIAL, ["full_ft"]))


def claim_e() -> Iterator[list[str]]:
    """How early full fine-tuning is best on validation, and how much better training than test molecules are ranked."""
    early = pd.read_csv(ROOT / "results" / "gin_masking" / "scores.csv").query("method == 'full_ft'")
    epochs = early.groupby(["dataset", "label_ratio"])["best_epoch"].median().to_dict()
    frame = pd.read_csv(ROOT / "results" / "fine_tuning_nine" / "scores.csv")
    skills: dict[str, list[list[float]]] = {}  # by task: train and test of each data set
    for (task, dataset), group in frame[frame["method"].isin(WITH_TRAINING_SCORES)].groupby(["task", "dataset"]):
        train, test = (rank_skill(group, part) for part in ("train", "test"))
        skills.setdefault(str(task), []).append([train, test])
        known = (epochs.get((dataset, count)) for count in ("n50", "n100"))
        yield [str(dataset), str(task), *("–" if one is None else f"{one:g}" for one in known), *_gap(train, test)]
    for task, values in skills.items():
        yield ["mean", task, "", "", *_gap(*np.mean(values, axis=0))]
    gaps = [-np.diff(values, axis=1).ravel() for values in skills.values()]
    p = mannwhitneyu(*gaps, method="exact").pvalue
    words = f"p = {p:.2f} (Mann–Whitney)"
    yield ["classification less regression", words, "", "", "", "", f"{gaps[0].mean() - gaps[1].mean():.2f}"]


def _gap(train: float, test: float) -> list[str]:
    return [f"{value:.2f}" for value in (train, test, train - test)]


def rank_skill(frame: pd.DataFrame, part: str) -> float:
    """Return how well predictions rank molecules, 1 for all right and 0 for chance, in the mean over jobs.

    Spearman's correlation; of classes 2 ROC-AUC − 1, the rank-biserial correlation (Cureton 1956).
    """
    return float(frame[f"{part}_spearman"].fillna(2 * frame[f"{part}_roc_auc"] - 1).mean())


def claim_f() -> Iterator[list[str]]:
    """ROFT-MOL among the methods."""
    table = scores("gin_masking")
    where = "n50 and n100, both splits"
    yield row("ROFT-MOL over full FT", where, gains(table, "method", ["roftmol"], ["full_ft"]))
    yield row("ROFT-MOL over the mean of the eight", where, gains(table, "method", ["roftmol"], OTHERS))
    for task in ("regression", "classification"):
        of_task = table[table["task"] == task]
        yield row("the same", f"{where}, {task}", gains(of_task, "method", ["roftmol"], OTHERS))
    strict = scores("strict_draws", pool=True)
    where = "50 labels in all, three draws of both splits"
    yield row("ROFT-MOL over full FT", where, gains(strict, "method", ["roftmol"], ["full_ft"]))
    yield row("ROFT-MOL over LP", where, gains(strict, "method", ["roftmol"], ["lp"]))
    for encoder in LARGER:
        yield row("ROFT-MOL over full FT", f"`{encoder}`, {STRICT}", over("roftmol", ["full_ft"], encoder))
    for method in ("full_ft", "lp", "wise_ft"):
        yield row(f"ROFT-MOL over `{method}`", f"both encoders, {STRICT}", over("roftmol", [method]))
    found = gains(nine_methods(), "method", ["roftmol"], OTHERS)
    yield row("ROFT-MOL over the mean of the eight", f"`gin_ssl`, {STRICT}", found)
    for method in ("full_ft", "lp", "wise_ft"):
        found = over("roftmol", [method], "gin_ssl", "fine_tuning_paper")
        yield row(f"ROFT-MOL over `{method}`", "`gin_ssl`, n50, three scaffold folds", found)
    rivals = scores("rivals")
    rivals = rivals[~rivals["baseline"]]
    others = sorted({*rivals["method"]} - {"roftmol"})
    where = "50 labels in all, one scaffold fold"
    yield row("ROFT-MOL over the mean of 25 methods", where, gains(rivals, "method", ["roftmol"], others))


def claim_g() -> Iterator[list[str]]:
    """How much better ROFT-MOL is than each method."""
    table = scores("gin_masking")
    for method in OTHERS:
        yield row(
            f"ROFT-MOL over `{method}`", "n50 and n100, both splits", gains(table, "method", ["roftmol"], [method])
        )
    table, where = nine_methods(), f"`gin_ssl`, {STRICT}"
    for method in OTHERS:
        yield row(f"ROFT-MOL over `{method}`", where, gains(table, "method", ["roftmol"], [method]))


def beside() -> Iterator[list[str]]:
    """Fingerprints beside encoders and methods."""
    table = scores("cv_frozen")
    table = table[table["method"] == "ridge"]
    for count in ("n50", "n100", "n500"):
        for model in (SELF_SUPERVISED, SUPERVISED, "minimol"):
            of_count = table[table["label_ratio"] == count]
            yield row(
                f"ECFP over `{model}`", f"ridge, {count}, scaffold folds", gains(of_count, "model", ["ecfp"], [model])
            )
    table = scores("fine_tuning_nine")
    table = table[((table["model"] == "ecfp") & (table["method"] == "ridge")) | ~table["baseline"]]
    for method in (*OTHERS, "roftmol"):
        yield row(
            f"ECFP with ridge over `{method}`", f"`gin_ssl`, {STRICT}", gains(table, "method", ["ridge"], [method])
        )
    table = scores("fine_tuning_scratch")
    for method in ("full_ft", "lp"):
        for encoder in LARGER:
            found = gains(table[table["method"] == method], "model", [encoder], ["scratch"])
            yield row(f"`{encoder}` over random weights", f"{method}, {STRICT}", found)
    rivals = scores("rivals")
    fingerprint = (rivals["model"] == "ecfp") & (rivals["method"] == "ridge")
    chosen = rivals[fingerprint | ~rivals["baseline"]]
    for method in ("full_ft", "roftmol", "lp"):
        found = gains(chosen, "method", ["ridge"], [method])
        yield row(f"ECFP with ridge over `{method}`", "50 labels in all, one scaffold fold", found)


EPOCHS = ["data set", "task", "best epoch, 50 labels", "100 labels", "ranks, train", "test", "difference"]
CLAIMS = {
    "a": (HEADER, claim_a),
    "b": (HEADER, claim_b),
    "c": (HEADER, claim_c),
    "d": (HEADER, claim_d),
    "e": (EPOCHS, claim_e),
    "f": (HEADER, claim_f),
    "g": (HEADER, claim_g),
    "h": (HEADER, beside),
}


def tables() -> dict[str, str]:
    """Return the Markdown table of each claim by its letter."""
    return {letter: markdown_table(header, list(claim())) for letter, (header, claim) in CLAIMS.items()}


def filled(page: str) -> str:
    """Return the page with the tables between its markers; raises ValueError if it has other ones."""
    for letter, table in tables().items():
        begin, end = f"<!-- table {letter} -->\n", "<!-- end -->"
        if page.count(begin) != 1:
            raise ValueError(f"{page.count(begin)} places for table {letter}")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n\n{end}{rest.partition(end)[2]}"
    return page


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    if parser.parse_args(words).write:
        write_text(PAGE, filled(PAGE.read_text(encoding="utf-8")))
        return
    for letter, table in tables().items():
        print(f"({letter})\n\n{table}\n")


if __name__ == "__main__":
    main()
