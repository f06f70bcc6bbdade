"""What `advise.…` on the command line says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import OmegaConf

from roftbench.config.schema import typed
from roftbench.errors import UsageError, check_choice, check_range
from roftbench.overrides import elements
from roftbench.report.format import METHODS

SECONDS = {"s": 1, "m": 60, "h": 3600}
BASELINES = (("ecfp", "random_forest"), ("scratch", "full_ft"))
PREFIX = "advise."


@dataclass(frozen=True)
class AdviseSettings:
    """The race: its budget, who takes part, and how the labeled molecules are folded.

    budget: a time ("90s", "30m", "2h") or a number of jobs ("40 jobs"). by: what lies in one fold as a whole,
    "scaffold" groups or single molecules ("random"). members: seeds with which the winner is fitted in the end.
    """

    budget: str = "30m"
    models: list[str] = field(default_factory=lambda: ["gin_masking", "gin_descriptors"])
    methods: list[str] = field(default_factory=lambda: list(METHODS))
    folds: int = 5
    by: str = "scaffold"
    search: bool = False
    members: int = 3

    def __post_init__(self) -> None:
        self.limit()
        check_choice("by", self.by, ("scaffold", "random"))
        check_range("folds", self.folds, 3)
        check_range("members", self.members, 1)
        for name in ("models", "methods"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: give at least one name")

    def limit(self) -> tuple[float | None, int | None]:
        """Return the budget as seconds, or as a number of jobs.

        Raises:
            ValueError: it is neither.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|jobs?)", self.budget.strip())
        if found is None or float(found[1]) <= 0:
            raise ValueError(f"budget must be a time such as 90s, 30m or 2h, or a number such as 40jobs: {self.budget}")
        if found[2].startswith("job"):
            if not found[1].isdigit():
                raise ValueError(f"budget must be a whole number of jobs, got {self.budget}")
            return None, int(found[1])
        return float(found[1]) * SECONDS[found[2]], None

    def pairs(self) -> list[tuple[str, str]]:
        """Return every model with every method, and the baselines."""
        wanted = [(model, method) for model in self.models for method in self.methods]
        return [*wanted, *(pair for pair in BASELINES if pair not in wanted)]


def separated(overrides: Sequence[str]) -> tuple[AdviseSettings, list[str]]:
    """Return the settings of the race, and the overrides of the jobs.

    Raises:
        UsageError: an unknown key or a value that cannot be; model and method, which the race chooses.
    """
    own: dict[str, Any] = {}
    others = []
    lists = {each.name for each in fields(AdviseSettings) if each.name in ("models", "methods")}
    for text in overrides:
        key, _, value = text.partition("=")
        name = key.removeprefix(PREFIX)
        if key in ("model", "method") or key.startswith(("model.", "method.")):
            group = key.partition(".")[0]
            raise UsageError(f"'{text}': advise chooses the {group}; name those to try with advise.{group}s=A,B")
        if not key.startswith(PREFIX):
            others.append(text)
        elif name in lists:
            own[name] = [part for part in elements(value) if part]
        else:
            own[name] = value if name == "budget" else OmegaConf.from_dotlist([f"value={value}"]).value
    return typed(AdviseSettings, own, "advise"), others
