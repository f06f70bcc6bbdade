"""Columns of scores.csv, in their order."""

from roftbench.metrics import METRICS
from roftbench.store.record_schema import LabelStatistics

PARTS = ("model", "method", "dataset", "split", "label_ratio", "train")
UNNAMED = ("graphs", "fingerprint")  # parts without a name, of some models
LABELS = ("weights", "selection", "interpolation", "test")
GRAPHS = ("train", "val", "test")
DATA = ("sha256", "rows", "kept", "noise")
SPREAD = LabelStatistics.__struct_fields__  # of the test labels
ENV = ("roftbench", "commit", "torch", "device", "processor", "threads", "arithmetic")
LATER_METRICS = ("pearson", "kendall", "mcc", "balanced_accuracy")
COST = ("fit_seconds", "fit_cpu_seconds")
DIAGNOSTICS = ("parameter_shift", "feature_shift", "pretrain_gain", "pretrain_gain_percent")
TRAIN = tuple(f"train_{metric}" for metric in METRICS)  # of the chosen candidate
ADDED = (  # columns that older files lack
    *("processor", "arithmetic", "data_noise", "trained_parameters", *(f"test_label_{name}" for name in SPREAD)),
    *(*COST, *DIAGNOSTICS),
    *(f"{part}_{metric}" for metric in LATER_METRICS for part in ("val", "test")),
    *TRAIN,
)
NUMBERS = ("threads", "arithmetic")  # of ENV
COLUMNS = [
    *("key", "status", *PARTS, "seed", "params", "task", "metric"),
    *(f"{part}_{metric}" for metric in METRICS for part in ("val", "test")),
    *TRAIN,
    *("best_epoch", *(f"labels_{name}" for name in LABELS), *(f"graphs_{name}" for name in GRAPHS)),
    *(
        *(f"data_{name}" for name in DATA),
        *(f"test_label_{name}" for name in SPREAD),
        "protocol",
        "featurizer",
        *ENV,
        "seconds",
        *COST,
        "peak_memory_mb",
        "trained_parameters",
        *DIAGNOSTICS,
    ),
    *(*(f"{part}_hash" for part in (*PARTS, *UNNAMED)), "error"),
]
