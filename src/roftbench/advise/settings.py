"""Settings of `roftbench advise`: the overrides that begin with `advise.`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf

from roftbench.config.environment import ALL
from roftbench.config.schema import typed
from roftbench.errors import UsageError, check_choice, check_range
from roftbench.overrides import listed
from roftbench.store.names import check_name

SECONDS = {"s": 1, "m": 60, "h": 3600}
FOREST = ("ecfp", "random_forest")
BASELINES = (FOREST, ("scratch", "full_ft"))
LISTS = ("features", "estimators", "models", "methods")
PREFIX = "advise."


@dataclass(frozen=True)
class AdviseSettings:
    """Budget, candidates and folds of a race.

    Attributes:
        budget: A time ("90s", "30m", "2h") or a number of jobs ("40 jobs").
        features: Fingerprints, and encoders whose frozen embeddings are features.
        estimators: Methods without a network to try with each of the features.
        models: Encoders to fine-tune.
        methods: Methods to try with each encoder.
        folds: Number of folds.
        by: What is kept in one fold: "scaffold" groups, or single molecules ("random").
        search: Whether each method's grid is searched.
        members: Number of seeds with which the winner is fitted.
        keep: Name for the winner's models; the name of the data set, with a number if it is taken, if empty.
        pool: A table of molecules without labels, among which those to measure next are chosen.
        picks: Number of these.
    """

    budget: str = "30m"
    features: list[str] = field(default_factory=lambda: ["ecfp", "minimol"])
    estimators: list[str] = field(default_factory=lambda: ["random_forest", "gp", "ridge"])
    models: list[str] = field(default_factory=lambda: ["minimol", "gin_descriptors"])
    methods: list[str] = field(default_factory=lambda: ["lp", "lp_ft", "roftmol"])
    folds: int = 5
    by: str = "scaffold"
    search: bool = False
    members: int = 3
    keep: str = ""
    pool: str | None = None
    picks: int = 100

    def __post_init__(self) -> None:
        self.limit()
        check_choice("by", self.by, ("scaffold", "random"))
        check_range("folds", self.folds, 3)
        check_range("members", self.members, 1)
        check_range("picks", self.picks, 1)
        if self.keep:
            check_name("keep", self.keep)
        for name in LISTS:
            if not getattr(self, name):
                raise UsageError(f"{name} is empty: give at least one name", key=name, got=[])

    def limit(self) -> tuple[float | None, int | None]:
        """Return the budget in seconds and None, or None and the number of jobs.

        Raises:
            UsageError: It is neither.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])|(\d+)\s*jobs?", self.budget.strip())
        if found is None or not float(found[1] or found[3]):
            allowed = "a time such as 90s, 30m or 2h, or a whole number of jobs such as 40jobs"
            raise UsageError(f"budget must be {allowed}, got {self.budget}", key="budget", got=self.budget)
        return (None, int(found[3])) if found[3] else (float(found[1]) * SECONDS[found[2]], None)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the forest on fingerprints, the features with every estimator, and the models with every method."""
        frozen = [(features, estimator) for features in self.features for estimator in self.estimators]
        tuned = [(model, method) for model in self.models for method in self.methods]
        return list(dict.fromkeys([FOREST, *frozen, *tuned]))


def separated(overrides: Sequence[str]) -> tuple[AdviseSettings, list[str]]:
    """Return the settings of the race and the overrides of its jobs.

    Raises:
        UsageError: A key of `advise.` is unknown or has an invalid value, or a model or method is given.
    """
    own: dict[str, Any] = {}
    others = []
    for text in overrides:
        key, _, value = text.partition("=")
        name = key.removeprefix(PREFIX)
        if key in ("model", "method") or key.startswith(("model.", "method.")):
            group = key.partition(".")[0]
            hint = f"Name those to try with advise.{group}s=A,B"
            raise UsageError(f"'{text}': advise chooses the {group}", key=group, got=text, hint=hint)
        if text == f"run.keep={ALL}":
            hint = f"`roftbench run -m split=cv … {text}` does so with a model and a method that you choose"
            raise UsageError(f"'{text}': advise saves its winner, which has a test part", key=key, got=text, hint=hint)
        if key == "run.keep" and value.lower() not in ("true", "false"):
            hint = f"Give the winner a name with advise.keep={value}"
            raise UsageError(f"'{text}': advise saves its winner", key=key, got=text, hint=hint)
        if not key.startswith(PREFIX):
            others.append(text)
        elif name in LISTS:
            own[name] = listed(value)
        else:
            own[name] = (
                value if name in ("budget", "keep", "pool") else OmegaConf.from_dotlist([f"value={value}"]).value
            )
    return typed(AdviseSettings, own, "advise"), others
