"""Meanings of the keys of `advise`, `predict`, `embed` and `serve`, for help texts, completion and the reference.

Imports nothing, so that `roftbench --help` is fast.
"""

ADVISE = {
    "budget": "a time (`90s`, `30m`, `2h`) or a number of jobs (`40jobs`)",
    "features": "fingerprints, and encoders whose frozen embeddings are features of the estimators",
    "estimators": "candidate methods without a network, each with all features",
    "models": "candidate encoders for fine-tuning",
    "methods": "candidate methods of fine-tuning, each with all encoders",
    "folds": "number of folds of the labeled molecules",
    "by": "`scaffold` keeps each scaffold in one fold; `random` assigns molecules one by one",
    "search": "search each method's grid on the fold's validation part",
    "members": "number of seeds for the winner's final fit; one if it includes an estimator",
    "keep": "a name for the winner's models; by default that of the data set, numbered if it is taken",
    "pool": "a table of unlabeled molecules from which those to measure next are chosen (`next.csv`)",
    "picks": "number of molecules to choose from the pool",
}
PREDICT = {
    "model": "a name given by `run.keep=NAME` or `advise` (`roftbench list kept`); for `embed` also a pretrained model",
    "model_dir": "the folder of a saved model; several, separated by commas, predict together",
    "input": "CSV, TSV (plain or gzipped), Parquet, Excel or SD file, list of SMILES (.smi)",
    "output": "`.csv` or `.csv.gz`; for `embed` `.npz` or `.parquet`",
    "smiles_column": "the column of SMILES; inferred by default",
    "prefix": "prefix for the names of the added columns",
    "device": "`auto`, `cpu`, `cuda` or `cuda:1`",
    "threads": "CPU threads",
    "plugins": "files or modules of your own models and methods",
    "quote_formulas": "prefix cells that a spreadsheet would compute with an apostrophe",
    "sets": "add conformal sets of classes, which contain the true class with a probability of 90 %",
    "full": "write all digits, like `--full`",
    "explain": "also write the contributions of atoms: `true`, or the number of rows to explain",
    "explain_tasks": "tasks to explain, separated by commas; by default all, at most 12",
}
EMBED = ("model", "model_dir", "input", "output", "smiles_column", "device", "threads", "plugins")  # of PREDICT
SERVE = {
    "model_dir": "the folder of a saved model, instead of a name; several, separated by commas, predict together",
    "port": "port of 127.0.0.1; `0` for any free port",
    "molecules": "largest number of molecules in a table",
    "seconds": "time limit of a request",
    "device": "`auto`, `cpu`, `cuda` or `cuda:1`",
    "threads": "CPU threads",
    "plugins": "files or modules of your own models and methods",
}
