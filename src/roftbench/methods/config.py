"""Schema of `conf/method/` beside the parameters of a method's class: name, order and search."""

from dataclasses import dataclass, field
from typing import Any

from roftbench.errors import check_choice

METHOD, PROPOSED, BASELINE = "method", "proposed", "baseline"
ROLES = (METHOD, PROPOSED, BASELINE)
FAMILIES = ("full", "weight", "representation", "partial", "parameter-efficient", "ensemble", "estimator", "other")


@dataclass(frozen=True)
class MethodCard:
    """Keys of a method's config beside the parameters of its class.

    Attributes:
        title: name in tables and figures; the config's name if empty.
        order: position in tables and figures, ascending.
        role: `proposed` for the method that the paper proposes and that tables compare with every other, `baseline` for
            a method outside the ranks.
        family: mechanism, as in the paper (RoFt-Mol, section 3).
        quick: whether no encoder is trained, so that a job takes seconds.
        search: whether the grid is searched within the job.
        grid: values to try, by parameter.
    """

    name: str
    _target_: str
    summary: str = ""
    title: str = ""
    order: int = 1000
    role: str = METHOD
    family: str = "other"
    quick: bool = False
    search: bool = False
    grid: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("role", self.role, ROLES)
        check_choice("family", self.family, FAMILIES)
