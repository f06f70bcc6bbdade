"""The cell of a table that a job's scores belong to, and distinct names for its parts."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roftbench.config.job import ENCODER_PROTOCOL, FLOAT32, NO_TRAINING, PROTOCOL
from roftbench.formatting import printable_name
from roftbench.metrics import DEFAULT_LOSS
from roftbench.store.checksums import digest_of_text

PARTS = ["model", "split", "label_ratio", "train"]
NAMED = [*PARTS, "dataset", "method"]
UNWRITTEN = {  # values of fields that a job's identity omits
    "precision": FLOAT32,
    "protocol": str(PROTOCOL),
    ENCODER_PROTOCOL: "2",
}
# Encoders whose training was corrected, if pooled by the maximum (docs/numbers.md); the method that trains no encoder.
GRAPHIUM, MINIMOL = "roftbench.models.graphium.Graphium", "roftbench.models.minimol.MiniMol"
HEAD_ONLY = "roftbench.methods.lp.LinearProbing"
SEEDED = ("split", "label_ratio")  # parts that have a seed
GIVEN_PARTS = (".ColumnSplit", ".FileSplit")  # whose seed draws the validation part alone


@dataclass(frozen=True)
class CellKey:
    """The cell that a job's scores belong to.

    Attributes:
        setting: hash of model, split, label ratio, training settings, protocol and featurizer.
        terms: hash of those that scores in one table must share: all but model and training settings.
        baseline: whether no network is trained.
        texts: the contents of `NAMED` as canonical JSON.
    """

    setting: str
    terms: str
    baseline: bool
    protocol: int
    texts: tuple[str, ...]


class CellKeys:
    """Computes the cell keys of jobs; parts that many jobs share as one object are processed once.

    With `pool`, jobs that differ in the seeds of split or label ratio are replicates of one cell.
    """

    def __init__(self, *, pool: bool = False) -> None:
        self.pool = pool
        self._known: dict[tuple[Any, ...], tuple[dict[str, Any], CellKey]] = {}
        self._texts: dict[tuple[Any, ...], tuple[dict[str, Any], str]] = {}
        self._hashes: dict[str, str] = {}
        self._params: dict[tuple[int, str], tuple[Any, str]] = {}

    def of(self, job: dict[str, Any]) -> CellKey:
        """Return the cell key of a job, given by its identity."""
        parts = (id(job[part]) for part in NAMED)
        key = (*parts, job["protocol"], job.get("featurizer"), job["train"] == NO_TRAINING)
        if key not in self._known:
            self._known[key] = (job, self._compute(job))  # with the job, because ids of deleted objects are reused
        return self._known[key][1]

    def params(self, job: dict[str, Any], chosen: dict[str, Any]) -> str:
        """Return the hyperparameters of a candidate, including those of its job, as canonical JSON."""
        method = job["method"]
        key = (id(method), repr(chosen))
        if key not in self._params:
            self._params[key] = (method, canonical_json({**method["params"], **chosen}))
        return self._params[key][1]

    def replicate(self, job: dict[str, Any]) -> str:
        """Return what distinguishes jobs of one candidate: seed or seed@fold, pooled with /split seed/subset seed.

        The seed of a given split leaves its test part as it is, so that it counts as one of label subsets.
        """
        params = job["split"].get("params", {})
        run = str(job["seed"]) if params.get("fold") is None else f"{job['seed']}@{params['fold']}"
        if not self.pool:
            return run
        split, subset = params.get("seed"), job["label_ratio"].get("seed")
        if str(job["split"].get("target")).endswith(GIVEN_PARTS):
            split, subset = None, f"{split}+{subset}"
        return f"{run}/{split}/{subset}"

    def _compute(self, job: dict[str, Any]) -> CellKey:
        texts = {part: self._text(part, job) for part in NAMED}
        versions = {name: canonical_json(job.get(name)) for name in ("protocol", "featurizer")}
        setting = self._hash({part: texts[part] for part in PARTS})
        terms = self._hash({part: texts[part] for part in SEEDED} | versions)
        return CellKey(setting, terms, job["train"] == NO_TRAINING, job["protocol"], tuple(texts.values()))

    def _text(self, part: str, job: dict[str, Any]) -> str:
        """Return what a part of a job contributes to its cell, as canonical JSON; many jobs share the part."""
        own = job[part]
        context: tuple[Any, ...] = ()
        if part == "train":
            context = (job["protocol"], job.get("featurizer"), job["dataset"]["task"])
        elif part == "model":
            context = (_is_uncorrected(job),)
        key = (part, id(own), *context)
        if key not in self._texts:
            named = _named(part, job)
            named = _without(named, "seed") if self.pool and part in SEEDED else named
            self._texts[key] = (own, canonical_json(named))
        return self._texts[key][1]

    def _hash(self, texts: dict[str, str]) -> str:
        """Return the digest of a dictionary whose values are given as canonical JSON."""
        whole = ",".join(f"{json.dumps(name)}:{texts[name]}" for name in sorted(texts))
        if whole not in self._hashes:
            self._hashes[whole] = digest_of_text(f"{{{whole}}}")
        return self._hashes[whole]


def names(keys: Iterable[CellKey]) -> list[dict[str, str]]:
    """Return per cell key the names of its parts, by the members of `NAMED`.

    Contents that share a name get the fields in which they differ appended: "paper (epochs=30)". Control characters
    in names are escaped.
    """
    keys = list(keys)
    labels = [_labels({key.texts[i] for key in keys}) for i in range(len(NAMED))]
    known: dict[tuple[str, ...], dict[str, str]] = {}
    for key in keys:
        if key.texts not in known:
            known[key.texts] = {part: labels[i][key.texts[i]] for i, part in enumerate(NAMED)}
    return [known[key.texts] for key in keys]


_EXACT = 2**53  # floats are exact integers below it


def canonical_json(value: object) -> str:
    """Return the same text for equal values: sorted keys, and 1.0 written as 1, since grids may contain either."""
    return json.dumps(_integers_as_int(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def differing(variants: Iterable[dict[str, Any]]) -> list[str]:
    """Return the fields in which flat dictionaries differ, sorted."""
    variants = list(variants)
    fields = sorted({field for variant in variants for field in variant})
    return [field for field in fields if len({_text(variant, field) for variant in variants}) > 1]


def describe(values: dict[str, Any], fields: list[str]) -> str:
    """Return some fields of a flat dictionary as text: "epochs=30, seed=7", the last one of its `params`."""
    return ", ".join(printable_name(f"{field.removeprefix('params.')}={_text(values, field)}") for field in fields)


def _named(part: str, job: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of a job contributes to its cell."""
    # Versions that change the meaning of numbers belong to the setting. A method's params have their own column, and
    # search and grid do not affect a candidate.
    own: dict[str, Any] = job[part]
    if part == "model" and _is_uncorrected(job):
        return {**own, ENCODER_PROTOCOL: 1}
    if part == "split":
        return _without(own, "fold")
    if part == "method":
        return {field: own[field] for field in ("name", "target", "code", "protocol") if field in own}
    if part == "train":
        default = own.get("loss") == DEFAULT_LOSS[job["dataset"]["task"]]  # so that both tasks share one setting
        versions = {"protocol": job["protocol"], "featurizer": job.get("featurizer")}
        return {**own, **({"loss": None} if default else {}), **versions}
    return own


def _is_uncorrected(job: dict[str, Any]) -> bool:
    """Return whether an encoder was trained before the correction of its training: it makes tables of its own."""
    model, method = job["model"], job["method"]
    target = model.get("target")
    maximum = target == MINIMOL or (target == GRAPHIUM and model["params"].get("pooling") == "max")
    trained = job["train"] != NO_TRAINING and method["target"] != HEAD_ONLY
    return maximum and trained and ENCODER_PROTOCOL not in method


def _without(part: dict[str, Any], field: str) -> dict[str, Any]:
    left = {key: value for key, value in part.items() if key != field}
    if "params" in left:
        left["params"] = {key: value for key, value in left["params"].items() if key != field}
    return left


def _labels(texts: set[str]) -> dict[str, str]:
    """Return the name of each content, with the fields appended in which contents of that name differ."""
    parts = {text: flat(json.loads(text)) for text in sorted(texts)}
    variants: dict[str, list[dict[str, Any]]] = {}
    for part in parts.values():
        variants.setdefault(part["name"], []).append(part)
    fields = {name: differing(contents) for name, contents in variants.items()}
    return {
        text: f"{printable_name(part['name'])} ({describe(part, found)})" if found else printable_name(part["name"])
        for text, part in parts.items()
        for found in [fields[part["name"]]]
    }


def flat(part: dict[str, Any]) -> dict[str, Any]:
    """Return the values without nesting: {"params": {"seed": 7}} becomes {"params.seed": 7}."""
    found: dict[str, Any] = {}
    for field, value in part.items():
        found |= {f"{field}.{k}": v for k, v in flat(value).items()} if isinstance(value, dict) else {field: value}
    return found


def _text(values: dict[str, Any], field: str) -> str:
    if field not in values:
        return UNWRITTEN.get(field, "unset")
    value = values[field]
    if field == "sha256":
        return str(value)[:8]
    return value if isinstance(value, str) else canonical_json(value)


def _integers_as_int(value: object) -> object:
    if isinstance(value, dict):
        return {key: _integers_as_int(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_integers_as_int(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value
