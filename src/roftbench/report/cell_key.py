"""Where the scores of a job belong, and names that tell different contents apart."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roftbench.config.job import FLOAT32, PROTOCOL
from roftbench.formatting import printable_name
from roftbench.metrics import DEFAULT_LOSS
from roftbench.store.checksums import digest_of_text

PARTS = ["model", "split", "label_ratio", "train"]
NAMED = [*PARTS, "dataset", "method"]
UNWRITTEN = {
    "precision": FLOAT32,
    "protocol": str(PROTOCOL),
}  # what a field of a job means where its identity leaves it out
SEEDED = ("split", "label_ratio")  # parts with a seed of their own, or some of them none that counts


@dataclass(frozen=True)
class Place:
    """Which cell a job's scores belong to.

    `setting` and `terms` are hashes: of model, split, label ratio, training settings, protocol and featurizer, and of
    what of them must be equal for scores to stand in one table, whatever was trained. `texts` are the contents of
    `NAMED` as canonical JSON.
    """

    setting: str
    terms: str
    baseline: bool
    protocol: int
    texts: tuple[str, ...]


class Placer:
    """Finds the places of jobs; parts that many jobs share as one object are looked at once.

    With `pool`, the seeds of split and label ratio decide no place: jobs that differ in them are replicates.
    """

    def __init__(self, *, pool: bool = False) -> None:
        self.pool = pool
        self._known: dict[tuple[Any, ...], tuple[dict[str, Any], Place]] = {}
        self._params: dict[tuple[int, str], tuple[Any, str]] = {}

    def place(self, job: dict[str, Any]) -> Place:
        """Return the place of a job, given as the plain values of a record."""
        parts = (id(job[part]) for part in NAMED)
        key = (*parts, job["protocol"], job.get("featurizer"), "fingerprint" in job)
        if key not in self._known:
            self._known[key] = (job, self._place(job))  # the job is kept: an id is one's own only while one lives
        return self._known[key][1]

    def params(self, job: dict[str, Any], chosen: dict[str, Any]) -> str:
        """Return the hyperparameters of a candidate, those of its job included, as canonical JSON."""
        method = job["method"]
        key = (id(method), repr(chosen))
        if key not in self._params:
            self._params[key] = (method, canonical_json({**method["params"], **chosen}))
        return self._params[key][1]

    def replicate(self, job: dict[str, Any]) -> str:
        """Return what tells a job from the others of its candidate: its seed, or seed/split seed/subset seed."""
        if not self.pool:
            return str(job["seed"])
        return "/".join(
            map(str, (job["seed"], job["split"].get("params", {}).get("seed"), job["label_ratio"].get("seed")))
        )

    def _place(self, job: dict[str, Any]) -> Place:
        named = _named_parts(job)
        if self.pool:
            named |= {part: _without_seed(named[part]) for part in SEEDED}
        setting = {part: named[part] for part in PARTS}
        versions = {field: named["train"][field] for field in ("protocol", "featurizer")}
        terms = {"split": named["split"], "label_ratio": named["label_ratio"], **versions}
        texts = tuple(canonical_json(named[part]) for part in NAMED)
        return Place(short_hash(setting), short_hash(terms), "fingerprint" in job, job["protocol"], texts)


def names(places: Iterable[Place]) -> list[dict[str, str]]:
    """Return for each place the name of each of its parts, `NAMED` to name.

    Contents that share a name get the fields in which they differ appended: "paper (epochs=30)". Control characters
    of names are written out.
    """
    places = list(places)
    labels = [_labels({place.texts[i] for place in places}) for i in range(len(NAMED))]
    known: dict[tuple[str, ...], dict[str, str]] = {}
    for place in places:
        if place.texts not in known:
            known[place.texts] = {part: labels[i][place.texts[i]] for i, part in enumerate(NAMED)}
    return [known[place.texts] for place in places]


_EXACT = 2**53  # from here on a float's digits say more than it knows


def canonical_json(value: object) -> str:
    """One text for equal values: keys sorted, and 1.0 written as 1, as a grid may hold either."""
    return json.dumps(_integers_as_int(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def differing(variants: Iterable[dict[str, Any]]) -> list[str]:
    """Return the fields in which flat dictionaries differ, sorted."""
    variants = list(variants)
    fields = sorted({field for variant in variants for field in variant})
    return [field for field in fields if len({_text(variant, field) for variant in variants}) > 1]


def describe(values: dict[str, Any], fields: list[str]) -> str:
    """Return some fields of a flat dictionary as text: "epochs=30, loss=mae"."""
    return ", ".join(printable_name(f"{field}={_text(values, field)}") for field in fields)


def _named_parts(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parts of a job that decide where its scores belong."""
    train = dict(job["train"])
    if train.get("loss") == DEFAULT_LOSS[job["dataset"]["task"]]:
        train["loss"] = None  # filled in by the task: regression and classification share the user's one setting
    # Versions that change what a number means belong to the setting. Of a method, the params have a column of
    # their own, and search and grid decide nothing about a candidate.
    return {
        **{part: job[part] for part in ("model", "split", "label_ratio", "dataset")},
        "train": {**train, "protocol": job["protocol"], "featurizer": job.get("featurizer")},
        "method": {
            field: job["method"][field] for field in ("name", "target", "code", "protocol") if field in job["method"]
        },
    }


def _without_seed(part: dict[str, Any]) -> dict[str, Any]:
    left = {key: value for key, value in part.items() if key != "seed"}
    if "params" in left:
        left["params"] = {key: value for key, value in left["params"].items() if key != "seed"}
    return left


def short_hash(value: object) -> str:
    """Return 16 hex digits that are the same for equal values."""
    return digest_of_text(canonical_json(value))


def _labels(texts: set[str]) -> dict[str, str]:
    """The name of each content, with the fields appended in which contents of one name differ."""
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
    """Return the same values without nesting: {"params": {"seed": 7}} becomes {"params.seed": 7}."""
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
